"""Edit directions as values: where they are, what they do, for which generator. No torch: listing stays quick.

A direction is two files: `NAME.toml` says what it does (`directions/README.md` lists the keys), the file beside it
holds the vector, which `move_latents.load_direction` reads. Or it is a vector in memory, `Direction(vector=v)`.

    2 * age, age + 0.5 * smile, -age, age.at({0: 0, 48: 2})        are `Change`s: what an edit is asked for
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from stitchedit.config import PARTS
from stitchedit.editing.bent_step import checked_knots, require_rows
from stitchedit.editing.edit_names import file_label
from stitchedit.errors import ConfigError, DirectionError, Refused
from stitchedit.files.npy import moving_float32
from stitchedit.strength import Keyframes, Strength, checked_number, keyframes, scaled, strength_label
from stitchedit.types import FloatArray

MAX_NUMBERS = 1 << 20  # of a vector in memory; 18 rows of 512 are 9216
MAX_CHANNELS = 10_000  # of a list; StyleGAN2's whole StyleSpace has 9,088
MAX_SD = 1e4  # by which strength 1 moves a channel
IN_MEMORY = Path()  # the file of a direction that has none
SIDE_EFFECT = 0.3  # SD, the aim: no other attribute moves more at strength 1


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What one strength does, median over people. None: not measured."""

    strength: float
    change: float | None = None  # of the direction's attribute, in `measured_in`
    identity_distance: float | None = None  # of dlib's embedding
    faces: float | None = None  # share of people in whom the detector still sees a face, 0..1


class Combinable:
    """A direction or a sum of them: times a number, added up, or with a strength that changes over the clip."""

    __slots__ = ()
    __array_ufunc__: ClassVar[None] = None  # a numpy number times a direction is a `Change` too, no array

    @property
    def parts(self) -> tuple[tuple[Direction, Strength], ...]:
        """The directions, each with its strength."""
        raise NotImplementedError

    def at(self, frames: Mapping[int, float] | None = None, *, seconds: Mapping[float, float] | None = None) -> Change:
        """The same with a strength that follows a smooth curve through keyframes, see `strength.Keyframes`.

        Args:
            frames: strength by source frame, such as {0: 0, 48: 1.5}; or
            seconds: strength by time from the start of the clip.
        Raises: ConfigError, when a moment or strength is no number that can be, or the strength has keyframes already.
        """
        if (frames is None) == (seconds is None):
            raise ConfigError("keyframes are given neither or both by frame and by second", "give one of them")
        if any(isinstance(strength, Keyframes) for _, strength in self.parts):
            raise ConfigError(f"'{self}' has keyframes already", "call .at() on the direction itself")
        given: Mapping[Any, float] = frames if frames is not None else seconds or {}
        curve = keyframes(given, in_seconds=frames is None)
        factors = ((direction, float(strength)) for direction, strength in self.parts)  # type: ignore[arg-type]
        return Change(tuple((direction, scaled(curve, factor)) for direction, factor in factors))

    def __mul__(self, factor: float) -> Change:
        if not isinstance(factor, Real):
            return NotImplemented
        value = checked_number(factor)
        return Change(tuple((direction, scaled(strength, value)) for direction, strength in self.parts))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> Change:
        if not isinstance(divisor, Real):
            return NotImplemented
        return self * (1 / float(divisor))

    def __neg__(self) -> Change:
        return self * -1.0

    def __add__(self, other: Combinable) -> Change:
        return Change(self.parts + other.parts) if isinstance(other, Combinable) else NotImplemented

    def __radd__(self, other: object) -> Change:
        return Change(self.parts) if other == 0 else NotImplemented  # where `sum` starts

    def __sub__(self, other: Combinable) -> Change:
        return self + -other if isinstance(other, Combinable) else NotImplemented


@dataclass(frozen=True, slots=True)
class Change(Combinable):
    """Directions with their strengths, which add up: `2 * age + 0.5 * smile`."""

    terms: tuple[tuple[Direction, Strength], ...]

    @property
    def parts(self) -> tuple[tuple[Direction, Strength], ...]:
        return self.terms

    def __iter__(self) -> Iterator[Change]:
        """The terms, each as a change of its own."""
        return (Change((term,)) for term in self.terms)

    def __str__(self) -> str:
        return ", ".join(f"{direction.label} {strength_label(strength)}" for direction, strength in self.terms)


