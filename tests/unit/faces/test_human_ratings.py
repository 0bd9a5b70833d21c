"""Ratings and readings that come along: they load, and mean what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from stitchedit.errors import UnknownCheckpoint
from stitchedit.faces.human_ratings import RATED, WEIGHTS, Rater, features
from stitchedit.learning.attribute_regressors import WReadings
from stitchedit.learning.generator_samples import NAMES
from stitchedit.models.bundled_weights import SHA256, packaged_file
from stitchedit.models.w_encoder import WEIGHTS as ENCODER


def _face() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (256, 256, 3), np.uint8), rng.uniform(60, 200, (68, 2)).astype(np.float32)


def test_ratings_come_from_code_and_shape() -> None:
    picture, points = _face()
    found = features(picture, points)
    assert found.shape == (512 + 136,)
    rated = Rater()(picture, points)
    assert set(rated) == set(RATED) <= set(NAMES)
    assert all(np.isfinite(value) for value in rated.values())
    # the shape is seen between level eyes: where the face lies, how large and how turned it is makes no difference
    turn = 1.7 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    moved = features(picture, (points @ turn.T + 40).astype(np.float32))
    np.testing.assert_allclose(moved[512:], found[512:], atol=1e-3)
    np.testing.assert_array_equal(moved[:512], found[:512])


def test_the_fit_is_to_the_encoder_that_comes_along() -> None:
    with safe_open(packaged_file(WEIGHTS), framework="np") as file:
        fitted_to = file.metadata()["encoder"]
    assert fitted_to == SHA256[ENCODER], "run scripts/fit_ratings.py again, as the encoder is another one"


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"no tensors")
    with pytest.raises(UnknownCheckpoint):
        Rater(path)
    with pytest.raises(UnknownCheckpoint):
        WReadings.load(path)


def test_readings_of_w_go_round(tmp_path: Path) -> None:
    own = WReadings.load()
    assert own.names == NAMES
    assert own.rows.shape == (len(NAMES), 512)
    assert (own.spread > 0).all()
    assert own.correlation[NAMES.index("yaw")] > 0.9
    own.save(tmp_path / "a.safetensors", "none")
    again = WReadings.load(tmp_path / "a.safetensors")
    assert again.names == own.names
    np.testing.assert_array_equal(again.rows, own.rows)
