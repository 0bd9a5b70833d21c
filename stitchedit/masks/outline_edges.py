"""Where a shape ends at an edge of the picture itself, as a head before its background does, and where skin goes on.

Around a face it is told by direction as seen from its middle, around other shapes by place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stitchedit.config import REFERENCE_PX
from stitchedit.image.smoothing import smoothstep
from stitchedit.masks.region_shape import Shape
from stitchedit.types import ByteArray, FloatArray

DIRECTIONS = 72  # around the middle of the face, every 5 degrees, from the crop's +x axis toward +y
GRID = 64  # places, a side of the crop
PX = 256  # a side, at which pictures are compared
_EDGE = (10.0, 25.0)  # step in colour from inside to outside, on 0..255, at which an edge begins and is one
_TURN_SIGMA = 1.5  # directions, of the smoothing around the face
_PLACE_SIGMA = 6.0  # pixels, of the smoothing along the border of other shapes

# Mean of values [PX, PX] over the pixels chosen [PX, PX]: [DIRECTIONS], or [GRID, GRID]
Around = Callable[[FloatArray, NDArray[np.bool_]], FloatArray]


def edge_at_outline(picture: ByteArray, shape: Shape, border_px: float) -> FloatArray:
    """How far the picture [S, S, 3] has an edge where the shape ends, in 0..1: [DIRECTIONS] or [GRID, GRID].

    Args:
        border_px: how far from the outline is looked, in pixels of a 1024 px crop.
    """
    seen, far = compared(picture), shape.distance(PX)
    ring = border_px * PX / REFERENCE_PX
    mean = around(shape)
    outside, inside = (far > 0) & (far < ring), (far < -1) & (far > -ring)
    steps = [np.abs(mean(seen[..., c], outside) - mean(seen[..., c], inside)) for c in range(3)]
    return rise(np.stack(steps).mean(axis=0), *_EDGE)


def compared(picture: ByteArray | FloatArray) -> FloatArray:
    """A picture [S, S, 3] at the size at which pictures are compared, float32."""
    seen: FloatArray = cv2.resize(picture, (PX, PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    return seen


def around(shape: Shape) -> Around:
    """How values near the shape's outline are told."""
    return _by_direction(shape.center) if shape.field is None and shape.within is None else _by_place


def told_at(values: FloatArray, place: FloatArray, center: FloatArray) -> FloatArray:
    """Such values at places [..., 2] in crop sides.

    Args:
        center: the middle of the shape [2], from which directions are counted.
    """
    if values.ndim == 2:
        x, y = np.moveaxis(place.astype(np.float32) * len(values) - np.float32(0.5), -1, 0)
        on_grid: FloatArray = cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return on_grid
    found = np.interp(direction(place, center), np.arange(DIRECTIONS + 1), np.append(values, values[0]))
    told: FloatArray = found.astype(np.float32)
    return told


def direction(place: FloatArray, center: FloatArray) -> FloatArray:
    """The direction of places [..., 2] in crop sides as seen from a middle [2], in 0..DIRECTIONS."""
    x, y = np.moveaxis(place - center, -1, 0)
    turn: FloatArray = (np.arctan2(y, x) / (2 * np.pi) % 1.0 * DIRECTIONS).astype(np.float32)
    return turn


def pixel_places(size: int) -> FloatArray:
    """The centres of a crop's pixels, [size, size, 2] in its sides."""
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1)
    places: FloatArray = ((grid + 0.5) / size).astype(np.float32)
    return places


def rise(values: FloatArray, low: float, high: float) -> FloatArray:
    """0 up to `low`, 1 from `high` on, and smooth between."""
    return smoothstep((values - low) / (high - low))


def _by_direction(center: FloatArray) -> Around:
    bins = np.rint(direction(pixel_places(PX), center)).astype(int) % DIRECTIONS

    def mean(values: FloatArray, where: NDArray[np.bool_]) -> FloatArray:
        total = np.bincount(bins[where], values[where], DIRECTIONS)
        count = np.bincount(bins[where], minlength=DIRECTIONS)
        smooth: FloatArray = (_turned(total) / np.maximum(_turned(count), 1e-6)).astype(np.float32)
        return smooth

    return mean


def _by_place(values: FloatArray, where: NDArray[np.bool_]) -> FloatArray:
    """On the grid, 0 where none of the pixels is near."""
    chosen = where.astype(np.float32)
    total, count = (cv2.GaussianBlur(v, (0, 0), _PLACE_SIGMA) for v in (values.astype(np.float32) * chosen, chosen))
    local = total / np.maximum(count, 1e-4)
    smooth: FloatArray = cv2.resize(local, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return smooth


def _turned(values: NDArray[Any]) -> FloatArray:
    smooth: FloatArray = gaussian_filter1d(values.astype(np.float32), _TURN_SIGMA, mode="wrap")
    return smooth