@dataclass(frozen=True, slots=True, repr=False)
class Direction(Combinable):
    """One way to change a face: a vector that is added to the codes of a clip, and what is known of it.

    `Direction(vector=v, layers=(0, 8), unit="one step")` takes a vector from memory: numpy or torch, [w_dim] or
    [1, w_dim] for all layers alike, [num_ws, w_dim] for each layer its own; with K `knots`, [K, w_dim] for all layers.
    Without a `name` it is called after its hash, such as `direction-1a2b3c`.

    Raises: DirectionError, when the vector is none, or layers are no rows; ConfigError for a name that files cannot
        have.
    """

    name: str = ""
    file: Path = IN_MEMORY  # the vector, or the data of a function
    kind: str = "vector"  # vector, or function: the step depends on the clip and the seed
    space: str = "W"  # W or W+; or S, StyleSpace
    layers: tuple[int, int] | None = None  # half-open range of W+ rows that move; None: all
    fidelity: float = 1.0  # how much of the clip's tuning the edit wants; see EditConfig.fidelity
    made_for: str = ""  # generator that it was learned on; empty where nothing says so
    unit: str = "strength 1.0 adds the stored vector once"
    channels: tuple[tuple[int, int, float], ...] = ()  # of StyleSpace in place of a file: layer, channel, SD each
    statistics: str = ""  # file beside the TOML with the channels' SD (S_mean_std); empty: of the generator's own faces
    component: int | None = None  # of a file of components, the one that is meant
    absolute: bool = False  # strength is the coordinate along that component which the clip's mean face is brought to
    knots: tuple[float, ...] = ()  # it bends: strengths at which rows of the vector are its slopes, see `bent_step`
    part: str = ""  # of `config.PARTS`, the one that is wanted; empty: the whole edit
    region: str = ""  # of REGIONS: what it needs to change; empty: the face
    range: tuple[float, float] | None = None  # strengths within which faces stay faces; None: not known
    sha256: str = ""  # of the file; empty: not checked
    source: str = ""
    licence: str = ""
    attribute: str = ""  # what it is to move, one of `samples.NAMES` or a label of the user's
    amount: float = 0.0  # by how much strength 1 moves it, in `measured_in`; 0: not known
    measured_in: str = ""  # such as "years" or "degrees"
    held_out_r: float | None = None  # correlation of the linear reading behind it on samples left out of the fit
    checked_on: str = ""  # how many people, drawn at which size, figures were measured on
    identity_distance: float | None = None  # median at strength 1
    outside_change: float | None = None  # at strength 1 outside of the head: mean absolute grey levels
    outside_ratio: float | None = None  # the same, divided by the change inside of the head
    effects: Mapping[str, float] = field(default_factory=dict)  # change at strength 1, in SD of 2,000 samples
    curve: tuple[CurvePoint, ...] = ()  # by strength, ascending
    # float32 [w_dim] or [rows, w_dim], perhaps with leading axes of one, read-only; None: not read from `file` yet
    vector: Any = field(default=None, compare=False)
    content: Any = field(default=None, compare=False)  # what was read of a file that holds no vector, see `edit_files`
    asked: str = field(default="", compare=False)  # the name or path that it was found by; empty: made in memory
    digest: str = field(default="", init=False)  # sha256 of a vector that is in memory alone

    def __post_init__(self) -> None:
        if self.vector is not None:
            object.__setattr__(self, "vector", _own_vector(self.vector))
            require_rows(self.knots, self.vector.shape, self.name)
        if self.file != IN_MEMORY:
            return
        if self.vector is None and not self.channels:
            raise DirectionError("a direction needs a vector", "give vector=, or a name to stitchedit.direction()")
        if self.channels:
            object.__setattr__(self, "space", "S")
            object.__setattr__(self, "channels", checked_channels(self.channels))
        object.__setattr__(self, "knots", checked_knots(self.knots))
        held = repr(self.channels).encode() if self.vector is None else self.vector.tobytes()
        held += repr(self.knots).encode() if self.knots else b""
        digest = hashlib.sha256(repr(getattr(self.vector, "shape", "")).encode() + held).hexdigest()
        object.__setattr__(self, "digest", digest)
        object.__setattr__(self, "name", checked_name(self.name or f"direction-{digest[:6]}"))
        object.__setattr__(self, "layers", _checked_layers(self.layers))
        if not 0 <= self.fidelity <= 1:
            raise DirectionError(f"fidelity of '{self.name}' is {self.fidelity}", "give a number from 0 to 1")

    @property
    def parts(self) -> tuple[tuple[Direction, Strength], ...]:
        return ((self, 1.0),)

    def only(self, part: str) -> Direction:
        """One part of the edit alone: shape, folds, skin, hair or neck. All of them at one strength are the edit.

        Raises: ConfigError, for another part; DirectionError, where there are none: in StyleSpace, of a part.
        """
        if part not in PARTS:
            raise ConfigError(f"'{part}' is no part of an edit", f"known are {', '.join(PARTS)}")
        if self.part or self.space == "S":
            what = "is a part already" if self.part else "acts in StyleSpace"
            raise DirectionError(f"'{self.name}' {what}", f"take {', '.join(PARTS)} of a direction in W or W+")
        name = f"{self.name}.{part}"
        asked = name if self.asked == self.name else ""
        return replace(self, name=name, part=part, asked=asked, vector=self.vector, content=self.content)

    def require_whole(self) -> None:
        """Raises DirectionError, where this is a part: nothing but a picture of a clip can be taken apart."""
        if self.part:
            raise DirectionError(f"'{self.name}' is a part of an edit, not a vector", f"take '{self.whole.name}'")

    @property
    def whole(self) -> Direction:
        """The edit of which this is a part; itself, where it is none."""
        return replace(self, name=self.name.removesuffix(f".{self.part}"), part="") if self.part else self

    @property
    def label(self) -> str:
        """Its name in file names and notices: that of the file that was asked for, where one was."""
        return direction_label(self.asked or self)

    @property
    def place(self) -> str:
        """Where the vector is from, for messages."""
        return self.name if self.file == IN_MEMORY else str(self.file)

    def __str__(self) -> str:
        return self.asked or self.name

    def __repr__(self) -> str:
        return f"<Direction {self.name}: {self.unit}>"

    def as_json(self) -> dict[str, Any]:
        """Everything a machine may want to know, as plain values."""
        known = {
            key: value for key, value in asdict(self).items() if key not in ("vector", "content", "asked", "digest")
        }
        return known | {
            "file": self.file.name,
            "layers": self.layers and list(self.layers),
            "channels": [list(channel) for channel in self.channels],
            "knots": list(self.knots),
            "range": self.range and list(self.range),
            "curve": [asdict(point) for point in self.curve],
        }

    def as_toml(self) -> dict[str, Any]:
        """The table that `read_direction` reads back; what is not known is left out."""
        nothing = {"component": (None,)}  # component 0 is one
        table = {
            key: value
            for key, value in self.as_json().items()
            if value not in nothing.get(key, (None, "", [], {}, 0.0))
        }
        points = [{k: v for k, v in point.items() if v is not None} for point in table.pop("curve", [])]
        effects = table.pop("effects", {})  # tables come last in TOML
        return table | ({"effects": effects} if effects else {}) | ({"curve": points} if points else {})


