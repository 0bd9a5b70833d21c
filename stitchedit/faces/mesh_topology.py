"""Outlines of a face's parts, and smooth distances to them.

A mask drawn from a distance has soft edges of any width, and moves by parts of a pixel when its outline does.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from stitchedit.types import FloatArray

# Indices into the 468 points of the face mesh (arXiv:1907.06724), each in order around its part.
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
LEFT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
RIGHT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_BROW_MIDDLE, _FOREHEAD_TOP, _CHIN = 9, 10, 152

_RAISE = 0.11  # of the height from chin to the mesh's top, which lies halfway up the forehead, to the hairline
_MOST_CELLS = 128  # a side, of the grid on which distances are taken


def face_outline(points: FloatArray) -> FloatArray:
    """Around the face from chin to hairline, [36, 2], in the units of the mesh points [468, 2]."""
    oval = points[list(OVAL)]
    axis = points[_FOREHEAD_TOP] - points[_CHIN]
    brow = float((points[_BROW_MIDDLE] - points[_CHIN]) @ axis / (axis @ axis))
    height = (oval - points[_CHIN]) @ axis / (axis @ axis)  # 0 at the chin, 1 at the mesh's top
    above = np.clip((height - brow) / max(1.0 - brow, 1e-6), 0.0, 1.0)
    raised: FloatArray = (oval + (_RAISE * np.sqrt(above))[:, None] * axis).astype(np.float32)
    return raised


def face_axes(points: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Chin [2], the direction from the forehead down to it [2], and their distance, of mesh points [468, 2]."""
    down = points[_CHIN] - points[_FOREHEAD_TOP]
    height = float(np.hypot(*down))
    return points[_CHIN], (down / np.float32(max(height, 1e-6))).astype(np.float32), height


def distance(outline: FloatArray, size: tuple[int, int]) -> FloatArray:
    """How far each pixel's centre lies outside of a closed outline, negative inside: [h, w] float32, in pixels.

    Taken exactly on a coarser grid and interpolated: off by less than a tenth of a pixel where an outline of a
    face's size passes.

    Args:
        outline: [K, 2] positions, the first pixel's centre at (0.5, 0.5).
        size: (w, h).
    """
    width, height = size
    cell = max(2.0, max(size) / _MOST_CELLS)
    columns, rows = int(np.ceil(width / cell)) + 1, int(np.ceil(height / cell)) + 1
    coarse = _exact_distance(outline.astype(np.float32), np.arange(columns) * cell, np.arange(rows) * cell)
    # Nodes lie at whole multiples of the cell; pixel centres at halves of a pixel.
    affine = np.array([[1 / cell, 0, 0.5 / cell], [0, 1 / cell, 0.5 / cell]], np.float64)
    fine: FloatArray = cv2.warpAffine(
        coarse, affine, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return fine


def inside(outlines: Sequence[FloatArray], size: tuple[int, int], ramp_px: float = 1.0) -> FloatArray:
    """Mask [h, w] float32: 1 inside of any outline, 0 from half a ramp outside, straight between."""
    nearest = np.minimum.reduce([distance(outline, size) for outline in outlines])
    mask: FloatArray = np.clip(0.5 - nearest / ramp_px, 0.0, 1.0)
    return mask


def _exact_distance(outline: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Signed distance [rows, columns] of grid nodes to a closed polygon."""
    px, py = x.astype(np.float32)[None, :], y.astype(np.float32)[:, None]
    squared = np.full((len(y), len(x)), np.inf, np.float32)
    within = np.zeros(squared.shape, bool)
    for (ax, ay), (bx, by) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        dx, dy = bx - ax, by - ay
        length = max(dx * dx + dy * dy, np.float32(1e-12))
        along = np.clip(((px - ax) * dx + (py - ay) * dy) / length, 0.0, 1.0)
        np.minimum(squared, np.square(px - ax - along * dx) + np.square(py - ay - along * dy), out=squared)
        if dy != 0:  # even-odd rule: a ray to the left meets this edge
            within ^= ((ay > py) != (by > py)) & (px > ax + (py - ay) * (dx / dy))
    far = np.sqrt(squared)
    return np.where(within, -far, far)
