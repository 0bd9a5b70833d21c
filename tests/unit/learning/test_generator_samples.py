"""Sampling with a generator that is made up."""

from __future__ import annotations

import numpy as np
import pytest
from plain_generator import GENERATOR

from stitchedit.learning.generator_samples import draw_ws, render


def test_psi_pulls_to_the_mean() -> None:
    full = draw_ws(GENERATOR, 6, [1, 2], 1.0)
    half = draw_ws(GENERATOR, 6, [1, 2], np.full(6, 0.5, np.float32))
    mean = np.array([1.0, 0, 0, 0])
    np.testing.assert_allclose(half - mean, 0.5 * (full - mean), rtol=1e-6)
    assert not np.array_equal(full, draw_ws(GENERATOR, 6, [1, 3], 1.0))


@pytest.mark.parametrize("size", [None, 256])
def test_pictures_are_256_px_levels(size: int | None) -> None:
    pictures = render(GENERATOR, np.array([[-1.0, 0, 0, 0], [0.5, 0, 0, 0], [3, 0, 0, 0]], np.float32), size)
    assert pictures.shape == (3, 256, 256, 3)
    assert pictures.dtype == np.uint8
    np.testing.assert_array_equal(pictures[:, 0, 0, 0], [0, 191, 255])
