"""What stitching tuning looks at: the border ring and the content inside of it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stitchedit.config import BORDER_PX, REFERENCE_PX
from stitchedit.errors import EmptyMask
from stitchedit.image.smoothing import smoothstep
from stitchedit.masks.outline_edges import edge_at_outline, pixel_places, told_at
from stitchedit.masks.region_shape import Shape
from stitchedit.types import ByteArray, FloatArray

_CUT_OFF = 2.0  # widths of the ring from the crop's edge, from which on an outline is one
_NARROWER = 0.01  # of the crop's side: what an edited face may be smaller without notice, as meshes are no surer


def ring_masks(
    shape: Shape,
    size: int,
    border_px: float = BORDER_PX,
    frame: int = 0,
    edited: Shape | None = None,
    source: ByteArray | None = None,
) -> RingMasks:
    """What stitching tuning looks at, float32 [size, size] in 0..1 each.

    The border is a ring around the shape, and where the shape reaches the crop's edge, a strip along that edge.

    Args:
        shape: what is edited.
        border_px: width of ring and strip in pixels of a 1024 px crop.
        edited: that of the edited face. What lies in the old shape and outside of the new one is border too:
            there the edited picture shows its background, which must not get into the clip.
        source: the crop [S, S, 3] before; what it has of edges at the shape's outline is `RingMasks.edge`.
    Raises: EmptyMask, when the shape lies outside of the crop.
    """
    far = shape.distance(size)
    width = border_px * size / REFERENCE_PX
    whole = face = np.clip(0.5 - far, 0.0, 1.0)
    if not face.any():
        raise EmptyMask(frame)
    full = np.clip(0.5 + width - far, 0.0, 1.0)
    if edited is not None:
        room = _NARROWER if edited.field is None else 0.0
        face = np.minimum(face, np.clip(0.5 + room * size - edited.distance(size), 0, 1))
    border = np.maximum(full - face, np.minimum(edge_strip(size, round(width)), full))
    edge = None
    if source is not None:
        edge = told_at(edge_at_outline(source, shape, border_px), pixel_places(size), shape.center)
        edge *= smoothstep(to_edge(size) / (_CUT_OFF * max(width, 1.0)))  # a head that the crop cuts off goes on there
    return RingMasks(border, np.minimum(face, 1.0 - border), whole - face, edge)


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
    return (to_edge(size) < width).astype(np.float32)


def to_edge(size: int) -> FloatArray:
    """How far each pixel's centre lies from the edge of a square picture, float32 [size, size]."""
    one = np.minimum(np.arange(size), np.arange(size)[::-1]) + np.float32(0.5)
    return np.minimum(one, one[:, None]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class RingMasks:
    """The masks of one crop, float32 [S, S] in [0, 1]."""

    border: FloatArray
    content: FloatArray
    left: FloatArray | None = None  # of the border, what lies in the old face and outside of the edited one; None: 0
    edge: FloatArray | None = None  # how far the source has an edge where the face ends, near there; None: 0
