"""Dense optical flow between pictures, and pictures warped along it.

Convention: a flow is float32 [H, W, 2], (x, y) in pixels: where in the other picture a pixel of this one is found,
relative to its own place. Places are float32 [H, W, 2] as well, absolute; the first pixel's centre is (0, 0).
"""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np

from stitchedit.image.resample import BORDERS, Border
from stitchedit.types import ByteArray, FloatArray

Picture = TypeVar("Picture", FloatArray, ByteArray)
FLOW_SIGMA = 1 / 64  # of the crop's side: flow is smooth, wrinkles do not bend it


def dense_flow(here: ByteArray, there: ByteArray) -> FloatArray:
    """The flow from one grey picture [H, W] to another of the same size. OpenCV DIS, medium preset."""
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(finder.calc(here, there, None), np.float32)


def smooth_flow(here: FloatArray, there: FloatArray) -> FloatArray:
    """The flow from one picture [S, S, 3] in [-1, 1] to another, smoothed by FLOW_SIGMA."""
    flow = cv2.GaussianBlur(dense_flow(_grey(here), _grey(there)), (0, 0), here.shape[0] * FLOW_SIGMA)
    return np.asarray(flow, np.float32)


def places_along(flow: FloatArray) -> FloatArray:
    """Where in the other picture each pixel is found."""
    height, width = flow.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x + flow[..., 0], y + flow[..., 1]], axis=-1)


def sample(picture: Picture, places: FloatArray, border: Border = "mirror", *, cubic: bool = False) -> Picture:
    """A picture [h, w] or [h, w, C] read at places [H, W, 2], linearly or by a cubic; of its own type."""
    kernel = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    taken: Picture = cv2.remap(picture, places[..., 0], places[..., 1], kernel, borderMode=BORDERS[border])
    return taken


def _grey(image: FloatArray) -> ByteArray:
    as_bytes = ((image + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(as_bytes, cv2.COLOR_RGB2GRAY), np.uint8)
