"""How much each pixel of a crop counts: the face, eyes and lips."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from stitchedit.errors import EmptyMask
from stitchedit.faces.mesh_topology import LEFT_EYE, LIPS, RIGHT_EYE, face_outline
from stitchedit.image.signed_distance import distance, inside
from stitchedit.masks.region_shape import face_shape
from stitchedit.masks.stitching_masks import ring_masks
from stitchedit.types import FacePoints, FloatArray, WeightMap

_ATTENTION_MARGIN = 0.015  # of the crop's side: how far attention reaches beyond eyes and lips


def face_mask(points: FloatArray, size: int, frame: int = 0) -> FloatArray:
    """The face from hairline to chin, float32 [size, size] in 0..1, from mesh points [468, 2] in crop sides.

    Raises: EmptyMask, naming the frame, when the face lies outside of the crop.
    """
    mask = inside([face_outline(points) * size], (size, size))
    if not mask.any():
        raise EmptyMask(frame)
    return mask


def attention(points: FloatArray, size: int) -> FloatArray:
    """Eyes and lips with a soft margin, float32 [size, size] in 0..1: where tuning must look closely."""
    return _around((LEFT_EYE, RIGHT_EYE, LIPS), points, size)


def eyes_map(points: FloatArray, size: int) -> FloatArray:
    """The opening of both eyes with a soft margin, float32 [size, size] in 0..1."""
    return _around((LEFT_EYE, RIGHT_EYE), points, size)


def opening_map(points: FloatArray, size: int) -> FloatArray:
    """The same with a narrow soft margin: most of the lids, which tell people apart, lies outside."""
    return _around((LEFT_EYE, RIGHT_EYE), points, size, _ATTENTION_MARGIN / 2)


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


def look_map(points: FacePoints) -> WeightMap:
    """Where losses look: the face with its border ring, eyes and lips three times as hard, the rest hardly.

    What is outside of the mask is never pasted; the little weight there keeps the head in its place.
    """

    @lru_cache(maxsize=64)
    def weight(index: int, size: int) -> FloatArray:
        mesh = points.points[index]
        rings = ring_masks(face_shape(mesh), size)
        return (0.05 + np.maximum(rings.content, rings.border) + 2 * attention(mesh, size)).astype(np.float32)

    return weight
