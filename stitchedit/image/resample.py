"""Pictures moved between pixel grids without aliasing.

Convention: positions in pixels, x right, y down, the centre of the first pixel at (0.5, 0.5). An affine map is
float64 [2, 3] and takes a position of the result to one of the picture that is read.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from stitchedit.types import FloatArray

Affine = NDArray[np.float64]
Border = Literal["mirror", "repeat", "zero"]

BORDERS = {"mirror": cv2.BORDER_REFLECT, "repeat": cv2.BORDER_REPLICATE, "zero": cv2.BORDER_CONSTANT}
_LOBES = 4  # of the windowed sinc, as in OpenCV's Lanczos


def warp(
    picture: FloatArray, affine: Affine, size: tuple[int, int], border: Border = "mirror", *, smooth: bool = True
) -> FloatArray:
    """The picture seen on another grid, float32 [h, w, C], or [h, w] where the picture has no channels.

    Band-limited both ways: read with an eight-tap Lanczos kernel, after a low pass where the result's grid is the
    coarser one. Values overshoot at edges, as such kernels do: clip where that matters.

    Args:
        picture: float32 [H, W, C] with up to four channels, or [H, W].
        affine: result -> picture; scales alike in both directions.
        size: (w, h) of the result.
        border: what lies outside of the picture.
        smooth: False reads linearly instead, without overshoot: for masks.
    """
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    shrink = int(scale / 2)
    if shrink > 1:  # cheap first, so that the low pass stays short
        picture, affine = _area_shrunk(picture, shrink), affine / shrink
        scale /= shrink
    if scale > 1:
        taps = _lanczos(scale)
        picture = cv2.sepFilter2D(picture, -1, taps, taps, borderType=cv2.BORDER_REFLECT)
    # OpenCV counts from the middle of the first pixel.
    shifted = affine.copy()
    shifted[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5
    kernel = cv2.INTER_LANCZOS4 if smooth else cv2.INTER_LINEAR
    result: FloatArray = cv2.warpAffine(
        picture, shifted, size, flags=kernel | cv2.WARP_INVERSE_MAP, borderMode=BORDERS[border]
    )
    return result


def inverse(affine: Affine) -> Affine:
    """The map the other way."""
    return np.linalg.inv(np.vstack([affine, (0, 0, 1)]))[:2]


def apply(affine: Affine, points: FloatArray) -> FloatArray:
    """Points [..., 2] mapped; float32."""
    mapped: FloatArray = (points @ affine[:, :2].T + affine[:, 2]).astype(np.float32)
    return mapped


def _area_shrunk(picture: FloatArray, factor: int) -> FloatArray:
    height, width = picture.shape[:2]
    pad = (-height % factor, -width % factor)
    if any(pad):
        picture = cv2.copyMakeBorder(picture, 0, pad[0], 0, pad[1], cv2.BORDER_REPLICATE)
    size = (picture.shape[1] // factor, picture.shape[0] // factor)
    shrunk: FloatArray = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return shrunk


def _lanczos(scale: float) -> FloatArray:
    """Low-pass taps that keep what a grid `scale` times coarser can hold."""
    reach = int(np.ceil(_LOBES * scale))
    t = np.arange(-reach, reach + 1) / scale
    taps = np.where(np.abs(t) < _LOBES, np.sinc(t) * np.sinc(t / _LOBES), 0.0)
    normalised: FloatArray = (taps / taps.sum()).astype(np.float32)
    return normalised
