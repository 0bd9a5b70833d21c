"""What a step in the latent space does to faces: measured on people of a generator, attribute by attribute.

Needs the predictors of `stitchedit weights fetch measuring`. Changes are counted in standard deviations (SD) of each
attribute over samples of the default generator at psi 0.7, so that unlike things compare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stitchedit.editing.direction import CurvePoint
from stitchedit.faces.attributes import Predictors
from stitchedit.faces.detectors import detect
from stitchedit.learning.generator_samples import NAMES, PICTURE_PX, draw_ws, read_faces, render
from stitchedit.models.generator import Generator, lowest_exit
from stitchedit.types import FloatArray

Floats = NDArray[np.float64]

PEOPLE_SEED = 77  # of those on whom directions are measured; none of them is among those that teach


@dataclass(frozen=True, slots=True)
class Faces:
    """What N faces show."""

    values: Floats  # [N, len(NAMES)] SD
    embeddings: Floats  # [M, 128] identities of the first M
    found: NDArray[np.bool_]  # [N] whether the detector sees a face


class Meter:
    """People of a generator, read once as they are and then as often as a step moves them.

    Args:
        w: [N, w_dim] or [N, L, w_dim] who they are.
        spread: [len(NAMES)] one SD of each attribute, in the units of `samples.Readings`.
        size: exit of the generator at which they are drawn.
        identities: how many of them, from the first on, have their identity followed too.
        tick: called after each face.
    """

    def __init__(
        self,
        generator: Generator,
        predictors: Predictors,
        w: FloatArray,
        spread: Floats,
        size: int | None,
        identities: int = 24,
        tick: Callable[[], None] | None = None,
    ) -> None:
        self.generator, self.predictors, self.spread = generator, predictors, spread
        self.size, self.identities, self.tick = size, identities, tick
        self.w = w if w.ndim == 3 else w[:, None]
        self._before: Faces | None = None

    @classmethod
    def of(
        cls,
        generator: Generator,
        spread: Floats,
        count: int,
        size: int | None = None,
        tick: Callable[[], None] | None = None,
    ) -> Self:
        """A meter on `count` people of the fixed seed at psi 0.7, with the fetched predictors."""
        w, size = people(generator, count), size or drawing_size(generator)
        return cls(generator, Predictors(), w, spread, size, tick=tick)

    @property
    def before(self) -> Faces:
        """The people as they are."""
        if self._before is None:
            self._before = self.read(self.w)
        return self._before

    def moved(
        self,
        step: Floats,
        strength: float,
        count: int | None = None,
        identities: int | None = None,
        styles: FloatArray | None = None,
    ) -> Faces:
        """The first `count` of them after strength times a step: [w_dim], [L, w_dim], or [N, L, w_dim] for each.

        `styles`: [1, S], times strength added to the styles.
        """
        own = step[:count] if step.ndim == 3 else np.atleast_2d(step)
        added = None if styles is None else (strength * styles).astype(np.float32)
        return self.read((self.w[:count] + strength * own).astype(np.float32), identities, added)

    def masked(self, step: Floats, layers: tuple[int, int] | None) -> Floats:
        """A step [w_dim] on a half-open range of W+ rows alone, [num_ws, w_dim]; None: on all."""
        first, end = layers or (0, self.generator.num_ws)
        mask = np.zeros((self.generator.num_ws, 1))
        mask[first:end] = 1
        return mask * step

    def read(self, w: FloatArray, identities: int | None = None, styles: FloatArray | None = None) -> Faces:
        """What the faces of codes [N, L, w_dim] show; `styles` [1, S] is added to the styles of all."""
        pictures = render(self.generator, w, self.size, styles)
        embedded = min(len(w), self.identities if identities is None else identities)
        found = read_faces(pictures, self.predictors, embedded, self.tick)
        return Faces(
            found.values.astype(np.float64) / self.spread,
            found.embeddings[:embedded].astype(np.float64),
            np.array([bool(detect(picture)) for picture in pictures]),
        )

    def change(self, after: Faces) -> Floats:
        """[N, len(NAMES)] by how much the first N have changed, SD."""
        return after.values - self.before.values[: len(after.values)]

    def own_change(self, after: Faces, attribute: str) -> Floats:
        """[N] by how much an attribute of the first N has changed, in its unit: the mean of its `rulers`."""
        columns = [NAMES.index(name) for name in rulers(attribute)]
        change: Floats = (self.change(after)[:, columns] * self.spread[columns]).mean(axis=1)
        return change

    def distances(self, after: Faces) -> Floats:
        """[M] how far identity embeddings have moved; same person in video: below 0.42."""
        distances: Floats = np.linalg.norm(after.embeddings - self.before.embeddings[: len(after.embeddings)], axis=1)
        return distances

    def point(self, strength: float, after: Faces, attribute: str) -> CurvePoint:
        """A point of the calibration curve."""
        change = None
        if attribute in NAMES:
            change = round(float(np.median(self.own_change(after, attribute))), 4)
        return CurvePoint(
            strength=round(strength, 3),
            change=change,
            identity_distance=round(float(np.median(self.distances(after))), 3),
            faces=round(float(after.found.mean()), 3),
        )

    def effects(self, after: Faces) -> dict[str, float]:
        """Median change of each attribute, SD."""
        median = np.median(self.change(after), axis=0)
        return {name: round(float(value), 3) for name, value in zip(NAMES, median, strict=True)}


# Other readings of the same thing, which move with it and are no side effect.
SAME = {"age": ("age_rated",), "smile": ("smile_rated",), "eyes_open": ("lids_open",), "mouth_open": ("jaw_open",)}


def rulers(attribute: str) -> tuple[str, ...]:
    """The readings that an attribute's change is counted by: of age the mean of two, in years both."""
    return (attribute, *SAME["age"]) if attribute == "age" else (attribute,)


def people(generator: Generator, count: int) -> FloatArray:
    """[count, w_dim] of the fixed seed at psi 0.7; `count` is at most 200, so that fewer are the first of more."""
    return draw_ws(generator, 200, [PEOPLE_SEED, 0])[:count]


def drawing_size(generator: Generator) -> int:
    """The smallest exit that is no smaller than the pictures that are read."""
    return lowest_exit(generator, PICTURE_PX)
