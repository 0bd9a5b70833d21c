"""An edit taken apart: shape, folds, skin, hair and neck, each of which can be had alone, and which add up to it.

What the first rows of W+ change is the shape: bones, jaw, lids, the outline of the hair. The rest is told apart by
where it is (face, neck, the remaining head) and, in the face, by what it is: finer differences of light are folds,
everything else is skin: its colour, spots, redness and the broad light on it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import cv2
import numpy as np

from stitchedit.config import FOLDS, HAIR, NECK, SHAPE
from stitchedit.faces.mesh_topology import face_axes
from stitchedit.image.smoothing import luma, smoothstep, wide_blur
from stitchedit.masks.weight_maps import face_mask
from stitchedit.types import ByteArray, FloatArray

SHAPE_ROWS = 6  # of W+: up to 16 px and the first layer of 32 px; with two more, folds begin
FOLD_SIGMA = 1 / 12  # of the crop's side: light that changes over a wider distance is no fold's
_FADE = 1 / 100  # of the crop's side, of the border between face and hair
# A neck lies below the jaw's corners and is hardly wider than the face, in heights of the face from chin to forehead.
_JAW, _JAW_FADE, _WIDTH, _WIDTH_FADE = 0.3, 0.16, 0.62, 0.12
_SKIN_LIKE = np.array([25.0, 10.0, 12.0], np.float32)  # difference to the face in CIELAB that a neck's skin may have


class PartMasks(NamedTuple):
    """Where the parts of a head are, each float32 [S, S] in 0..1; together they are 1."""

    face: FloatArray
    neck: FloatArray
    hair: FloatArray  # and ears, and everything that is neither face nor neck


def part_masks(picture: ByteArray, mesh: FloatArray) -> PartMasks:
    """Of a crop of the source.

    Args:
        picture: RGB [S, S, 3]; mesh: points [468, 2] in crop sides.
    Raises: EmptyMask, when the face lies outside of the crop.
    """
    size = len(picture)
    sharp = face_mask(mesh, size)
    face = wide_blur(sharp, size * _FADE)
    chin, down, height = face_axes(mesh)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    from_chin: FloatArray = (np.stack([x, y], axis=-1) + np.float32(0.5)) / np.float32(size) - chin
    across = np.array([-down[1], down[0]], np.float32)
    up, aside = -(from_chin @ down) / np.float32(height), np.abs(from_chin @ across) / np.float32(height)
    near = smoothstep((_JAW - up) / _JAW_FADE) * smoothstep((_WIDTH - aside) / _WIDTH_FADE)
    neck: FloatArray = (near * _skin_like(picture, sharp) * (1 - face)).astype(np.float32)
    return PartMasks(face, neck, 1 - face - neck)


def part_change(part: str, whole: FloatArray, shape: FloatArray, masks: PartMasks) -> FloatArray:
    """What one part changes of a picture, float32 [S, S, 3].

    Args:
        part: of `config.PARTS`; whole: what the edit changes, shape: what it does by SHAPE_ROWS alone, [S, S, 3].
    """
    if part == SHAPE:
        return shape
    rest = whole - shape
    if part in (HAIR, NECK):
        return (masks.hair if part == HAIR else masks.neck)[..., None] * rest
    light = luma(rest)
    folds = masks.face[..., None] * np.repeat(light - wide_blur(light, len(light) * FOLD_SIGMA), 3, axis=-1)
    return folds if part == FOLDS else masks.face[..., None] * rest - folds


def parts_change(parts: Collection[str], whole: FloatArray, shape: FloatArray, masks: PartMasks) -> FloatArray:
    """What several parts change together: all of them the whole."""
    changes = [part_change(part, whole, shape, masks) for part in parts]
    together: FloatArray = np.sum(changes, axis=0, dtype=np.float32)
    return together


def _skin_like(picture: ByteArray, face: FloatArray) -> FloatArray:
    """How like the face's skin each pixel is, float32 [S, S] in 0..1: a collar or long hair is not."""
    lab = np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB))
    differs: FloatArray = np.square((lab - np.median(lab[face > 0.5], axis=0)) / _SKIN_LIKE).sum(axis=-1)
    like: FloatArray = np.clip(2 * wide_blur(np.exp(-differs / 2), len(picture) * _FADE), 0, 1)
    return like
