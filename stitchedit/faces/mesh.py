"""Crops -> face masks.

Two families. The face's own masks follow the face mesh from hairline to chin, with edges that are soft and steady.
The reference's masks are arithmetic on any segmentation, for those who bring one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from stitchedit.editing.stitching_tuning import RingMasks
from stitchedit.errors import EmptyMask
from stitchedit.faces import detectors
from stitchedit.faces.alignment import to_crop
from stitchedit.faces.mesh_topology import LEFT_EYE, LIPS, RIGHT_EYE, distance, face_outline, inside
from stitchedit.image.resample import Affine, apply, warp
from stitchedit.masks.region_shape import Shape
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.progress import Progress
from stitchedit.types import ByteArray, Crops, FacePoints, FloatArray, Tracks

log = logging.getLogger(__name__)

_SIGMA = 1.0  # frames, Gaussian on the mesh points
_SEEN = 0.5  # probability from which the mesh is believed
# Views of the crop that the mesh is taken from, to be averaged: shift x, y and growth, in crop sides; turn in radians.
_VIEWS = ((0.0, 0.05, 0.02, 0.0), (0.03, 0.02, -0.04, 0.08), (-0.03, 0.05, 0.06, -0.08), (0.0, 0.08, -0.02, 0.03))
_VIEW_PX = 192
_MESH_CROP_PX = 256
_ATTENTION_MARGIN = 0.015  # of the crop's side: how far attention reaches beyond eyes and lips
_NARROWER = 0.01  # of the crop's side: what an edited face may be smaller without notice, as meshes are no surer
_REFERENCE_PX = 1024  # crops at which border_px is given


def mesh_points(crops: Crops, tracks: Tracks, progress: Progress) -> FacePoints:
    """The face mesh of every crop, steady over time: smoothed within runs, without lag.

    Where the mesh sees no face, the nearest frame's mesh (or, if there is none, an average face) is moved onto the
    frame's landmarks, and a line in the log counts such frames.
    """
    points = np.zeros((len(crops.frames), detectors.MESH_POINTS, 2), np.float32)
    seen = np.zeros(len(points), bool)
    for k in range(len(points)):
        points[k], probability = crop_mesh(crops.images[k])
        seen[k] = probability >= _SEEN
        progress("mesh", k + 1, len(points))
    landmarks = np.stack([to_crop(tracks.landmarks[f], q) for f, q in zip(crops.frames, crops.quads, strict=True)])
    for k in np.flatnonzero(~seen).tolist():
        if seen.any():
            others = np.flatnonzero(seen)
            near = int(others[np.abs(crops.frames[others] - crops.frames[k]).argmin()])
            points[k] = apply(_similarity(landmarks[near], landmarks[k]), points[near])
        else:
            mesh, marks = _mean_face()
            points[k] = apply(_similarity(marks, landmarks[k]), mesh)
    if not seen.all():
        log.warning("no face mesh in %d of %d frames: their masks are estimated", (~seen).sum(), len(seen))
    for run in tracks.runs:
        points[run] = gaussian_filter1d(points[run], _SIGMA, axis=0, mode="nearest")
    return FacePoints(points)


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


def face_mask(points: FloatArray, size: int, frame: int = 0) -> FloatArray:
    """The face from hairline to chin, float32 [size, size] in 0..1, from mesh points [468, 2] in crop sides.

    Raises: EmptyMask, naming the frame, when the face lies outside of the crop.
    """
    mask = inside([face_outline(points) * size], (size, size))
    if not mask.any():
        raise EmptyMask(frame)
    return mask


def ring_masks(
    shape: Shape, size: int, border_px: float = 50.0, frame: int = 0, edited: Shape | None = None
) -> RingMasks:
    """What stitching tuning looks at, float32 [size, size] in 0..1 each.

    The border is a ring around the shape, and where the shape reaches the crop's edge, a strip along that edge.

    Args:
        shape: what is edited.
        border_px: width of ring and strip in pixels of a 1024 px crop.
        edited: that of the edited face. What lies in the old shape and outside of the new one is border too:
            there the edited picture shows its background, which must not get into the clip.
    Raises: EmptyMask, when the shape lies outside of the crop.
    """
    far = shape.distance(size)
    width = border_px * size / _REFERENCE_PX
    face = np.clip(0.5 - far, 0.0, 1.0)
    if not face.any():
        raise EmptyMask(frame)
    full = np.clip(0.5 + width - far, 0.0, 1.0)
    if edited is not None:
        face = np.minimum(face, np.clip(0.5 + _NARROWER * size - edited.distance(size), 0, 1))
    border = np.maximum(full - face, np.minimum(edge_strip(size, round(width)), full))
    return RingMasks(border, np.minimum(face, 1.0 - border))


def edited_mesh(image: ByteArray) -> FloatArray | None:
    """The mesh [468, 2] of an edited crop [S, S, 3], in crop sides; None where none is seen."""
    points, probability = crop_mesh(image)
    return points if probability >= _SEEN else None


def attention(points: FloatArray, size: int) -> FloatArray:
    """Eyes and lips with a soft margin, float32 [size, size] in 0..1: where tuning must look closely."""
    return _around((LEFT_EYE, RIGHT_EYE, LIPS), points, size)


def eyes_map(points: FloatArray, size: int) -> FloatArray:
    """The opening of both eyes with a soft margin, float32 [size, size] in 0..1."""
    return _around((LEFT_EYE, RIGHT_EYE), points, size)


def lips_map(points: FloatArray, size: int) -> FloatArray:
    """The lips and what is between them with a narrow soft margin, float32 [size, size] in 0..1."""
    return _around((LIPS,), points, size, _ATTENTION_MARGIN / 2)


def _around(
    outlines: Sequence[tuple[int, ...]], points: FloatArray, size: int, margin: float = 2 * _ATTENTION_MARGIN
) -> FloatArray:
    parts = [points[list(outline)] * size for outline in outlines]
    nearest = np.minimum.reduce([distance(part, (size, size)) for part in parts])
    weight: FloatArray = np.clip(1.0 - nearest / (margin * size), 0.0, 1.0)
    return weight


def reference_masks(
    mask: FloatArray, border: int, inner: int = 0, outer: int = 50, *, whole: bool = False
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Content, border and full mask [H, W] as the reference makes them of a segmentation [H, W] in 0..1.

    Args:
        border: pixels of the strip along the picture's edge that counts as border.
        inner: pixels by which the segmentation grows before its border is taken; outer: width of the border.
        whole: everything outside of the segmentation is border.
    Source: Tzaban et al. 2022, arXiv:2201.08361. It works at 512 px with half the pixels that its options name.
    """
    grown = dilate(mask, inner)
    full = dilate(grown, outer)
    ring = 1 - grown if whole else full - grown
    edge = np.maximum(np.minimum(edge_strip(mask.shape[0], border), grown), ring)
    return np.clip(mask - edge, 0.0, 1.0), edge, full


def dilate(mask: FloatArray, reach: int) -> FloatArray:
    """Each pixel [H, W] becomes the largest in the square `reach` pixels around it."""
    if reach == 0:
        return mask
    length = 2 * reach + 1
    rows = cv2.dilate(mask, np.ones((1, length), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    grown: FloatArray = cv2.dilate(rows, np.ones((length, 1), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return grown


def edge_strip(size: int, width: int) -> FloatArray:
    """1 within `width` pixels of a square picture's edge, else 0; float32 [size, size]."""
    strip = np.ones((size, size), np.float32)
    strip[width : size - width, width : size - width] = 0
    return strip


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
    return _mean_face()[1]


@cache
def _mean_face() -> tuple[FloatArray, FloatArray]:
    """Mesh [468, 2] and landmarks [68, 2] of an average face, in crop sides."""
    both: FloatArray = np.load(packaged_file("mean_face.npy"), allow_pickle=False)
    return both[: detectors.MESH_POINTS], both[detectors.MESH_POINTS :]
