"""Crops -> face masks.

Two families. The face's own masks follow the face mesh from hairline to chin, with edges that are soft and steady.
The reference's masks are arithmetic on any segmentation, for those who bring one.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Protocol

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from stitchedit import registry
from stitchedit.config import DEFAULT_LANDMARKS
from stitchedit.errors import ConfigError
from stitchedit.faces import detectors
from stitchedit.faces.alignment import to_crop
from stitchedit.image.resample import Affine, apply, warp
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.progress import Progress
from stitchedit.registry import Registry
from stitchedit.types import ByteArray, Crops, FacePoints, FloatArray, Tracks

log = logging.getLogger(__name__)

_SIGMA = 1.0  # frames, Gaussian on the mesh points
_SEEN = 0.5  # probability from which the mesh is believed
# Views of the crop that the mesh is taken from, to be averaged: shift x, y and growth, in crop sides; turn in radians.
_VIEWS = ((0.0, 0.05, 0.02, 0.0), (0.03, 0.02, -0.04, 0.08), (-0.03, 0.05, 0.06, -0.08), (0.0, 0.08, -0.02, 0.03))
_VIEW_PX = 192
_MESH_CROP_PX = 256


class LandmarkModel(Protocol):
    """Finds the face mesh in a crop [S, S, 3] that an upright face fills; the functions of `LANDMARKS`.

    Gives points [468, 2] float32 in the order of MediaPipe's face mesh, in units of the crop's side, and the
    probability 0..1 that there is a face. Its argument is left as it is.
    """

    def __call__(self, image: ByteArray, /) -> tuple[FloatArray, float]: ...


LANDMARKS: Registry[LandmarkModel] = registry.LANDMARKS


def mesh_points(
    crops: Crops,
    tracks: Tracks,
    progress: Progress,
    landmarks: str = DEFAULT_LANDMARKS,
    inner: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> FacePoints:
    """The face mesh of every crop, steady over time: smoothed within runs, without lag.

    Args:
        landmarks: the model that finds it, one of `LANDMARKS`.
        inner: left, top and side of the square that the face fills, in crop sides, see `AlignConfig.inner`.
    Raises: ConfigError, for an unknown model or one that fails.

    Where the mesh sees no face, the nearest frame's mesh (or, if there is none, an average face) is moved onto the
    frame's landmarks, and a line in the log counts such frames.
    """
    find = landmark_model(landmarks)
    points = np.zeros((len(crops.frames), detectors.MESH_POINTS, 2), np.float32)
    seen = np.zeros(len(points), bool)
    for k in range(len(points)):
        points[k], probability = find(_part(crops.images[k], inner))
        points[k] = points[k] * inner[2] + inner[:2]
        seen[k] = probability >= _SEEN
        progress("mesh", k + 1, len(points))
    marks = np.stack([to_crop(tracks.landmarks[f], q) for f, q in zip(crops.frames, crops.quads, strict=True)])
    for k in np.flatnonzero(~seen).tolist():
        if seen.any():
            others = np.flatnonzero(seen)
            near = int(others[np.abs(crops.frames[others] - crops.frames[k]).argmin()])
            points[k] = apply(_similarity(marks[near], marks[k]), points[near])
        else:
            mesh, usual = mean_face()
            points[k] = apply(_similarity(usual, marks[k]), mesh)
    if not seen.all():
        log.warning("no face mesh in %d of %d frames: their masks are estimated", (~seen).sum(), len(seen))
    for run in tracks.runs:
        points[run] = gaussian_filter1d(points[run], _SIGMA, axis=0, mode="nearest")
    return FacePoints(points)


def _part(image: ByteArray, square: tuple[float, float, float]) -> ByteArray:
    """The square (left, top, side, in crop sides) of a crop [S, S, 3]; the crop itself, where it is all of it."""
    size = image.shape[0]
    left, top, side = (round(part * size) for part in square)
    return image if side == size else np.ascontiguousarray(image[top : top + side, left : left + side])


def landmark_inputs(name: str) -> dict[str, str]:
    """What a mesh depends on for the sake of its model; nothing for the default one, so that older records hold."""
    return {} if name == DEFAULT_LANDMARKS else {"landmarks": name, "landmarks_of": LANDMARKS.origin(name)}


def landmark_model(name: str) -> LandmarkModel:
    """The model of a name, its results checked where it is a plug-in's. Raises ConfigError."""
    model, package = LANDMARKS[name], LANDMARKS.origin(name)
    if not package:
        return model

    def checked(image: ByteArray) -> tuple[FloatArray, float]:
        points, probability = model(image)
        if np.shape(points) != (detectors.MESH_POINTS, 2) or not np.isfinite(points).all() or not 0 <= probability <= 1:
            raise ConfigError(
                f"landmark model '{name}' of package {package} gives points {list(np.shape(points))} with probability "
                f"{probability}",
                f"it must give finite points [{detectors.MESH_POINTS}, 2] and a probability from 0 to 1",
            )
        return points, probability

    return checked


