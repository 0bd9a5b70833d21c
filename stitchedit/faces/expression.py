"""What a face does: 52 expression coefficients, and a mesh of 478 points with irises, by MediaPipe's face landmarker.

Convention: pictures are RGB uint8 [H, W, 3]; landmarks are the 68 iBUG points [68, 2] in pixels, the centre of the
first pixel at (0.5, 0.5). "Left" in a coefficient's name is the person's own left, the picture's right.
Source: the mesh and blendshape networks of `face_landmarker_v2.task` as MediaPipe publishes it (Apache-2.0; Grishchenko
et al. 2020, arXiv:2006.10962 and 2023, arXiv:2309.05782), with the list of points that its
`face_blendshapes_graph.cc` hands to the second network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from stitchedit.image.resample import Affine, apply
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.models.litert import own_interpreter
from stitchedit.types import ByteArray, FloatArray

MESH_WEIGHTS = "face_landmarks_detector_v2.tflite"
COEFFICIENT_WEIGHTS = "face_blendshapes_v2.tflite"
POINTS = 478
_INPUT_PX = 256
_GROWTH = 1.5  # of the points' longer extent: how wide the network's view is, as in MediaPipe
_LOOKS = 2  # at the face: the first one, around the 68 landmarks, finds where the second one is to look

COEFFICIENTS: tuple[str, ...] = (
    "_neutral",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
)
EXPRESSION: Mapping[str, str] = {
    "smile": "smile coefficient, mean of both sides, 0..1",
    "jaw_open": "jaw coefficient, 0 shut .. 1 wide open",
    "lids_open": "1 less the blink coefficients, plus those of wide eyes, mean of both eyes: 0 shut, 1 as usual, to 2",
    "brows_up": "coefficients of raised brows, less those of lowered ones, means, -1..1",
    "gaze_across": "eyes toward the picture's right (positive) or left, mean of both, -1..1",
    "gaze_up": "eyes up (positive) or down, mean of both, -1..1",
}
# Of the mesh's points, those that the coefficients are made from.
# fmt: off
_SEEN = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153,
    154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251,
    263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Expression:
    """One face."""

    coefficients: FloatArray  # [52] 0..1, in the order of `COEFFICIENTS`
    mesh: FloatArray  # [478, 2] pixels of the picture; the last ten are the irises
    probability: float  # that there is a face, 0..1

    def named(self) -> dict[str, float]:
        """The readings of `EXPRESSION`."""
        c = dict(zip(COEFFICIENTS, self.coefficients.astype(np.float64).tolist(), strict=True))

        def both(name: str) -> float:
            return float(c[f"{name}Left"] + c[f"{name}Right"]) / 2

        toward_right = c["eyeLookOutLeft"] + c["eyeLookInRight"]
        toward_left = c["eyeLookInLeft"] + c["eyeLookOutRight"]
        return {
            "smile": both("mouthSmile"),
            "jaw_open": c["jawOpen"],
            "lids_open": 1 - both("eyeBlink") + both("eyeWide"),
            "brows_up": (c["browInnerUp"] + both("browOuterUp")) / 2 - both("browDown"),
            "gaze_across": (toward_right - toward_left) / 2,
            "gaze_up": both("eyeLookUp") - both("eyeLookDown"),
        }


def expression(picture: ByteArray, landmarks: FloatArray) -> Expression:
    """The expression of the face with these landmarks. About 20 ms on one core.

    Raises: NotFetched or HashMismatch, when an installed file is missing or damaged.
    """
    points = np.asarray(landmarks, np.float32)
    left, right = points[36:42].mean(0), points[42:48].mean(0)
    for look in range(_LOOKS):
        view_to_picture = _view(points, left, right, 1.0 if look else 0.15)
        size = (_INPUT_PX, _INPUT_PX)
        found, probability = _mesh(_shown(picture, view_to_picture, size))
        points = apply(view_to_picture, found)
        left, right = points[[33, 133]].mean(0), points[[263, 362]].mean(0)
    network = own_interpreter(packaged_file(COEFFICIENT_WEIGHTS))
    network.set_tensor(network.get_input_details()[0]["index"], points[list(_SEEN)][None].astype(np.float32))
    network.invoke()
    coefficients: FloatArray = network.get_tensor(network.get_output_details()[0]["index"]).astype(np.float32)
    return Expression(coefficients, points, probability)


def _view(points: FloatArray, left: FloatArray, right: FloatArray, whole: float) -> Affine:
    """From the pixels of the network's view, the face upright, to those of the picture.

    whole: 1 where the points are all of the face; less where the forehead is missing, by that part of the extent.
    """
    across = (right - left) / max(float(np.hypot(*(right - left))), 1e-6)
    axes = np.array([across, (-across[1], across[0])], np.float64)  # of the view, in the picture
    own = points @ axes.T
    low, high = own.min(0).astype(np.float64), own.max(0).astype(np.float64)
    if whole < 1:
        low[1] -= 2 * whole * (high[1] - low[1])
    scale = _GROWTH * float((high - low).max()) / _INPUT_PX
    matrix = scale * axes.T
    centre = axes.T @ ((low + high) / 2)
    return np.column_stack([matrix, centre - matrix @ np.full(2, _INPUT_PX / 2)])


def _shown(picture: ByteArray, view_to_picture: Affine, size: tuple[int, int]) -> FloatArray:
    """The view, [S, S, 3] in 0..1; black outside of the picture, as MediaPipe has it."""
    shrink = float(np.hypot(*view_to_picture[:, 0]))
    soft = cv2.GaussianBlur(picture, (0, 0), 0.5 * np.sqrt(shrink**2 - 1)) if shrink > 1.05 else picture
    matrix = np.array(view_to_picture, np.float64)
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # warpAffine counts from the pixel's centre
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    view: FloatArray = cv2.warpAffine(soft, matrix, size, flags=flags).astype(np.float32) / 255
    return view


def _mesh(view: FloatArray) -> tuple[FloatArray, float]:
    """Points [478, 2] in pixels of the view [256, 256, 3] in 0..1, and the probability that there is a face."""
    network = own_interpreter(packaged_file(MESH_WEIGHTS))
    network.set_tensor(network.get_input_details()[0]["index"], view[None])
    network.invoke()
    outputs = {detail["name"]: detail["index"] for detail in network.get_output_details()}
    points: FloatArray = network.get_tensor(outputs["Identity"]).reshape(POINTS, 3)[:, :2].copy()
    logit = float(network.get_tensor(outputs["Identity_1"]).ravel()[0])
    return points, float(1 / (1 + np.exp(-logit)))