def keeps_colours(direction: Direction) -> bool:
    """Whether it is known to leave skin's colour and light alone: measured effects of at most `SIDE_EFFECT` SD."""
    return all(abs(direction.effects.get(name, math.inf)) <= SIDE_EFFECT for name in ("skin", "red", "yellow", "light"))


def direction_label(direction: object) -> str:
    """The name of a direction in file names and notices, where it is still known by its name or path alone too."""
    return direction.name if isinstance(direction, Direction) and not direction.asked else file_label(str(direction))


def checked_name(name: str) -> str:
    """The name, where it can be that of files. Raises ConfigError."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}", name):
        raise ConfigError(f"'{name}' cannot be the name of a direction", "use letters, digits, '_', '.' and '-'")
    return name


def _own_vector(vector: Any) -> FloatArray:
    """A read-only float32 copy. Raises DirectionError."""
    if hasattr(vector, "detach"):  # a tensor of torch
        vector = vector.detach().to("cpu").double().numpy()
    try:
        array = np.asarray(vector)
        if array.dtype.kind not in "fiu" or not 1 <= array.size <= MAX_NUMBERS or array.ndim < 1:
            raise ValueError(f"{array.dtype.name} of shape {list(array.shape)}")
        own: FloatArray = moving_float32(array)
    except (ValueError, TypeError, Refused) as exc:
        why = str(exc) if isinstance(exc, Refused) else short_error(exc)
        raise DirectionError(f"no vector of a direction: {why}", "give real numbers, [512] or [L, 512]") from exc
    own.flags.writeable = False
    return own


def checked_channels(channels: Any) -> tuple[tuple[int, int, float], ...]:
    """Raises DirectionError, unless they are (layer, channel) or (layer, channel, SD), some thousand at most."""
    try:
        found = tuple((int(c[0]), int(c[1]), float(c[2]) if len(c) > 2 else 1.0) for c in channels)
        good = all(len(c) in (2, 3) for c in channels) and all(
            0 <= a < 1000 and 0 <= b < 100_000 and abs(sd) <= MAX_SD for a, b, sd in found
        )
    except (TypeError, ValueError, LookupError, OverflowError) as exc:
        raise DirectionError(
            f"channels are no list: {short_error(exc)}", "give such as [[6, 501], [9, 421, -0.5]]"
        ) from exc
    if not good or not 0 < len(found) <= MAX_CHANNELS:
        raise DirectionError(
            "its channels are no layers and channels, or too many", "give such as [[6, 501], [9, 421, -0.5]]"
        )
    return found


def _checked_layers(layers: Any) -> tuple[int, int] | None:
    """Raises DirectionError, unless it is None or a half-open range."""
    if layers is None:
        return None
    try:
        first, end = (int(row) for row in layers)
    except (ValueError, TypeError):
        first, end = -1, -1
    if not 0 <= first < end:
        raise DirectionError(f"layers are {layers!r}", "give the first row and the one after the last, such as (0, 8)")
    return first, end


def short_error(exc: Exception) -> str:
    """What was wrong, short: some errors carry all that was read."""
    return f"{type(exc).__name__}, {str(exc)[:200]}"