def crop_mesh(image: ByteArray) -> tuple[FloatArray, float]:
    """The mean mesh of several views of a crop [S, S, 3]: points [468, 2] in units of its side, and the probability.

    One view alone jitters by half as much again.
    """
    size = min(image.shape[0], _MESH_CROP_PX)
    picture = image.astype(np.float32)
    if size < image.shape[0]:  # the network sees no more
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    total = np.zeros((detectors.MESH_POINTS, 2), np.float32)
    probabilities = []
    for dx, dy, growth, turn in _VIEWS:
        scale = (1 + growth) * size / _VIEW_PX
        matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        center = np.array([0.5 + dx, 0.5 + dy]) * size
        view_to_crop = np.column_stack([matrix, center - matrix @ (_VIEW_PX / 2, _VIEW_PX / 2)])
        view = warp(picture, view_to_crop, (_VIEW_PX, _VIEW_PX), "repeat")
        found, probability = detectors.mesh(np.clip(np.rint(view), 0, 255).astype(np.uint8))
        total += apply(view_to_crop, found * _VIEW_PX) / size
        probabilities.append(probability)
    mean: FloatArray = (total / len(_VIEWS)).astype(np.float32)
    return mean, float(np.mean(probabilities))


def edited_mesh(
    image: ByteArray, landmarks: str = DEFAULT_LANDMARKS, inner: tuple[float, float, float] = (0.0, 0.0, 1.0)
) -> FloatArray | None:
    """The mesh [468, 2] of an edited crop [S, S, 3], in crop sides; None where the model sees none.

    Args: inner: as for `mesh_points`.
    """
    points, probability = landmark_model(landmarks)(_part(image, inner))
    return np.asarray(points * inner[2] + inner[:2], np.float32) if probability >= _SEEN else None


def _similarity(source: FloatArray, target: FloatArray) -> Affine:
    """The shift, turn and growth that bring points [K, 2] nearest to others, [2, 3]."""
    a, b = source.astype(np.float64), target.astype(np.float64)
    a0, b0 = a.mean(axis=0), b.mean(axis=0)
    za, zb = (a - a0) @ (1, 1j), (b - b0) @ (1, 1j)
    factor = np.vdot(za, zb) / np.vdot(za, za)
    matrix = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([matrix, b0 - matrix @ a0])


def mean_landmarks() -> FloatArray:
    """The 68 landmarks of an average face in its own crop, [68, 2] in crop sides."""
    return mean_face()[1]


@cache
def mean_face() -> tuple[FloatArray, FloatArray]:
    """Mesh [468, 2] and landmarks [68, 2] of an average face, in crop sides."""
    both: FloatArray = np.load(packaged_file("mean_face.npy"), allow_pickle=False)
    return both[: detectors.MESH_POINTS], both[detectors.MESH_POINTS :]
