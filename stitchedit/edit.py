"""Latents -> EditedLatents: one fixed step in the latent space for the whole clip.

A direction is data: `directions/NAME.toml` says what it does, `NAME.npy` is the vector. A direction of kind "function"
works its vector out of the clip and the seed; `identity` is the one there is. No torch here: listing stays quick.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stitchedit.data import EditedLatents, Latents
from stitchedit.errors import ConfigError, DirectionError, HashMismatch, OtherGenerator, UnknownDirection, WrongShape

log = logging.getLogger(__name__)

MAX_TOML_BYTES = 1 << 20


class LatentSpace(Protocol):
    """What an edit asks of a generator: any `stitchedit.generator.Generator` will do."""

    @property
    def made_for(self) -> str: ...
    @property
    def num_ws(self) -> int: ...
    @property
    def w_dim(self) -> int: ...


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
    effects: Mapping[str, float] = field(default_factory=dict)  # change at strength 1, in SD of 2,000 samples

    def as_json(self) -> dict[str, Any]:
        """Everything a machine may want to know, as plain values."""
        return asdict(self) | {"file": self.file.name, "layers": self.layers and list(self.layers)}


def list_directions() -> list[Direction]:
    """The directions that come with stitchedit, by name."""
    return [read_direction(path) for path in sorted(_own_folder().glob("*.toml"))]


def _own_folder() -> Path:
    return Path(str(resources.files("stitchedit"))) / "directions"


def find_direction(name: str | Path) -> Direction:
    """A direction by its name, its `.toml`, or a bare vector file (.npy, .pt, .safetensors).

    Raises: UnknownDirection, with the nearest names.
    """
    known = {direction.name: direction for direction in list_directions()}
    if str(name) in known:
        return known[str(name)]
    path = Path(name).expanduser()
    if not path.is_file():
        raise UnknownDirection(str(name), difflib.get_close_matches(str(name), known), list(known))
    if path.suffix == ".toml":
        return read_direction(path)
    log.info("%s does not say which generator it was made for: the result may be anything", path)
    return Direction(name=path.stem, file=path, source=str(path))


def read_direction(path: Path) -> Direction:
    """Read one `directions/NAME.toml`. Raises DirectionError where it is not as the README of directions says."""
    try:
        if path.stat().st_size > MAX_TOML_BYTES:
            raise ValueError(f"more than {MAX_TOML_BYTES} bytes")
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        if (name := str(table["file"])) in ("", ".", "..") or not set(name).isdisjoint("/\\\0"):
            raise ValueError("its file must lie beside it")
        layers, span = table.get("layers"), table.get("range")
        direction = Direction(
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
            effects={str(key): float(value) for key, value in table.get("effects", {}).items()},
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as exc:
        raise DirectionError(
            f"{path} is no direction: {_said(exc)}", "see stitchedit/directions/age.toml for one"
        ) from exc
    if direction.kind not in ("vector", "function") or direction.space not in ("W", "W+"):
        raise DirectionError(
            f"{path} asks for kind '{direction.kind}' in space '{direction.space}'",
            "known are the kinds vector and function, the spaces W and W+",
        )
    if direction.kind == "function" and path.parent != _own_folder():
        raise DirectionError(f"{path} asks for a function", "only stitchedit's own directions do: give a vector")
    numbers = (direction.fidelity, *(direction.range or ()), *direction.effects.values())
    if not all(map(math.isfinite, numbers)) or not 0 <= direction.fidelity <= 1:
        raise DirectionError(f"{path} holds numbers out of their range", "fidelity is 0..1, the others are finite")
    return direction


def _said(exc: Exception) -> str:
    """What was wrong, short: some errors carry all that was read."""
    return f"{type(exc).__name__}, {str(exc)[:200]}"


def edit(
    latents: Latents,
    edits: Sequence[tuple[str, float | NDArray[np.float64]]],
    space: LatentSpace,
    *,
    seed: int = 0,
    force: bool = False,
) -> EditedLatents:
    """Move every pivot of the clip by the sum of the asked steps; the same vectors for all frames.

    Args:
        latents: the pivots, ws [N, L, w_dim].
        edits: (direction name or file, strength) pairs; they add up. Strength 0 changes nothing. A strength is one
            number, or [N] of them, one for each pivot.
        space: the generator that the pivots belong to.
        seed: chooses the person of `identity`.
        force: use directions of another generator all the same.
    Returns: ws [N, L, w_dim]; L stays 1 as long as every layer moves alike, else it is num_ws.
    Raises: ConfigError for a strength that is no number; UnknownDirection; OtherGenerator; WrongShape; HashMismatch.
    """
    ws = np.asarray(latents.ws, np.float32)
    total = np.zeros((1, 1, space.w_dim), np.float64)  # [1 or N, 1 or num_ws, w_dim]
    for name, strength in edits:
        if not np.isfinite(strength).all():
            raise ConfigError(f"strength of '{name}' is {strength}", "give a finite number, such as 1.5 or -2")
        direction = find_direction(name)
        _check_fit(direction, strength, space, force)
        step = load_step(direction, latents, space, seed)
        total = total + np.reshape(strength, (-1, 1, 1)) * step
    if total.shape[1] > ws.shape[1]:
        ws = np.broadcast_to(ws, (ws.shape[0], total.shape[1], ws.shape[2]))
    edited = (ws + total.astype(np.float32)).astype(np.float32)
    return EditedLatents(ws=edited, edits=tuple((str(name), strength) for name, strength in edits))


def load_step(direction: Direction, latents: Latents, space: LatentSpace, seed: int = 0) -> NDArray[np.float64]:
    """What strength 1 adds to the pivots: [1, w_dim] where all layers move alike, else [num_ws, w_dim].

    Raises: WrongShape, HashMismatch, DirectionError, and what reading a bare vector file raises.
    """
    _check_hash(direction)
    if direction.kind == "function":
        if direction.name not in FUNCTIONS:
            raise DirectionError(f"this stitchedit cannot work out '{direction.name}'", "update stitchedit")
        step = FUNCTIONS[direction.name](_arrays(direction.file), latents, seed)[None]
    else:
        from stitchedit.vectors import read_vector, shape_direction

        vector = shape_direction(read_vector(direction.file), space.num_ws, space.w_dim, direction.file)
        step = np.atleast_2d(np.asarray(vector)).astype(np.float64)
    if step.shape not in {(1, space.w_dim), (space.num_ws, space.w_dim)}:
        raise WrongShape(direction.file, step.shape, space.num_ws, space.w_dim)
    if not np.isfinite(step).all():
        raise DirectionError(f"{direction.file} holds values that are no numbers", "make the vector again")
    if direction.layers not in (None, (0, space.num_ws)):
        first, end = direction.layers
        moved = np.zeros((space.num_ws, 1))
        moved[first:end] = 1.0
        step = step * moved
    return step


def identity_step(data: Mapping[str, NDArray[Any]], latents: Latents, seed: int) -> NDArray[np.float64]:
    """The step from the clip's person to one who does not exist, [w_dim].

    The seed draws three mixtures of two stored people; the one who is reached most easily is taken. The whole way to
    that person's code would bring hat and background along. Gone is only the likeliest step that leads toward the same
    linear reading of the identity embedding, just far enough, with pose, expression, age, gender, skin and light as
    the clip has them.

    Args:
        data: persons [P, w_dim] and their mean [w_dim]; embed [E, w_dim], the linear reading of the embedding;
            lead [w_dim, E], the step for its change; cost [E, E], that step's squared Mahalanobis length;
            enough [], how far the reading is to change; aside [w_dim], added always, against glasses.
            See `stitchedit.learn.likeness`.
        latents: the clip's pivots.
        seed: any integer.
    """
    here = np.asarray(latents.ws, np.float64).mean((0, 1))
    persons, mean = data["persons"].astype(np.float64), data["mean"].astype(np.float64)
    embed, lead = data["embed"].astype(np.float64), data["lead"].astype(np.float64)
    cost, enough = data["cost"].astype(np.float64), float(data["enough"])
    rng = np.random.default_rng([seed & 0xFFFFFFFF, 0x1D])
    steps, lengths = [], []
    for _ in range(3):
        first, second = rng.choice(len(persons), 2, replace=False)
        # Two deviations at right angles mix to a third of the same spread: the weights' squares sum to one.
        person = mean + 0.8 * (persons[first] - mean) + 0.6 * (persons[second] - mean)
        change = embed @ (person - here)
        step = lead @ change
        scale = enough / max(float(np.linalg.norm(embed @ step)), 1e-6)
        steps.append(scale * step)
        lengths.append(scale * float(np.sqrt(change @ cost @ change)))
    best = int(np.argmin(lengths))
    log.debug("identity: Mahalanobis lengths %s, took %d", np.round(lengths, 1), best)
    chosen: NDArray[np.float64] = steps[best] + data["aside"].astype(np.float64)
    return chosen


FUNCTIONS: dict[str, Callable[[Mapping[str, NDArray[Any]], Latents, int], NDArray[np.float64]]] = {
    "identity": identity_step
}


def _check_fit(direction: Direction, strength: float | NDArray[np.float64], space: LatentSpace, force: bool) -> None:
    if direction.made_for and direction.made_for != space.made_for:
        if not force:
            raise OtherGenerator(direction.name, direction.made_for, space.made_for)
        log.warning("direction '%s' was made for generator '%s'", direction.name, direction.made_for)
    if direction.range:
        low, high = direction.range
        for value in {float(np.min(strength)), float(np.max(strength))}:
            if not low <= value <= high:
                log.warning(
                    "strength %g of '%s' is outside %g..%g, where faces stay faces", value, direction.name, low, high
                )


def _check_hash(direction: Direction) -> None:
    if direction.sha256:
        found = _sha256(direction.file)
        if found != direction.sha256:
            raise HashMismatch(direction.file, direction.sha256, found)


def _sha256(path: Path) -> str:
    from stitchedit.stylegan2.files import map_file
    from stitchedit.stylegan2.unpickle import Refused

    try:
        return hashlib.sha256(map_file(path)).hexdigest()
    except Refused as exc:
        raise DirectionError(f"cannot read {path}: {exc}", "install stitchedit, or the direction, again") from exc


@cache
def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError) as exc:
        raise DirectionError(f"cannot read {path}: {exc}", "install stitchedit again") from exc
