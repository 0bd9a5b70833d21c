"""Regressors and smallest steps on made-up W spaces whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from stitchedit.learning.linear_regression import likeness, quiet_covariance, ridge, smallest_step


@pytest.fixture(scope="module")
def space() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariance [12, 12], samples [800, 12], true readings [3, 12]."""
    rng = np.random.default_rng(5)
    mix = rng.normal(size=(12, 12)) * np.linspace(2, 0.3, 12)
    samples = rng.normal(size=(800, 12)) @ mix.T + 1.5
    return mix @ mix.T, samples, rng.normal(size=(3, 12))


def test_ridge_finds_linear_readings(space: tuple[np.ndarray, ...]) -> None:
    _, samples, rows = space
    noise = np.random.default_rng(1).normal(size=(800, 3)) * [0.0, 0.1, 1e6]
    found = ridge(samples, samples @ rows.T + 4 + noise)
    guess = samples @ found.rows[0] + found.bias[0]
    truth = samples @ rows[0] + 4
    assert np.std(guess - truth) < 0.05 * np.std(truth)
    assert found.correlation[0] > 0.999
    assert found.correlation[2] < 0.2  # nothing to learn
    assert found.penalty[2] >= found.penalty[0]


def test_smallest_step_moves_what_it_should_and_is_shortest(space: tuple[np.ndarray, ...]) -> None:
    covariance, _, rows = space
    wanted = np.array([1.0, 0.0, 0.0])
    step = smallest_step(covariance, rows, wanted)
    np.testing.assert_allclose(rows @ step, wanted, atol=1e-9)
    inverse = np.linalg.inv(covariance)
    # Any other step that does the same differs by something the readings do not see, and is longer.
    blind = np.linalg.svd(rows)[2][3:]
    for along in blind:
        other = step + 0.1 * along
        assert other @ inverse @ other > step @ inverse @ step


def test_softness_trades_length_for_a_quiet_embedding(space: tuple[np.ndarray, ...]) -> None:
    covariance, _, rows = space
    soft = np.random.default_rng(2).normal(size=(4, 12))
    wanted = np.array([0.0, 1.0, 0.0])
    plain = smallest_step(covariance, rows, wanted)
    quiet = smallest_step(covariance, rows, wanted, soft, 100.0)
    np.testing.assert_allclose(rows @ quiet, wanted, atol=1e-9)
    assert np.linalg.norm(soft @ quiet) < 0.7 * np.linalg.norm(soft @ plain)
    np.testing.assert_allclose(smallest_step(covariance, rows, wanted, soft, 0.0), plain)


def test_likeness_leads_to_the_embedding_and_leaves_readings_alone(space: tuple[np.ndarray, ...]) -> None:
    covariance, _, rows = space
    embed = np.random.default_rng(2).normal(size=(4, 12))
    np.testing.assert_allclose(rows @ quiet_covariance(covariance, rows), 0, atol=1e-9)
    wanted = np.array([1.0, -1.0, 0.5, 0.0])
    step = likeness(covariance, rows, embed, noise=1e-9) @ wanted
    np.testing.assert_allclose(rows @ step, 0, atol=1e-9)
    np.testing.assert_allclose(embed @ step, wanted, atol=1e-5)
    shorter = likeness(covariance, rows, embed, noise=0.5) @ wanted
    inverse = np.linalg.inv(covariance)
    assert shorter @ inverse @ shorter < step @ inverse @ step
