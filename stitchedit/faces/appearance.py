"""What pixels at a face's landmarks tell: skin, light, gaze, glasses.

Convention: pictures are RGB uint8 [H, W, 3]; landmarks are the 68 iBUG points [68, 2] in pixels of that picture, the
centre of the first pixel at (0.5, 0.5). "Right" and "left" are those of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from stitchedit.types import ByteArray, FloatArray

APPEARANCE: Mapping[str, str] = {
    "skin": "mean lightness (CIE L*, 0..100) of cheeks and nose",
    "light": "lightness of the right cheek minus the left one (CIE L*)",
    "red": "mean a* (CIE) of cheeks and nose: red against green",
    "yellow": "mean b* (CIE) of cheeks and nose: yellow against blue",
    "gaze": "eye widths, dark centre of the eyes toward the picture's right, mean of both",
    "glasses": "log contrast of edges across the nose's bridge and below the eyes",
}


def appearance(picture: ByteArray, landmarks: FloatArray) -> dict[str, float]:
    """Skin, light, gaze and a glasses score, all from pixels; keys and units are `APPEARANCE`."""
    face, points = _upright(picture, landmarks)
    lab = cv2.cvtColor(face.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)

    def patch(centre: NDArray[np.float64], radius: int = 7) -> NDArray[np.float32]:
        x, y = (round(float(v)) for v in centre)
        cut: NDArray[np.float32] = lab[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]
        return cut.reshape(-1, 3).mean(0) if cut.size else np.full(3, np.nan, np.float32)

    left = patch((points[[40, 41]].mean(0) + points[[48, 31]].mean(0)) / 2)
    right = patch((points[[46, 47]].mean(0) + points[[54, 35]].mean(0)) / 2)
    skin = (left + right + patch(points[29], 5)) / 3

    grey = cv2.GaussianBlur(lab[..., 0], (0, 0), 1.0)
    bridge = points[[39, 42]].mean(0)
    x, y = round(float(bridge[0])), round(float(bridge[1]))
    bar = grey[max(y - 14, 0) : y + 14, x - 6 : x + 6].mean(1)
    rims = [np.abs(np.diff(grey[round(v) + 6 : round(v) + 34, round(u) - 4 : round(u) + 4].mean(1))).max(initial=0.0)
            for u, v in (points[36:42].mean(0), points[42:48].mean(0))]  # fmt: skip
    contrast = np.abs(np.diff(bar)).max(initial=0.0) + float(np.mean(rims))
    return {
        "skin": float(skin[0]),
        "light": float(right[0] - left[0]),
        "red": float(skin[1]),
        "yellow": float(skin[2]),
        "gaze": float(np.mean([_dark_centre(lab[..., 0], points[a : a + 6]) for a in (36, 42)])),
        "glasses": float(np.log(contrast + 0.5)),
    }


def _upright(picture: ByteArray, landmarks: FloatArray) -> tuple[ByteArray, NDArray[np.float64]]:
    """The face turned upright with its eyes 64 px apart in a 200 px square, and the landmarks there."""
    points = np.asarray(landmarks, np.float64)
    left, right = points[36:42].mean(0), points[42:48].mean(0)
    across = right - left
    scale = 64 / float(np.hypot(*across))
    cos, sin = across / np.hypot(*across) * scale
    turn = np.array([[cos, sin], [-sin, cos]])
    shift = np.array([100.0, 80.0]) - turn @ ((left + right) / 2)
    soft = cv2.GaussianBlur(picture, (0, 0), 0.5 * np.sqrt(1 / scale**2 - 1)) if scale < 0.95 else picture
    offset = shift + turn @ np.array([0.5, 0.5]) - 0.5  # warpAffine counts from the pixel's centre
    face: ByteArray = cv2.warpAffine(
        soft, np.column_stack([turn, offset]), (200, 200), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return face, points @ turn.T + shift


def _dark_centre(lightness: NDArray[np.float32], eye: NDArray[np.float64]) -> float:
    """How far the dark of an eye lies from the middle of its corners, in eye widths along the eye."""
    mask = np.zeros(lightness.shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(eye * 16).astype(np.int32)], 1, shift=4)
    ys, xs = np.nonzero(mask)
    if len(xs) < 8:
        return 0.0  # a shut eye has no gaze
    values = lightness[ys, xs]
    dark = np.clip(np.median(values) - values, 0.0, None) ** 2
    if dark.sum() <= 0:
        return 0.0
    along = eye[3] - eye[0]
    middle = (eye[3] + eye[0]) / 2
    at = np.stack([xs, ys], 1) + 0.5 - middle
    return float((dark @ (at @ along)) / dark.sum() / (along @ along))
