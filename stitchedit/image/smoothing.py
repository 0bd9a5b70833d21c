"""Smooth ramps, and means that respect the edges of a picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stitchedit.types import FloatArray


def smoothstep(t: FloatArray) -> FloatArray:
    """The cubic that rises from 0 at t <= 0 to 1 at t >= 1 with level ends, float32, of t's shape."""
    t = np.clip(t, 0.0, 1.0)
    smooth: FloatArray = (t * t * (3.0 - 2.0 * t)).astype(np.float32)
    return smooth


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
