"""What an edit is asked for, as one list of directions with their strengths, however it was written down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from stitchedit.config import united
from stitchedit.editing.direction import Combinable, Direction, keeps_colours
from stitchedit.editing.direction_catalogue import find_direction, own_regions
from stitchedit.editing.move_latents import load_direction
from stitchedit.errors import ConfigError
from stitchedit.strength import Keyframes, Strength, checked_number
from stitchedit.types import NamedDirection

Edits = tuple[tuple[Direction, Strength], ...]
Asked = Combinable | str | Path | tuple[str | Path | NamedDirection, Strength]


def load_edits(edits: Asked | Iterable[Asked]) -> Edits:
    """The directions with their strengths, every vector read; those that are read already are taken as they are.

    Args:
        edits: a direction (strength 1), a sum of directions times strengths, the name or file of a direction, or a
            sequence of such and of (direction or its name, strength) pairs; they add up.
    Raises: ConfigError, for what is none of these; UnknownDirection, DirectionError, HashMismatch.
    """
    given = [edits] if isinstance(edits, Combinable | str | Path) else edits
    if not isinstance(given, Iterable):
        raise ConfigError(f"{given!r} is no edit", "give a direction times a strength, such as 2 * age")
    return tuple((load_direction(direction), strength) for one in given for direction, strength in _parts(one))


def chosen_regions(edits: Edits, regions: str | Sequence[str] | None) -> tuple[str, ...]:
    """What may change, as `config.united` gives it; None: what the directions need. Raises ConfigError."""
    if regions is None:
        return own_regions(direction for direction, _ in edits)
    return united([regions] if isinstance(regions, str) else regions)


def joint_fidelity(edits: Edits) -> float:
    """How much of the clip's tuning they want together, 0..1: the least of those that do anything."""
    return min((direction.fidelity for direction, strength in edits if strength), default=1.0)


class OwnLook(NamedTuple):
    """What of the source's look an edit is not to change."""

    colours: bool = True  # of skin and lips, and the light on them
    eyes: bool = True  # lids and all; else their colours alone


def own_look(edits: Edits) -> OwnLook:
    """What all that do anything leave alone: colours where that was measured, eyes unless they are what is edited."""
    acting = [direction for direction, strength in edits if strength]
    return OwnLook(all(map(keeps_colours, acting)), all(direction.region != "eyes" for direction in acting))


def _parts(one: object) -> Edits:
    """One item of the list. Raises ConfigError, UnknownDirection, DirectionError."""
    if isinstance(one, Combinable):
        return one.parts
    if isinstance(one, str | Path):
        return ((find_direction(one), 1.0),)
    if isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], Direction | str | Path):
        direction = one[0] if isinstance(one[0], Direction) else find_direction(one[0])
        return ((direction, one[1] if isinstance(one[1], Keyframes) else checked_number(one[1])),)
    raise ConfigError(f"{one!r} is no edit", "give a direction times a strength, such as 2 * age")
