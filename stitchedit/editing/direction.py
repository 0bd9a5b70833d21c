"""Edit directions as data: where they are, what they do, for which generator. No torch: listing stays quick.

A direction is two files: `NAME.toml` says what it does (`directions/README.md` lists the keys), the file beside it
holds the vector. Its vector is read and applied in `edit.py`.
"""

from __future__ import annotations

import difflib
import logging
import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from stitchedit.errors import DirectionError, UnknownDirection
from stitchedit.registry import Registry

log = logging.getLogger(__name__)

MAX_TOML_BYTES = 1 << 20
MAX_POINTS = 1000  # of a curve
SIDE_EFFECT = 0.3  # SD, the aim: no other attribute moves more at strength 1


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What one strength does, median over people. None: not measured."""

    strength: float
    change: float | None = None  # of the direction's attribute, in `measured_in`
    identity_distance: float | None = None  # of dlib's embedding
    faces: float | None = None  # share of people in whom the detector still sees a face, 0..1


@dataclass(frozen=True, slots=True)
class Direction:
    """One way to change a face."""

    name: str
    file: Path  # the vector, or the data of a function
    kind: str = "vector"  # vector, or function: the step depends on the clip and the seed
    space: str = "W"  # W or W+
    layers: tuple[int, int] | None = None  # half-open range of W+ rows that move; None: all
    fidelity: float = 1.0  # how much of the clip's tuning the edit wants; see EditConfig.fidelity
    made_for: str = ""  # generator that it was learned on; empty where nothing says so
    unit: str = "strength 1.0 adds the stored vector once"
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
    effects: Mapping[str, float] = field(default_factory=dict)  # change at strength 1, in SD of 2,000 samples
    curve: tuple[CurvePoint, ...] = ()  # by strength, ascending

    def as_json(self) -> dict[str, Any]:
        """Everything a machine may want to know, as plain values."""
        return asdict(self) | {
            "file": self.file.name,
            "layers": self.layers and list(self.layers),
            "range": self.range and list(self.range),
            "curve": [asdict(point) for point in self.curve],
        }

    def as_toml(self) -> dict[str, Any]:
        """The table that `read_direction` reads back; what is not known is left out."""
        table = {key: value for key, value in self.as_json().items() if value not in (None, "", [], {}, 0.0)}
        points = [{k: v for k, v in point.items() if v is not None} for point in table.pop("curve", [])]
        effects = table.pop("effects", {})  # tables come last in TOML
        return table | ({"effects": effects} if effects else {}) | ({"curve": points} if points else {})


def keeps_colours(direction: Direction) -> bool:
    """Whether it is known to leave skin's colour and light alone: measured effects of at most `SIDE_EFFECT` SD."""
    return all(abs(direction.effects.get(name, math.inf)) <= SIDE_EFFECT for name in ("skin", "red", "yellow", "light"))


def list_directions() -> list[Direction]:
    """The directions that come with stitchedit, by name, and those of plug-ins; what is broken is told in the log."""
    found = [read_direction(DIRECTIONS[name]) for name in DIRECTIONS.own]
    for name in (n for n in DIRECTIONS if n not in DIRECTIONS.own):
        try:
            found.append(_known(name))
        except DirectionError as exc:
            log.warning("%s: %s", exc, exc.hint)
    return found


def own_folder() -> Path:
    """Where the directions that come with stitchedit lie."""
    return Path(str(resources.files("stitchedit"))) / "directions"


# The TOML of each: those of the folder `directions`, and those that an entry point names, `module:NAME.toml`.
DIRECTIONS: Registry[Path] = Registry(
    "direction",
    "directions",
    lambda: {path.stem: path for path in sorted(own_folder().glob("*.toml"))},
    holds="pathlib:Path",
    error=DirectionError,
)


def _known(name: str) -> Direction:
    found = read_direction(DIRECTIONS[name])
    if found.name != name:
        raise DirectionError(
            f"direction '{name}' of package {DIRECTIONS.origin(name)} calls itself '{found.name}'",
            "its entry point and its TOML must give the same name; tell the package's author",
        )
    return found


