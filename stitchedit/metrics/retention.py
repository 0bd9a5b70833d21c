"""How much of what the generator changes is seen in the video, and how much it changes that it should not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np

from stitchedit.types import FloatArray

# Sizes in pixels of the crop: what a Gaussian of the first sigma leaves and one of the second takes away.
BANDS: Mapping[str, tuple[float, float]] = {"0 to 2 px": (0.0, 2.0), "2 to 8 px": (2.0, 8.0), "8 to 32 px": (8.0, 32.0)}


@dataclass
class Retention:
    """Adds up frame after frame; `of_band` tells."""

    _found: dict[str, float] = field(default_factory=lambda: dict.fromkeys(BANDS, 0.0))
    _whole: dict[str, float] = field(default_factory=lambda: dict.fromkeys(BANDS, 0.0))

    def add(self, seen: FloatArray, made: FloatArray, inside: FloatArray) -> None:
        """One frame.

        Args:
            seen: what the video changes of the source [S, S, 3]; made: what the generator changes of its own picture of
                it, in the same unit.
            inside: [S, S] in 0..1, where it counts.
        """
        for name in BANDS:
            one, other = band(seen, name), band(made, name)
            self._found[name] += float((inside[..., None] * one * other).sum())
            self._whole[name] += float((inside[..., None] * other * other).sum())

    def of_band(self) -> dict[str, float]:
        """<seen, made> / <made, made> of all frames, by band: 1 where all of it arrives; NaN where nothing changes."""
        return {name: self._found[name] / whole if whole > 0 else np.nan for name, whole in self._whole.items()}


def band(picture: FloatArray, name: str) -> FloatArray:
    """What one of `BANDS` holds of a picture [S, S, 3]."""
    fine, coarse = (
        picture if not sigma else np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)
        for sigma in BANDS[name]
    )
    return fine - coarse


def outside_change(made: FloatArray, shown: FloatArray) -> float:
    """Mean absolute change where nothing of it is to be seen, in the unit of `made`: what has to be hidden.

    Args:
        made: what the generator changes [S, S, 3]; shown: [S, S] in 0..1, how much of it each pixel shows.
    """
    hidden = 1 - shown
    return float((hidden[..., None] * np.abs(made)).sum() / (3 * hidden.sum())) if hidden.any() else np.nan
