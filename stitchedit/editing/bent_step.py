"""Steps that bend: what moves an attribute least is another one for a child than for somebody of seventy.

A direction that bends tells its slope, what a unit of strength adds there, at some strengths. Between these the slope
changes evenly, beyond the last it stays; a strength adds all slopes from 0 up to it. So the way is smooth, the same for
every clip, and as fast as the slopes say. Two slopes, one at a strength below 0 and one above, make a way on which
getting younger is more than getting older backwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stitchedit.errors import DirectionError

Floats = NDArray[np.float64]

MAX_KNOTS = 64


def slope_weights(knots: Sequence[float], strengths: Floats) -> Floats:
    """How much each slope counts at some strengths: [N, K], rows add up to 1.

    Args:
        knots: [K] strengths whose slopes are known, ascending.
    """
    each: Floats = np.stack([np.interp(strengths, knots, row) for row in np.eye(len(knots))], axis=-1)
    return each


def way_weights(knots: Sequence[float], strengths: Floats) -> Floats:
    """How much of each slope has been added on the way from 0 to some strengths: [N, K], rows add up to the strength.

    Exact: between two knots weights change evenly, so that the mean of both ends is that of the piece.
    """
    found = np.empty((len(strengths), len(knots)))
    for row, strength in zip(found, strengths, strict=True):
        inner = [knot for knot in knots if min(0, strength) < knot < max(0, strength)]
        ends = np.array([min(0, strength), *inner, max(0, strength)])
        weights = slope_weights(knots, ends)
        row[:] = np.sign(strength) * (np.diff(ends)[:, None] * (weights[1:] + weights[:-1]) / 2).sum(axis=0)
    return found


def way(slopes: Floats, knots: Sequence[float], strength: float | Floats) -> Floats:
    """What strengths add to w: [N, w_dim], N = 1 for a number.

    Args:
        slopes: [K, w_dim] what a unit of strength adds at each knot.
    """
    given = np.atleast_1d(np.asarray(strength, np.float64))
    different, where = np.unique(given, return_inverse=True)  # a clip of an hour has few
    moved: Floats = way_weights(knots, different)[where] @ slopes
    return moved


def checked_knots(knots: Any) -> tuple[float, ...]:
    """Strengths, ascending; none, where a direction is straight. Raises DirectionError, where they are no such."""
    try:
        found = tuple(float(knot) for knot in knots)
    except (TypeError, ValueError, OverflowError):
        found = (np.nan,)
    if found and not (1 < len(found) <= MAX_KNOTS and np.isfinite(found).all() and (np.diff(found) > 0).all()):
        raise DirectionError(
            f"knots are {str(knots)[:200]}", f"give 2 to {MAX_KNOTS} rising strengths, such as [-1, 1]"
        )
    return found


def require_rows(knots: Sequence[float], shape: Sequence[int], name: str) -> None:
    """Raises DirectionError, where a direction has knots and its vector not a row of w_dim for each."""
    if knots and tuple(shape[:-1]) != (len(knots),):
        raise DirectionError(
            f"'{name}' has {len(knots)} knots and a vector of shape {list(shape)}", "give a row of w_dim for each knot"
        )
