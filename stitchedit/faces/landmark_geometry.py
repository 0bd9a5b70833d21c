"""What landmarks alone tell of a face: pose, mouth, eyes and brows.

Convention: landmarks are the 68 iBUG points [68, 2] in pixels, the centre of the first pixel at (0.5, 0.5). Lengths are
in units of the distance between the eyes' centres, angles in degrees. "Right" and "left" are those of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stitchedit.types import FloatArray

# A generic adult face in millimetres: x right, y down, z toward the camera; origin between the eyes. Round numbers
# after common anthropometric means; only points that hold still when the face speaks or smiles.
_RIGID_POINTS = (36, 39, 42, 45, 27, 30, 31, 33, 35)
_RIGID_FACE = (
    (-44.0, 0.0, -10.0),
    (-16.0, 1.0, 0.0),
    (16.0, 1.0, 0.0),
    (44.0, 0.0, -10.0),
    (0.0, -2.0, 9.0),
    (0.0, 37.0, 29.0),
    (-15.0, 46.0, 9.0),
    (0.0, 50.0, 16.0),
    (15.0, 46.0, 9.0),
)

GEOMETRY: Mapping[str, str] = {
    "yaw": "degrees, face turned toward the picture's right is positive",
    "pitch": "degrees, face turned down is positive",
    "roll": "degrees, clockwise is positive",
    "mouth_open": "eye distances between the inner lips",
    "mouth_width": "eye distances between the mouth's corners",
    "mouth_curve": "eye distances that the mouth's corners stand above its middle",
    "eyes_open": "eye distances between the lids, mean of both eyes",
    "brow_height": "eye distances from the eyes' centres up to the brows",
}


def geometry(landmarks: FloatArray) -> dict[str, float]:
    """Pose and expression from landmarks alone; keys and units are `GEOMETRY`."""
    points = np.asarray(landmarks, np.float64)
    right_eye, left_eye = points[42:48].mean(0), points[36:42].mean(0)
    across = right_eye - left_eye
    unit = float(np.hypot(*across))
    across = across / unit
    down = np.array([-across[1], across[0]])

    def gap(*pairs: tuple[int, int]) -> float:
        return float(np.mean([np.hypot(*(points[a] - points[b])) for a, b in pairs])) / unit

    def drop(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float((a - b) @ down) / unit

    yaw, pitch, roll = head_pose(landmarks)
    mouth_middle = (points[[51, 62]].mean(0) + points[[57, 66]].mean(0)) / 2
    return {
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "mouth_open": gap((61, 67), (62, 66), (63, 65)),
        "mouth_width": gap((48, 54)),
        "mouth_curve": drop(mouth_middle, points[[48, 54]].mean(0)),
        "eyes_open": gap((37, 41), (38, 40), (43, 47), (44, 46)),
        "brow_height": drop((right_eye + left_eye) / 2, points[17:27].mean(0)),
    }


def head_pose(landmarks: FloatArray) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees: a generic face fitted to eyes and nose under weak perspective.

    A proxy that is good for differences: the face's own shape shifts the zero of pitch by some degrees.
    """
    model = np.asarray(_RIGID_FACE)
    seen = np.asarray(landmarks, np.float64)[list(_RIGID_POINTS)]
    affine, *_ = np.linalg.lstsq(model - model.mean(0), seen - seen.mean(0), rcond=None)  # [3, 2]
    rows = affine.T / np.linalg.norm(affine, axis=0).mean()
    full = np.vstack([rows, np.cross(rows[0], rows[1])])
    u, _, vt = np.linalg.svd(full)
    rotation = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    yaw = np.degrees(np.arctan2(rotation[0, 2], rotation[2, 2]))
    pitch = np.degrees(np.arcsin(np.clip(rotation[1, 2], -1.0, 1.0)))
    roll = np.degrees(np.arctan2(rotation[1, 0], rotation[0, 0]))
    return float(yaw), float(pitch), float(roll)
