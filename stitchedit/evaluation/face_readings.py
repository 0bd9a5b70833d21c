"""What is read off the faces of a clip for measuring it: landmarks, identity, attributes; a row a frame.

The face is looked for where the source has it, so that the same face is read in every version of a clip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from stitchedit import registry
from stitchedit.faces.appearance import APPEARANCE, appearance
from stitchedit.faces.attributes import PREDICTED, Predictors
from stitchedit.faces.detectors import Box, detect, face_box, landmarks
from stitchedit.faces.expression import EXPRESSION, expression
from stitchedit.faces.landmark_geometry import GEOMETRY, geometry
from stitchedit.faces.rulers import Reading, why_unusable
from stitchedit.registry import Registry
from stitchedit.types import ByteArray, FloatArray, IntArray

VERSION = "2"  # of how faces are read; kept readings of another one are not used

_FOUND_PX = 120  # face width at which the detector looks
_FOUND_THRESHOLD = -0.5  # as in tracking: the face is known to be there, or nearly

Embedder = Callable[[ByteArray, FloatArray], FloatArray]  # (picture, landmarks [68, 2]) -> [E]

EMBEDDERS: Registry[Embedder] = registry.EMBEDDERS


@dataclass(frozen=True, slots=True)
class Readings:
    """The faces of N frames; NaN rows where no face was found."""

    landmarks: FloatArray  # [N, 68, 2] source pixels
    embeddings: FloatArray  # [N, E]
    values: Mapping[str, FloatArray]  # attribute -> [N], units as in `attributes`

    @property
    def missing(self) -> IntArray:
        """[K] rows without a face."""
        return np.flatnonzero(~np.isfinite(self.landmarks).all((1, 2))).astype(np.int64)

    def as_arrays(self) -> dict[str, FloatArray]:
        """Everything under one level of names, for a file."""
        attributes = {f"attribute.{name}": values for name, values in self.values.items()}
        return {"landmarks": self.landmarks, "embeddings": self.embeddings, **attributes}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> Self:
        """The other way. Raises KeyError, when one is missing."""
        values = {name.removeprefix("attribute."): v for name, v in arrays.items() if name.startswith("attribute.")}
        return cls(arrays["landmarks"], arrays["embeddings"], values)


def find_embedder(name: str) -> Embedder:
    """An identity embedding by its name: of `EMBEDDERS`, or of a package that brings it as a plug-in.

    Raises: ConfigError, with the names there are, or when the plug-in cannot be loaded.
    """
    return EMBEDDERS[name]


def usable_predictors(predictors: Predictors) -> tuple[dict[str, Reading], dict[str, str]]:
    """The networks of `PREDICTED` that are here, and for each other one what to do about it."""
    here: dict[str, Reading] = {}
    why_not: dict[str, str] = {}
    for name in PREDICTED:
        reading: Reading = getattr(predictors, name)
        why = why_unusable(reading)
        if why is None:
            here[name] = reading
        else:
            why_not[name] = why
    return here, why_not


class FaceReader:
    """Reads one frame after another; `readings` gives them all."""

    def __init__(self, embedder: Embedder, predictors: Mapping[str, Reading]) -> None:
        self.embedder, self.predictors = embedder, predictors
        self._rows: list[tuple[FloatArray, FloatArray, dict[str, float]] | None] = []

    def add(self, rgb: ByteArray, place: FloatArray) -> None:
        """The next frame [H, W, 3], with the landmarks [68, 2] of the source's face there."""
        box = face_box(place)
        reach = box.width / 2
        near = Box(box.left - reach, box.top - reach, box.right + reach, box.bottom + reach)
        if not detect(rgb, max(0.25, _FOUND_PX / box.width), _FOUND_THRESHOLD, near):
            self._rows.append(None)
            return
        points = landmarks(rgb, box)
        predicted = {name: read(rgb, points) for name, read in self.predictors.items()}
        values = predicted | expression(rgb, points).named() | geometry(points) | appearance(rgb, points)
        self._rows.append((points, self.embedder(rgb, points), values))

    def readings(self) -> Readings:
        """A row for every frame added."""
        blank = np.full((68, 2), np.nan, np.float32), np.full(1, np.nan, np.float32), _names(self.predictors)
        first = next((row for row in self._rows if row is not None), blank)
        none = (np.full_like(first[0], np.nan), np.full_like(first[1], np.nan), dict.fromkeys(first[2], np.nan))
        rows = [row or none for row in self._rows]
        return Readings(
            np.stack([row[0] for row in rows]).astype(np.float32),
            np.stack([row[1] for row in rows]).astype(np.float32),
            {name: np.array([row[2][name] for row in rows], np.float32) for name in first[2]},
        )


def _names(predictors: Mapping[str, Reading]) -> dict[str, float]:
    return dict.fromkeys([*predictors, *EXPRESSION, *GEOMETRY, *APPEARANCE], float("nan"))
