"""Outlines of a face's parts, and smooth distances to them.

A mask drawn from a distance has soft edges of any width, and moves by parts of a pixel when its outline does.
"""

from __future__ import annotations

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
