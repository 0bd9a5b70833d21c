"""People of a generator and what their faces show: what its directions are learned from where nobody gave labels."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stitchedit.errors import ConfigError, NotFetched
from stitchedit.faces.attributes import Predictors
from stitchedit.faces.detectors import detect
from stitchedit.faces.expression import COEFFICIENTS, expression
from stitchedit.learning.effect_measurement import drawing_size
from stitchedit.learning.generator_samples import NAMES, aligned_landmarks, draw_ws, named_readings, render
from stitchedit.models.generator import Generator
from stitchedit.types import ByteArray, FloatArray

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Label = Callable[[ByteArray], float]  # of a picture [S, S, 3] of an aligned face

SEED = 2026
NEAR = 0.7  # psi of two thirds of the samples, over which an SD is counted; the others are at 1
FETCHED = ("age", "gender")  # readings whose network is fetched
LOOKED_AT = 12  # pictures in which faces are looked for, of which half must show one
ATTRIBUTES = tuple(dict.fromkeys([*NAMES, *COEFFICIENTS]))  # what can be learned


@dataclass(frozen=True, slots=True)
class Reader:
    """What is read off a face: all that can be read here, and a label more."""

    attribute: str  # one of ATTRIBUTES, or the name of the label
    label: Label | None = None
    predictors: Predictors = field(default_factory=Predictors)
    left_out: tuple[str, ...] = ()  # of NAMES: their networks are not here

    @property
    def names(self) -> tuple[str, ...]:
        known = tuple(name for name in NAMES if name not in self.left_out)
        return known if self.attribute in known else (*known, self.attribute)

    def __call__(self, picture: ByteArray) -> list[float]:
        """The readings of `names`, of an FFHQ-aligned picture [S, S, 3]."""
        found = aligned_landmarks(picture)
        shown = named_readings(picture, found, self.predictors, self.left_out)
        if self.label is not None:
            shown[self.attribute] = self.label(picture)
        elif self.attribute not in shown:
            values = expression(picture, found).coefficients
            shown[self.attribute] = float(values[COEFFICIENTS.index(self.attribute)])
        return [shown[name] for name in self.names]


def reader_of(attribute: str, label: Label | None = None, predictors: Predictors | None = None) -> Reader:
    """With what is here of the networks. Raises ConfigError, for an unknown attribute; NotFetched, for one of those."""
    if label is None and attribute not in ATTRIBUTES:
        raise ConfigError(
            f"unknown attribute '{attribute}'",
            f"choose one of {', '.join(NAMES)}, or a coefficient such as jawOpen or mouthPucker",
        )
    networks, blank = predictors or Predictors(), np.full((256, 256, 3), 128, np.uint8)
    try:
        networks.age(blank, aligned_landmarks(blank))
    except NotFetched:
        if attribute in FETCHED:
            raise
        log.info("age and gender are not held: `stitchedit weights fetch measuring` brings what reads them")
        return Reader(attribute, label, networks, FETCHED)
    return Reader(attribute, label, networks)


@dataclass(frozen=True, slots=True)
class Samples:
    """People and their readings."""

    w: Floats  # [N, w_dim]
    psi: Floats  # [N]
    values: Floats  # [N, K] in the units of the readings
    names: tuple[str, ...]

    @property
    def spread(self) -> Floats:
        """[K] one SD of each reading, over the samples at psi 0.7."""
        spread: Floats = np.maximum(self.values[np.abs(self.psi - NEAR) < 1e-3].std(axis=0), 1e-9)
        return spread


def draw_samples(generator: Generator, reader: Reader, count: int, tick: Callable[[], None]) -> Samples:
    """Draw and read people, two thirds at psi 0.7 and one at 1. Raises ConfigError, where they have no faces."""
    psi = np.where(np.arange(count) % 3 < 2, NEAR, 1.0).astype(np.float32)
    w, size = draw_ws(generator, count, [SEED, 0], psi), drawing_size(generator)
    require_faces(render(generator, w[:LOOKED_AT], size))
    values = []
    for code in w:
        (picture,) = render(generator, code[None], size)
        values.append(reader(picture))
        tick()
    return Samples(w.astype(np.float64), psi.astype(np.float64), np.array(values, np.float64), reader.names)


def require_faces(pictures: ByteArray) -> None:
    """Raises ConfigError, where less than half of pictures [N, S, S, 3] show a face where FFHQ has it."""
    seen = sum(bool(detect(picture)) for picture in pictures)
    if 2 * seen < len(pictures):
        raise ConfigError(
            f"the generator's samples show a face in {seen} of {len(pictures)} pictures",
            "attributes are read off faces that are aligned as FFHQ's are; --pca and --factorise need none",
        )


def read_moved(generator: Generator, reader: Reader, w: FloatArray) -> Floats:
    """The readings [N, K] of codes [N, L, w_dim]."""
    pictures = render(generator, w, drawing_size(generator))
    return np.array([reader(picture) for picture in pictures], np.float64)