def find_direction(name: str | Path) -> Direction:
    """A direction by its name in `DIRECTIONS`, its `.toml`, or a bare vector file (.npy, .pt, .safetensors).

    Raises: UnknownDirection, with the nearest names; DirectionError, when it is damaged.
    """
    if str(name) in DIRECTIONS:
        return _known(str(name))
    path = Path(name).expanduser()
    if not path.is_file():
        raise UnknownDirection(str(name), difflib.get_close_matches(str(name), DIRECTIONS), list(DIRECTIONS))
    if path.suffix == ".toml":
        return read_direction(path)
    log.info("%s does not say which generator it was made for: the result may be anything", path)
    return Direction(name=path.stem, file=path, source=str(path))


def years_a_strength() -> float:
    """How many years strength 1 of `age` is, by the age predictor."""
    return find_direction("age").amount


def read_direction(path: Path) -> Direction:
    """Read one `NAME.toml`. Raises DirectionError where it is not as the README of directions says."""
    try:
        if path.stat().st_size > MAX_TOML_BYTES:
            raise ValueError(f"more than {MAX_TOML_BYTES} bytes")
        direction = _parse(tomllib.loads(path.read_text(encoding="utf-8")), path)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as exc:
        raise DirectionError(
            f"{path} is no direction: {_said(exc)}", "see stitchedit/directions/age.toml for one"
        ) from exc
    if direction.kind not in ("vector", "function") or direction.space not in ("W", "W+"):
        raise DirectionError(
            f"{path} asks for kind '{direction.kind}' in space '{direction.space}'",
            "known are the kinds vector and function, the spaces W and W+",
        )
    if direction.kind == "function" and path.parent != own_folder():
        raise DirectionError(f"{path} asks for a function", "only stitchedit's own directions do: give a vector")
    if not all(map(math.isfinite, _numbers(direction))) or not 0 <= direction.fidelity <= 1:
        raise DirectionError(f"{path} holds numbers out of their range", "fidelity is 0..1, the others are finite")
    return direction


def _parse(table: Mapping[str, Any], path: Path) -> Direction:
    if (name := str(table["file"])) in ("", ".", "..") or not set(name).isdisjoint("/\\\0"):
        raise ValueError("its file must lie beside it")
    layers, span = table.get("layers"), table.get("range")
    points = table.get("curve", [])
    if len(points) > MAX_POINTS:
        raise ValueError(f"its curve has more than {MAX_POINTS} points")
    return Direction(
        name=str(table["name"]),
        file=path.parent / name,
        kind=str(table.get("kind", "vector")),
        space=str(table["space"]),
        layers=(int(layers[0]), int(layers[1])) if layers else None,
        fidelity=float(table.get("fidelity", 1.0)),
        made_for=str(table["made_for"]),
        unit=str(table["unit"]),
        range=(float(span[0]), float(span[1])) if span else None,
        sha256=str(table.get("sha256", "")),
        source=str(table.get("source", "")),
        licence=str(table.get("licence", "")),
        attribute=str(table.get("attribute", "")),
        amount=float(table.get("amount", 0.0)),
        measured_in=str(table.get("measured_in", "")),
        held_out_r=_optional(table, "held_out_r"),
        checked_on=str(table.get("checked_on", "")),
        identity_distance=_optional(table, "identity_distance"),
        effects={str(key): float(value) for key, value in table.get("effects", {}).items()},
        curve=tuple(_point(point) for point in points),
    )


def _point(table: Mapping[str, Any]) -> CurvePoint:
    measured = (_optional(table, key) for key in ("change", "identity_distance", "faces"))
    return CurvePoint(float(table["strength"]), *measured)


def _optional(table: Mapping[str, Any], key: str) -> float | None:
    return float(table[key]) if key in table else None


def _numbers(direction: Direction) -> list[float]:
    """All that must be finite."""
    points = [v for p in direction.curve for v in (p.strength, p.change, p.identity_distance, p.faces)]
    told = [direction.held_out_r, direction.identity_distance, *(direction.range or ()), *points]
    return [direction.fidelity, direction.amount, *direction.effects.values(), *(v for v in told if v is not None)]


def _said(exc: Exception) -> str:
    """What was wrong, short: some errors carry all that was read."""
    return f"{type(exc).__name__}, {str(exc)[:200]}"
