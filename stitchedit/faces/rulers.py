"""An attribute read off a picture by every ruler that is at hand: what a strength is measured by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from stitchedit.errors import ConfigError, WeightsError
from stitchedit.faces.appearance import APPEARANCE, appearance
from stitchedit.faces.attributes import AGES, PREDICTED, Predictors
from stitchedit.faces.expression import EXPRESSION, expression
from stitchedit.faces.human_ratings import RATED
from stitchedit.faces.landmark_geometry import GEOMETRY, geometry
from stitchedit.types import ByteArray, FloatArray

Reading = Callable[[ByteArray, FloatArray], float]  # (RGB [H, W, 3], 68 landmarks [68, 2]) -> value

SEVERAL: Mapping[str, tuple[str, ...]] = {"age": AGES}  # attributes that have more than one ruler, in one unit


@dataclass(frozen=True, slots=True)
class Ruler:
    """Reads one attribute."""

    attribute: str
    readings: Mapping[str, Reading]  # those that can be had; not empty

    def __call__(self, picture: ByteArray, landmarks: FloatArray) -> float:
        """Mean over the readings, in the attribute's unit."""
        return float(np.mean([read(picture, landmarks) for read in self.readings.values()]))


def readings_of(attribute: str) -> tuple[str, ...]:
    """Whose mean counts for a change of an attribute: when a strength is solved for, and when an edit is judged."""
    return SEVERAL.get(attribute, (attribute,))


def ruler_of(attribute: str, predictors: Predictors | None = None) -> Ruler | None:
    """What reads an attribute here; None, when nothing does: it has no reading, or its network was never fetched."""
    predictors = predictors or Predictors()
    found = {}
    for name in readings_of(attribute):
        reading = _reading(name, predictors)
        if reading is not None and why_unusable(reading) is None:
            found[name] = reading
    return Ruler(attribute, found) if found else None


def _reading(name: str, predictors: Predictors) -> Reading | None:
    if name in PREDICTED:
        reading: Reading = getattr(predictors, name)
        return reading
    if name in RATED:
        return lambda picture, landmarks: predictors.rated(picture, landmarks)[name]
    if name in EXPRESSION:
        return lambda picture, landmarks: expression(picture, landmarks).named()[name]
    if name in GEOMETRY:
        return lambda picture, landmarks: geometry(landmarks)[name]
    if name in APPEARANCE:
        return lambda picture, landmarks: appearance(picture, landmarks)[name]
    return None


def why_unusable(reading: Reading) -> str | None:
    """What to do about a reading that cannot be had; None where it can: it is asked once, of a picture of nobody."""
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = (64 + 40 * np.stack([np.cos(angle), np.sin(angle)], 1)).astype(np.float32)
    try:
        reading(np.full((128, 128, 3), 128, np.uint8), points)
    except (WeightsError, ConfigError) as exc:
        return f"{exc}: {exc.hint}"
    return None
