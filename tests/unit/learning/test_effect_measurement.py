"""What a step does, measured: medians, units and identities, with readers that are made up."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from stitchedit.faces.attributes import Predictors
from stitchedit.learning import effect_measurement as module
from stitchedit.learning.effect_measurement import Meter
from stitchedit.learning.generator_samples import NAMES, Readings
from stitchedit.models.generator import Generator


class _Plain:
    """Faces are never drawn here: `render` below hands the codes on."""

    exits = (64, 256, 1024)
    resolution = 1024
    num_ws = 3
    w_dim = 2


def _read(codes: Any, predictors: Any, identities: int | None, tick: Any) -> Readings:
    """Age is the first number of w, in the first row; identity moves along the second."""
    values = np.zeros((len(codes), len(NAMES)), np.float32)
    values[:, NAMES.index("age")] = codes[:, 0, 0]
    embeddings = np.zeros((len(codes), 128), np.float32)
    embeddings[:, 0] = codes[:, -1, 1]
    return Readings(values, embeddings, np.zeros((len(codes), 68, 2), np.float32))


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    monkeypatch.setattr(module, "render", lambda generator, w, size, styles: w)
    monkeypatch.setattr(module, "read_faces", _read)
    monkeypatch.setattr(module, "detect", lambda picture: [1] if picture[0, 0] < 50 else [])
    w = np.array([[10.0, 0], [20, 0], [30, 0], [40, 0], [50, 0]], np.float32)
    spread = np.ones(len(NAMES))
    spread[NAMES.index("age")] = 5.0
    return Meter(cast(Generator, _Plain()), cast(Predictors, None), w, spread, None, identities=3)


def test_effects_are_medians_in_standard_deviations(meter: Meter) -> None:
    after = meter.moved(np.array([10.0, 0.2]), 0.5)
    assert meter.effects(after)["age"] == 1.0
    assert meter.effects(after)["smile"] == 0.0
    point = meter.point(0.5, after, "age")
    # years are the mean of two rulers, of which these people move one
    assert (point.strength, point.change, point.identity_distance) == (0.5, 2.5, 0.1)
    assert meter.point(0.5, after, "gender").change == 0
    assert point.faces == 0.8  # the last of five is no face any more
    assert meter.point(0.5, after, "nose").change is None
    assert len(after.embeddings) == 3


def test_few_people_are_compared_with_themselves(meter: Meter) -> None:
    after = meter.moved(np.array([10.0, 0.2]), 1.0, 2, 1)
    assert meter.change(after).shape == (2, len(NAMES))
    np.testing.assert_allclose(meter.distances(after), [0.2])


def test_rows_move_alone_and_each_person_may_have_a_step(meter: Meter) -> None:
    masked = meter.masked(np.array([10.0, 1.0]), (1, 3))
    assert masked.tolist() == [[0, 0], [10, 1], [10, 1]]
    after = meter.moved(masked, 1.0)
    assert meter.effects(after)["age"] == 0.0
    np.testing.assert_allclose(meter.distances(after), 1.0)
    own = np.arange(5.0)[:, None, None] * np.array([10.0, 0.0])
    np.testing.assert_allclose(meter.change(meter.moved(own, 1.0))[:, NAMES.index("age")], [0, 2, 4, 6, 8])


def test_faces_are_drawn_no_smaller_than_they_are_read() -> None:
    assert module.drawing_size(cast(Generator, _Plain())) == 256
