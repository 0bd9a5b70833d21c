"""Ramps, and means that respect edges."""

import cv2
import numpy as np
import pytest

from stitchedit.image.smoothing import guided_filter, smoothstep, wide_blur
from stitchedit.types import FloatArray


def test_a_ramp_rises_from_zero_to_one_with_level_ends() -> None:
    ramp = smoothstep(np.linspace(-1, 2, 301))
    assert ramp.dtype == np.float32
    assert (ramp[:101] == 0).all()
    assert (ramp[200:] == 1).all()
    assert (np.diff(ramp[100:201]) > 0).all()
    assert ramp[150] == 0.5
    assert ramp[101] < 0.001


def mean(values: FloatArray) -> FloatArray:
    return np.asarray(cv2.boxFilter(values, -1, (9, 9), borderType=cv2.BORDER_REFLECT)).reshape(values.shape)


def test_a_guide_keeps_the_edge_that_a_mean_would_blur() -> None:
    guide = np.zeros((40, 40), np.float32)
    guide[:, 20:] = 1
    noisy = guide + np.random.default_rng(0).normal(0, 0.1, guide.shape).astype(np.float32)
    filtered = guided_filter(guide, noisy, mean, 1e-4)
    step = filtered[:, 20].mean() - filtered[:, 19].mean()
    assert step > 0.95
    assert np.abs(filtered - guide).mean() < 0.4 * np.abs(noisy - guide).mean()
    assert abs(mean(noisy)[:, 20].mean() - mean(noisy)[:, 19].mean()) < 0.2


def test_each_channel_is_filtered_by_itself() -> None:
    random = np.random.default_rng(1)
    guide, values = random.random((30, 30, 1), np.float32), random.random((30, 30, 3), np.float32)
    together = guided_filter(guide, values, mean, 0.01)
    alone = [guided_filter(guide[..., 0], np.ascontiguousarray(values[..., c]), mean, 0.01) for c in range(3)]
    np.testing.assert_allclose(together, np.stack(alone, axis=-1), atol=1e-6)


@pytest.mark.parametrize("sigma", [3.0, 12.8, 43.0])
@pytest.mark.parametrize("shape", [(256, 256), (256, 256, 1), (250, 250, 3)])
def test_a_wide_blur_is_the_gaussian_that_it_stands_for(shape: tuple[int, ...], sigma: float) -> None:
    picture = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    picture[:100, :80] += 1  # an edge, and noise
    plain = cv2.GaussianBlur(picture, (0, 0), sigma).reshape(shape)
    blurred = wide_blur(picture, sigma)
    assert blurred.shape == shape
    assert np.abs(blurred - plain).max() < 0.01
