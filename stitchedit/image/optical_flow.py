"""Dense optical flow between pictures, and pictures warped along it."""

from __future__ import annotations

import cv2
import numpy as np

from stitchedit.types import ByteArray, FloatArray

FLOW_SIGMA = 1 / 64  # of the crop's side: flow is smooth, wrinkles do not bend it


def flow_between(of: FloatArray, to: FloatArray) -> FloatArray:
    """[S, S, 2] pixels: where in `to` what stands in `of` is found."""
    side = of.shape[0]
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found = finder.calc(_grey(of), _grey(to), None)
    smooth: FloatArray = cv2.GaussianBlur(found, (0, 0), side * FLOW_SIGMA).astype(np.float32)
    return smooth


def warp_along(image: FloatArray, flow: FloatArray) -> FloatArray:
    side = image.shape[0]
    y, x = np.mgrid[:side, :side].astype(np.float32)
    moved = cv2.remap(image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32)


def _grey(image: FloatArray) -> ByteArray:
    as_bytes = ((image + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(as_bytes, cv2.COLOR_RGB2GRAY), np.uint8)
