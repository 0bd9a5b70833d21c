"""Dense optical flow between pictures, and pictures warped along it.

Convention: a flow is float32 [H, W, 2], (x, y) in pixels: where in the other picture a pixel of this one is found,
relative to its own place. Places are float32 [H, W, 2] as well, absolute; the first pixel's centre is (0, 0).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np

from stitchedit.image.resample import BORDERS, Border
from stitchedit.types import ByteArray, FloatArray

Picture = TypeVar("Picture", FloatArray, ByteArray)
FLOW_SIGMA = 1 / 64  # of the crop's side: flow is smooth, wrinkles do not bend it
TURNS = 3  # by which a flow of some ten pixels that bends as faces do is turned round to a hundredth of one
SMOOTH_PX = 256  # such flow is found in pictures of this size at most


def dense_flow(here: ByteArray, there: ByteArray) -> FloatArray:
    """The flow from one grey picture [H, W] to another of the same size. OpenCV DIS, medium preset."""
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(finder.calc(here, there, None), np.float32)


def turned_round(flow: FloatArray) -> FloatArray:
    """The flow back, from the other picture to this one: each pixel's, by where it came from.

    Off where one of the pictures shows what the other hides; else nearer than what finding it anew would differ by.
    """
    back = -flow
    for _ in range(TURNS):
        back = -sample(flow, places_along(back))
    return back


def smooth_flow(here: FloatArray, there: FloatArray) -> FloatArray:
    """The flow from one picture [S, S, 3] in [-1, 1] to another, smoothed by FLOW_SIGMA."""
    size = here.shape[0]
    small = min(size, SMOOTH_PX)
    flow = dense_flow(*(cv2.resize(_grey(p), (small, small), interpolation=cv2.INTER_AREA) for p in (here, there)))
    flow = cv2.GaussianBlur(flow, (0, 0), small * FLOW_SIGMA) * np.float32(size / small)
    return np.asarray(cv2.resize(flow, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def places_along(flow: FloatArray) -> FloatArray:
    """Where in the other picture each pixel is found."""
    places: FloatArray = flow + _own_places(*flow.shape[:2])
    return places


@lru_cache(maxsize=2)
def _own_places(height: int, width: int) -> FloatArray:
    """Every pixel's own place, [height, width, 2]; not to be written to."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x, y], axis=-1)


def sample(picture: Picture, places: FloatArray, border: Border = "mirror", *, cubic: bool = False) -> Picture:
    """A picture [h, w] or [h, w, C] read at places [H, W, 2], linearly or by a cubic; of its own type."""
    kernel = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    taken: Picture = cv2.remap(picture, places[..., 0], places[..., 1], kernel, borderMode=BORDERS[border])
    return taken


def _grey(image: FloatArray) -> ByteArray:
    as_bytes = ((image + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(as_bytes, cv2.COLOR_RGB2GRAY), np.uint8)
