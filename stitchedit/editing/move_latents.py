"""Latents -> EditedLatents: one fixed step in the latent space for the whole clip.

A direction of kind "vector" adds its vector to the codes or, in StyleSpace, to the styles; one with knots bends. One of
kind "function" works its step out of the clip and the seed, a network out of each code.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stitchedit.editing.bent_step import way
from stitchedit.editing.direction import Direction
from stitchedit.editing.direction_catalogue import find_direction
from stitchedit.editing.identity_change import FUNCTIONS, read_arrays
from stitchedit.errors import ConfigError, DirectionError, HashMismatch, OtherGenerator, Refused, WrongShape
from stitchedit.types import EditedLatents, FloatArray, Latents, PartMove

if TYPE_CHECKING:
    from stitchedit.editing.edit_files import EditFile

log = logging.getLogger(__name__)


class LatentSpace(Protocol):
    """What an edit asks of a generator: any `stitchedit.models.generator.Generator` will do."""

    @property
    def made_for(self) -> str: ...
    @property
    def num_ws(self) -> int: ...
    @property
    def w_dim(self) -> int: ...


def edit(
    latents: Latents,
    edits: Sequence[tuple[str | Direction, float | NDArray[np.float64]]],
    space: LatentSpace,
    *,
    seed: int = 0,
    force: bool = False,
) -> EditedLatents:
    """Move every pivot of the clip by the sum of the asked steps; the same vectors for all frames.

    Args:
        latents: the pivots, ws [N, L, w_dim].
        edits: (direction, its name or its file; strength) pairs; they add up. Strength 0 changes nothing. A strength is
            one number, or [N] of them, one for each pivot.
        space: the generator that the pivots belong to.
        seed: chooses the person of `identity`.
        force: use directions of another generator all the same.
    Returns: ws [N, L, w_dim]; L stays 1 as long as every layer moves alike, else it is num_ws. And the offsets of the
        styles, where an edit is one of StyleSpace; and the codes of edits of which a part is wanted.
    Raises: ConfigError for a strength that is no number; UnknownDirection; OtherGenerator; WrongShape; HashMismatch.
    """
    ws = np.asarray(latents.ws, np.float32)
    total = np.zeros((1, 1, space.w_dim), np.float64)  # [1 or N, 1 or num_ws, w_dim]
    offsets: NDArray[np.float64] | None = None  # [1 or N, S]
    steps: list[tuple[str, NDArray[np.float64]]] = []  # of parts
    for name, strength in edits:
        if not np.isfinite(strength).all():
            raise ConfigError(f"strength of '{name}' is {strength}", "give a finite number, such as 1.5 or -2")
        direction = load_direction(name if isinstance(name, Direction) else find_direction(name))
        check_made_for(direction, space, force)
        if in_style_space(direction, space):
            moved = np.reshape(strength, (-1, 1)) * load_offset(direction, space).astype(np.float64)
            offsets = moved if offsets is None else offsets + moved
            continue
        step = load_move(direction, latents, space, strength, seed)
        if direction.part:
            steps.append((direction.part, step))
        else:
            total = total + step
    if total.shape[1] > ws.shape[1]:
        ws = np.broadcast_to(ws, (ws.shape[0], total.shape[1], ws.shape[2]))
    edited = (ws + total.astype(np.float32)).astype(np.float32)
    applied = tuple((str(name), strength) for name, strength in edits)
    rows = (len(ws), space.num_ws, space.w_dim)
    parts = tuple(PartMove(part, np.broadcast_to(edited + step, rows).astype(np.float32)) for part, step in steps)
    return EditedLatents(edited, applied, None if offsets is None else offsets.astype(np.float32), parts)


def load_direction(direction: Direction) -> Direction:
    """The direction with its file read and the file's hash compared, once: what has been read is returned as it is.

    Raises: HashMismatch, DirectionError, and what reading a bare vector file raises.
    """
    if direction.vector is not None or direction.content is not None:
        return direction
    if direction.kind == "function":
        if direction.whole.name not in FUNCTIONS:
            raise DirectionError(f"this stitchedit cannot work out '{direction.name}'", "update stitchedit")
        _checked_arrays(direction.file, direction.sha256)
        return direction
    if direction.channels and not direction.statistics:
        return direction
    from stitchedit.editing.edit_files import read_edit

    file = Path(direction.statistics) if direction.channels else direction.file
    _check_hash(file, direction.sha256)
    found = read_edit(file)
    log.log(logging.DEBUG if direction.made_for else logging.INFO, "%s holds %s", file, found.said)
    return _taken(direction, found)


def _taken(direction: Direction, found: EditFile) -> Direction:
    """The direction with what it means of a file. Raises DirectionError, where the file does not hold that."""
    from stitchedit.editing.edit_files import ChannelRelevance, Components, StyleStatistics, Vector

    if direction.channels and not isinstance(found, StyleStatistics):
        raise DirectionError(f"{direction.statistics} holds {found.said}", "`statistics` names an S_mean_std")
    if isinstance(found, StyleStatistics) and not direction.channels:
        raise DirectionError(
            f"{direction.file} holds {found.said}, no edit", "name it as `statistics` in a TOML with `channels`"
        )
    if isinstance(found, ChannelRelevance):
        raise DirectionError(
            f"{direction.file} holds {found.said}", "say which way with --from 'face' --to 'face with a beard'"
        )
    if not isinstance(found, Components):
        if direction.component is not None:
            raise DirectionError(f"{direction.file} holds {found.said}, no components", "leave its number out")
        return replace(direction, **({"vector": found.numbers} if isinstance(found, Vector) else {"content": found}))
    if direction.component is None:
        raise DirectionError(
            f"{direction.file} holds {found.said}",
            f"say which one, and on which rows of W+: {direction.file.name}#10 or {direction.file.name}#10:0:8",
        )
    if direction.absolute and found.mean is None:
        raise DirectionError(f"{direction.file} holds no mean of W", "leave `absolute` out: its edits are steps")
    try:
        vector = found.vector(direction.component)
    except Refused as exc:
        raise DirectionError(f"{direction.file}: {exc}", "choose one of them") from exc
    return replace(direction, vector=vector, content=found if direction.absolute else None)


def in_style_space(direction: Direction, space: LatentSpace) -> bool:
    """Whether a direction that was read moves styles: it says so, or its vector is as long as the StyleSpace alone is.

    A list of channels, or one vector of all of them.
    """
    if direction.space == "S" or direction.channels:
        return True
    if direction.vector is None or direction.kind == "function" or direction.knots:
        return False
    size = direction.vector.size
    if (size % space.w_dim == 0 and size // space.w_dim <= space.num_ws) or not hasattr(space, "style_layers"):
        return False
    from stitchedit.editing.style_space import lengths, style_space

    return size in lengths(style_space(space, direction.name))


def load_offset(direction: Direction, space: LatentSpace) -> FloatArray:
    """What strength 1 adds to the styles, all layers one after another: [S]. Raises DirectionError."""
    from stitchedit.editing.style_space import offset_of_channels, offset_of_vector, style_space

    direction = load_direction(direction)
    opened = style_space(space, direction.name)
    if direction.channels:
        return offset_of_channels(direction.channels, opened, direction.content, direction.place)
    return offset_of_vector(direction.vector, opened, direction.place)


def _starting_point(direction: Direction, latents: Latents) -> float:
    """From where a strength counts: 0; or, of an absolute edit, the clip's mean coordinate along its component."""
    if not direction.absolute or direction.content is None or direction.component is None:
        return 0.0
    mean = np.asarray(latents.ws[:, 0], np.float32).mean(axis=0)
    return float(direction.content.coordinate(direction.component, mean))


