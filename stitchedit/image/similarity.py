"""Where two pictures have the same structure."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np

from stitchedit.image.smoothing import wide_blur
from stitchedit.types import ByteArray, FloatArray

Levels = TypeVar("Levels", FloatArray, ByteArray)

STRUCTURE_SIGMA = 1 / 40  # of the crop's side: coarser differences (light, colour of the skin) keep the detail
OTHER = 0.14  # difference of structure, in [-1, 1], at which half of the detail is left out


def unchanged(source: ByteArray, edited: ByteArray | FloatArray) -> FloatArray:
    """[S, S] in 0..1: how far two crops [S, S, 3] on 0..255 show the same thing, coarse light and colour apart."""
    a, b = (picture.astype(np.float32) / np.float32(127.5) for picture in (edited, source))
    return same_structure(a, b, OTHER)


def same_structure(edited: FloatArray, drawn: FloatArray, limit: float | FloatArray) -> FloatArray:
    """[S, S] in 0..1: how far both show the same thing, coarse light and colour apart; a half at the limit."""
    sigma = edited.shape[0] * STRUCTURE_SIGMA
    change = edited - drawn
    fine = largest(np.abs(change - wide_blur(change, sigma)))
    spread = wide_blur(fine, sigma / 2)
    same: FloatArray = (1 / (1 + (spread / limit) ** 2)).astype(np.float32)
    return same


def largest(picture: Levels) -> Levels:
    """The largest of each pixel's three channels, [S, S, 3] -> [S, S]; NumPy's own `max` takes ten times as long."""
    red, green, blue = cv2.split(picture)
    most: Levels = cv2.max(cv2.max(red, green), blue)
    return most
