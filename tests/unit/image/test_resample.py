import numpy as np
import pytest

from stitchedit.image.resample import apply, inverse, warp


def scaled(factor, shift=(0.0, 0.0)):
    return np.array([[factor, 0, shift[0]], [0, factor, shift[1]]], np.float64)


def wave(size, period, channels=None):
    x = np.arange(size) + 0.5
    picture = np.sin(2 * np.pi * x / period)[None, :] * np.ones((size, 1))
    return (picture if channels is None else np.repeat(picture[..., None], channels, 2)).astype(np.float32)


def test_identity_is_exact():
    picture = np.random.default_rng(0).uniform(0, 255, (20, 30, 3)).astype(np.float32)
    np.testing.assert_allclose(warp(picture, scaled(1.0), (30, 20)), picture, atol=1e-3)


@pytest.mark.parametrize("factor", [0.37, 0.8, 1.7, 3.3, 6.1])
def test_pixel_centres_keep_their_place(factor):
    size = 480
    picture = wave(size, 120)
    other = int(size / factor)
    result = warp(picture, scaled(factor), (other, 8))
    expected = np.sin(2 * np.pi * (np.arange(other) + 0.5) * factor / 120)
    inner = slice(other // 5, -other // 5)  # away from the mirrored ends
    np.testing.assert_allclose(result[4, inner], expected[inner], atol=0.02)


@pytest.mark.parametrize("factor", [1.9, 3.0, 7.5])
def test_what_the_coarser_grid_cannot_hold_vanishes(factor):
    period = 1.4 * factor  # finer than two result pixels
    result = warp(wave(600, period, 3), scaled(factor), (int(600 / factor), 10))
    assert np.abs(result[:, 10:-10]).max() < 0.15


def test_borders():
    picture = np.full((8, 8), 5, np.float32)
    away = scaled(1.0, (-20.0, 0.0))
    assert (warp(picture, away, (8, 8), "zero", smooth=False) == 0).all()
    np.testing.assert_allclose(warp(picture, away, (8, 8), "repeat"), 5, rtol=1e-5)


def test_linear_reading_stays_in_range():
    mask = np.zeros((40, 40), np.float32)
    mask[10:30, 10:30] = 1
    result = warp(mask, scaled(0.3, (4.0, 4.0)), (100, 100), "zero", smooth=False)
    assert result.min() == 0
    assert result.max() <= 1


def test_inverse():
    affine = np.array([[0.9, 0.2, 5], [-0.2, 0.9, 7]])
    points = np.array([[0, 0], [10, 3]], np.float32)
    np.testing.assert_allclose(apply(inverse(affine), apply(affine, points)), points, atol=1e-5)