def _network_step(direction: Direction, latents: Latents, space: LatentSpace) -> NDArray[np.float64]:
    """What a network adds to each pivot, [N, num_ws, w_dim]. Raises DirectionError, when it is another generator's."""
    network = direction.content
    if network.w_dim != space.w_dim or network.num_ws not in (0, space.num_ws):
        rows = network.num_ws or "any number of"
        raise DirectionError(
            f"{direction.place} holds {network.said} for {rows} rows of {network.w_dim}",
            f"this generator has {space.num_ws} rows of {space.w_dim}: take one that was trained for it",
        )
    ws = np.asarray(latents.ws, np.float32)
    step: NDArray[np.float64] = network.step(np.repeat(ws, space.num_ws // ws.shape[1], axis=1)).astype(np.float64)
    return step


def load_move(
    direction: Direction,
    latents: Latents,
    space: LatentSpace,
    strength: float | NDArray[np.float64],
    seed: int = 0,
) -> NDArray[np.float64]:
    """What a strength, or one for each pivot, adds to the pivots: [1 or N, 1 or num_ws, w_dim].

    As far as it goes along its `load_step`; one with knots bends. Raises: what `load_step` raises.
    """
    direction = load_direction(direction)
    if direction.knots:
        return way(_slopes(direction, space), direction.knots, strength)[:, None]
    step = load_step(direction, latents, space, seed)
    return np.asarray((np.reshape(strength, (-1, 1, 1)) - _starting_point(direction, latents)) * step, np.float64)


def load_step(direction: Direction, latents: Latents, space: LatentSpace, seed: int = 0) -> NDArray[np.float64]:
    """What strength 1 adds to the pivots: [1, w_dim] where all layers move alike, else [num_ws, w_dim].

    Of a network it is [N, num_ws, w_dim]. Not of an edit in StyleSpace: see `load_offset`; and of other strengths only
    where the direction does not bend: see `load_move`.

    Raises: WrongShape, and what `load_direction` raises.
    """
    direction = load_direction(direction)
    if direction.kind == "function":
        arrays = _checked_arrays(direction.file, direction.sha256)
        step = FUNCTIONS[direction.whole.name](arrays, latents, seed)[None]
    elif direction.vector is None:
        step = _network_step(direction, latents, space)
    elif direction.knots:
        step = way(_slopes(direction, space), direction.knots, 1.0)
    else:
        from stitchedit.editing.vector_files import shape_direction

        vector = _same_rows(direction.vector, direction.layers, space.num_ws)
        vector = shape_direction(vector, space.num_ws, space.w_dim, direction.place)
        step = np.atleast_2d(np.asarray(vector)).astype(np.float64)
    if step.shape[-2:] not in {(1, space.w_dim), (space.num_ws, space.w_dim)}:
        raise WrongShape(direction.place, step.shape, space.num_ws, space.w_dim)
    if not np.isfinite(step).all():
        raise DirectionError(f"{direction.place} holds values that are no numbers", "make the vector again")
    if direction.layers not in (None, (0, space.num_ws)):
        first, end = direction.layers
        moved = np.zeros((space.num_ws, 1))
        moved[first:end] = 1.0
        step = step * moved
    return step


def _slopes(direction: Direction, space: LatentSpace) -> NDArray[np.float64]:
    """Of a direction that bends and was read: [K, w_dim]. Raises WrongShape, DirectionError."""
    slopes = np.asarray(direction.vector, np.float64)
    if slopes.shape[-1] != space.w_dim:
        raise WrongShape(direction.place, slopes.shape, space.num_ws, space.w_dim)
    if not np.isfinite(slopes).all():
        raise DirectionError(f"{direction.place} holds values that are no numbers", "make the vector again")
    return slopes


def _same_rows(vector: FloatArray, layers: tuple[int, int] | None, num_ws: int) -> FloatArray:
    """A vector of a generator of the same W but another size, [K, w_dim], with rows for this one, [num_ws, w_dim].

    Row k is that of the same resolution in both; those that only one of them has do not move. Only where the direction
    says that its rows are K: a bare vector of another length is another generator's.
    """
    if vector.ndim != 2 or layers != (0, len(vector)) or len(vector) == num_ws:
        return vector
    rows = np.zeros((num_ws, vector.shape[1]), vector.dtype)
    rows[: len(vector)] = vector[:num_ws]
    return rows


def check_made_for(direction: Direction, space: LatentSpace, force: bool) -> None:
    """Raises OtherGenerator, unless the direction is this generator's, does not say whose it is, or `force` is set."""
    if direction.made_for and direction.made_for != space.made_for:
        if not force:
            raise OtherGenerator(direction.name, direction.made_for, space.made_for)
        log.warning("direction '%s' was made for generator '%s'", direction.name, direction.made_for)


@cache
def _checked_arrays(path: Path, sha256: str) -> dict[str, NDArray[Any]]:
    """What the file of a direction of kind "function" holds; only stitchedit's own are such."""
    _check_hash(path, sha256)
    return read_arrays(path)


def _check_hash(path: Path, sha256: str) -> None:
    """Raises HashMismatch, where a hash is known and another is found."""
    if sha256:
        found = _sha256(path)
        if found != sha256:
            raise HashMismatch(path, sha256, found)


def _sha256(path: Path) -> str:
    from stitchedit.stylegan2.files import map_file

    try:
        return hashlib.sha256(map_file(path)).hexdigest()
    except Refused as exc:
        raise DirectionError(f"cannot read {path}: {exc}", "install stitchedit, or the direction, again") from exc
