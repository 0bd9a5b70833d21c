"""Smooth ramps, what of colour is light, and means that respect the edges of a picture."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from stitchedit.types import FloatArray

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
ENOUGH = 5.0  # pixels of sigma: a blur of more is done in a smaller picture


def smoothstep(t: FloatArray) -> FloatArray:
    """The cubic that rises from 0 at t <= 0 to 1 at t >= 1 with level ends, float32, of t's shape."""
    t = np.clip(t, 0.0, 1.0)
    smooth: FloatArray = (t * t * (3.0 - 2.0 * t)).astype(np.float32)
    return smooth


def luma(picture: FloatArray) -> FloatArray:
    """[.., 1], what of RGB [.., 3], or of a change of it, is light. Source: ITU-R BT.601."""
    light: FloatArray = (picture @ _LUMA)[..., None]
    return light


def wide_blur(picture: FloatArray, sigma: float) -> FloatArray:
    """A square picture [S, S] or [S, S, C] averaged by a Gaussian of `sigma` pixels.

    Wide ones are worked out in a picture that is smaller by a power of two: what comes out differs by less than
    half a hundredth of the range of white noise, hardly at all for a photo, and takes a tenth of the time.
    """
    size, times = len(picture), 1
    while sigma / (2 * times) >= ENOUGH and size % (2 * times) == 0:
        times *= 2
    if times > 1:
        small = cv2.resize(picture, (size // times, size // times), interpolation=cv2.INTER_AREA)
        # A small picture's edge pixels stand for many: mirrored with them, it goes on as the large one does.
        small = cv2.GaussianBlur(small, (0, 0), sigma / times, borderType=cv2.BORDER_REFLECT)
        blurred = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
    else:
        blurred = cv2.GaussianBlur(picture, (0, 0), sigma)
    mean: FloatArray = blurred.reshape(picture.shape)
    return mean


def guided_filter(
    guide: FloatArray, values: FloatArray, mean: Callable[[FloatArray], FloatArray], edge: float
) -> FloatArray:
    """Values smoothed, but not across the guide's edges: near every pixel a linear function of the guide.

    Args:
        guide: brightness [H, W] or [H, W, 1]; values: [H, W] or [H, W, C].
        mean: averages a picture of either shape over the neighbourhood of each pixel.
        edge: variance of the guide from which on an edge counts as one, in its unit squared.
    Source: He et al. 2013, doi:10.1109/TPAMI.2012.213.
    """
    of_guide, of_values = mean(guide), mean(values)
    slope = (mean(guide * values) - of_guide * of_values) / (mean(guide * guide) - np.square(of_guide) + edge)
    filtered: FloatArray = mean(slope) * guide + mean(of_values - slope * of_guide)
    return filtered
