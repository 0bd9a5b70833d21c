"""How far an edit may go: within a direction's range faces stay faces, far beyond it there is none left to look at."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence

from stitchedit.editing.direction import Direction
from stitchedit.errors import ConfigError
from stitchedit.strength import Keyframes, Strength

log = logging.getLogger(__name__)

Edits = Iterable[tuple[Direction, Strength]]

FAR = 2.0  # times the range: beyond it an edit is refused, unless it is forced

# Steps that are longer than so many mean distances between a face and the mean face are refused. With the default
# generator (9.8) pictures are all black and white at 4, along `age`, `smile` and `yaw` alike; published vectors are
# used at up to 1.5, twice the range of `age` is 1.2.
FURTHEST = 3.0
_FORCE = "or --force (force=True) to see what comes of it"


def refuse_far(edits: Edits) -> None:
    """Raises ConfigError for a strength, a keyframe's among them, over twice as far as a direction's range goes."""
    for direction, strength in edits:
        low, high = direction.range or (-math.inf, math.inf)
        for value in _ends(strength):
            if not FAR * low <= value <= FAR * high:
                ends = f"{_counted(direction, FAR * low)} to {_counted(direction, FAR * high)}"
                raise ConfigError(
                    f"strength {_counted(direction, value)} of '{direction.name}' is over twice its range",
                    f"give one from {ends}, {_FORCE}",
                )


def check_range(edits: Edits, *, force: bool = False) -> None:
    """Warn of strengths outside of a direction's range, and refuse those that are far outside, unless forced.

    Raises: ConfigError, see `refuse_far`.
    """
    given = list(edits)
    if not force:
        refuse_far(given)
    for direction, strength in given:
        low, high = direction.range or (-math.inf, math.inf)
        for value in _ends(strength):
            if not low <= value <= high:
                told = (value, direction.name, low, high)
                log.warning("strength %g of '%s' is outside of %g to %g, where faces stay faces", *told)


def within_range(edits: Edits, factors: Sequence[float]) -> tuple[float, ...]:
    """Factors for an edit, those of each sign shrunk together until all strengths lie in the directions' ranges.

    Those that shrink to nothing are left out.
    """
    given = [(direction, end) for direction, strength in edits for end in _ends(strength)]
    found = []
    for factor in factors:
        sign = 1 if factor > 0 else -1
        furthest = max(sign * other for other in factors)
        room = min((_room(direction, sign * end) for direction, end in given), default=math.inf)
        found.append(factor * min(1.0, room / furthest) if factor else 0.0)
    return tuple(new for new, old in zip(found, factors, strict=True) if new or not old)


def require_near(step: float, spread: float) -> None:
    """Raises ConfigError, when codes move further than any face lies.

    Args:
        step: length of the longest step, by row of W; spread: mean distance of the generator's faces to the mean face.
    """
    if step > FURTHEST * spread:
        raise ConfigError(
            f"the edit moves the codes by {step:.3g}; the generator's faces lie {spread:.3g} from the mean face",
            f"give a smaller strength, {_FORCE}",
        )


def _ends(strength: Strength) -> tuple[float, ...]:
    """The lowest and the highest strength; one alone, where they are the same."""
    given = [key.strength for key in strength.keys] if isinstance(strength, Keyframes) else [strength]
    return tuple(sorted({min(given), max(given)}))


def _room(direction: Direction, strength: float) -> float:
    """How many times a strength goes into its side of the range."""
    if not direction.range or not strength:
        return math.inf
    return max(0.0, direction.range[strength > 0] / strength)


def _counted(direction: Direction, strength: float) -> str:
    """Such as "+20 (+200 years)"."""
    told = direction.amount and direction.measured_in == "years"
    return f"{strength:+g} ({strength * direction.amount:+g} years)" if told else f"{strength:+g}"
