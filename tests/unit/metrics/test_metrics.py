"""Figures on made-up clips whose answers are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stitchedit import metrics


def _square_mask(size: int = 64, low: int = 16, high: int = 48) -> np.ndarray:
    mask = np.zeros((size, size), np.float32)
    mask[low:high, low:high] = 1
    return mask


def test_psnr_counts_only_the_mask() -> None:
    source = np.full((64, 64, 3), 100, np.uint8)
    output = source.copy()
    output[_square_mask() > 0] += 10
    output[0, 0] = 255
    assert metrics.masked_psnr(output, source, _square_mask()) == pytest.approx(20 * np.log10(25.5))
    assert metrics.masked_psnr(source, source, _square_mask()) == 100, "there is no infinity in JSON"
    assert np.isnan(metrics.masked_psnr(source, source, np.zeros((64, 64), np.float32)))


def test_ssim_is_one_for_equals_and_falls_with_noise_inside_the_mask_only() -> None:
    rng = np.random.default_rng(0)
    source = cv2.GaussianBlur(rng.integers(0, 256, (64, 64, 3)).astype(np.uint8), (0, 0), 2)
    noise = rng.normal(0, 12, source.shape)
    inside = np.clip(source + noise * _square_mask()[..., None], 0, 255).astype(np.uint8)
    outside = np.clip(source + noise * (1 - _square_mask(64, 6, 58)[..., None]), 0, 255).astype(np.uint8)
    assert metrics.masked_ssim(source, source, _square_mask()) == pytest.approx(1)
    assert metrics.masked_ssim(outside, source, _square_mask()) == pytest.approx(1, abs=1e-3)
    assert 0.1 < metrics.masked_ssim(inside, source, _square_mask()) < 0.8
    assert np.isnan(metrics.masked_ssim(source, source, np.zeros((64, 64), np.float32)))


def test_colour_step_is_what_the_edit_adds_across_the_border() -> None:
    mask = _square_mask(128, 32, 96)
    source = np.full((128, 128, 3), 119, np.uint8)  # L* 50
    source[:, 64:] = 60  # an edge of the source's own does not count
    brighter = source.astype(int) + 20
    all_over = np.clip(brighter, 0, 255).astype(np.uint8)
    inside = np.where(mask[..., None] > 0, all_over, source)
    assert metrics.colour_step(source, source, mask, 8) == 0
    assert metrics.colour_step(inside, source, mask, 8) == pytest.approx(8, rel=0.15)
    assert metrics.colour_step(all_over, source, mask, 8) < 1
    assert np.isnan(metrics.colour_step(inside, source, np.ones_like(mask), 8))


def test_outside_difference() -> None:
    source = np.zeros((4, 4, 3), np.uint8)
    output = source.copy()
    output[0, 0] = 255
    output[3, 3] = 6
    mask = np.zeros((4, 4), np.float32)
    mask[0, 0] = 0.01
    assert metrics.outside_difference(output, source, mask) == (6.0, pytest.approx(6 / 15))


def test_identity_distance() -> None:
    a = np.zeros((2, 128), np.float32)
    b = a.copy()
    b[1, :2] = 3, 4
    np.testing.assert_allclose(metrics.identity_distance(a, b), [0, 5])


def test_tl_and_tg_id_are_one_for_the_source_and_for_a_person_turned_as_a_whole() -> None:
    rng = np.random.default_rng(0)
    source = rng.normal(size=(6, 16)) + 3
    turn, _ = np.linalg.qr(rng.normal(size=(16, 16)))
    assert metrics.tl_id(source @ turn, source) == pytest.approx(1)
    assert metrics.tg_id(2 * source @ turn, source) == pytest.approx(1)


def test_tl_id_sees_flips_that_tg_id_averages() -> None:
    steady = np.tile([1.0, 0.0], (4, 1))
    tilt = np.radians(60)
    flips = np.array([[1.0, 0.0], [np.cos(tilt), np.sin(tilt)]] * 2)
    assert metrics.tl_id(flips, steady) == pytest.approx(0.5)
    assert metrics.tg_id(flips, steady) == pytest.approx((8 * 0.5 + 4 * 1) / 12)


def test_frames_without_a_face_do_not_count_for_identity() -> None:
    rng = np.random.default_rng(0)
    source = rng.normal(size=(6, 16)) + 3
    output = source.copy()
    output[2] = np.nan
    assert metrics.tl_id(output, source) == pytest.approx(1)
    assert metrics.tg_id(output, source) == pytest.approx(1)
    assert np.isnan(metrics.tl_id(output[2:3], source[2:3]))
    near = metrics.neighbour_similarity(output)
    assert np.isnan(near[[0, 2, 3]]).all()
    assert np.isfinite(near[[1, 4, 5]]).all()


def test_border_mse_is_three_times_the_mean_a_channel() -> None:
    ring = np.zeros((8, 8), np.float32)
    ring[:2] = 1
    crop = np.zeros((8, 8, 3), np.float32)
    assert metrics.border_mse(crop + 0.1, crop, ring) == pytest.approx(0.03)


def test_edge_gradient_of_a_step_and_of_a_ramp() -> None:
    mask = _square_mask()
    step = np.where(mask[..., None] > 0, 150, 100).astype(np.uint8).repeat(3, -1)
    assert metrics.edge_gradient(step, mask) == pytest.approx(50, rel=0.05)
    ramp = np.tile(np.arange(64, dtype=np.uint8)[None, :, None] * 2, (64, 1, 3))
    # Two of four sides cross the ramp at 2 levels a pixel, two run along it.
    assert metrics.edge_gradient(ramp, mask) == pytest.approx(1.0, rel=0.1)
    assert metrics.seam_gradient(ramp, ramp, mask) == pytest.approx(1)
    assert np.isnan(metrics.edge_gradient(step, np.ones((64, 64), np.float32)))


def test_flicker_ignores_motion_and_counts_light() -> None:
    rng = np.random.default_rng(1)
    field = cv2.GaussianBlur(rng.uniform(0, 255, (96, 160)).astype(np.float32), (0, 0), 3)
    field = np.clip((field - field.mean()) * 5 + 128, 20, 230)
    still = np.repeat(field[:, 20:116, None], 3, 2).astype(np.uint8)
    source = [np.clip(still.astype(int) + d, 0, 255).astype(np.uint8) for d in (0, 2, 0, 2)]
    output = [np.clip(still.astype(int) + d, 0, 255).astype(np.uint8) for d in (0, 6, 0, 6)]
    masks = [_square_mask(96, 20, 76)] * 4
    seen = _flicker(output, source, masks)
    assert seen.ratio() == pytest.approx(3, rel=0.15)
    assert seen.excess() == pytest.approx(4, rel=0.2)
    np.testing.assert_allclose(seen.output[1:], 6, rtol=0.2)
    np.testing.assert_allclose(seen.source[1:], 2, rtol=0.2)

    moving = [np.repeat(field[:, 20 + 2 * t : 116 + 2 * t, None], 3, 2).astype(np.uint8) for t in range(4)]
    moving = [np.clip(f + rng.integers(-1, 2, f.shape), 0, 255).astype(np.uint8) for f in moving]
    seen = _flicker(moving, moving, masks)
    assert seen.ratio() == pytest.approx(1)
    assert max(seen.output[1:]) < 3  # unwarped it would be about 15


def test_flicker_compares_nothing_across_a_cut() -> None:
    seen = metrics.Flicker()
    for level in (10, 200):
        seen.cut()
        picture = np.full((64, 64, 3), level, np.uint8)
        seen.add(picture, picture, _square_mask())
    assert np.isnan(seen.output).all()
    assert np.isnan(seen.ratio())
    assert np.isnan(seen.excess())


def _flicker(output: list[np.ndarray], source: list[np.ndarray], masks: list[np.ndarray]) -> metrics.Flicker:
    seen = metrics.Flicker()
    for frames in zip(output, source, masks, strict=True):
        seen.add(*frames)
    return seen


def test_jitter_keeps_slow_motion_out() -> None:
    rate, time = 25.0, np.arange(100) / 25.0
    slow = np.stack([20 * np.sin(2 * np.pi * 0.5 * time), time], 1)[:, None].repeat(68, 1)
    assert metrics.jitter(slow, rate) < 0.1
    fast = slow.copy()
    fast[..., 0] += (2.0 * np.sin(2 * np.pi * 9 * time))[:, None]
    assert metrics.jitter(fast, rate) == pytest.approx(2 / np.sqrt(2), rel=0.05)
    gap = fast.copy()
    gap[40:43] = np.nan
    assert metrics.jitter(gap, rate) == pytest.approx(2 / np.sqrt(2), rel=0.07)
    noisy = slow.copy()
    noisy[..., 0] += (1.0 * np.sin(2 * np.pi * 9 * time))[:, None]
    assert metrics.jitter_ratio(fast, noisy, rate) == pytest.approx(2, rel=0.1)
    assert np.isnan(metrics.jitter(fast[:5], rate))
    assert metrics.jitter(fast[:, 0, 0], rate) == pytest.approx(2 / np.sqrt(2), rel=0.05), "of a curve too"


def test_expression_correlation_leaves_out_what_never_moves() -> None:
    time = np.linspace(0, 6, 50)
    source = {"mouth": np.sin(time), "smile": np.zeros(50), "gaze": np.cos(time)}
    output = {"mouth": 2 * np.sin(time) + 1, "smile": np.zeros(50), "gaze": -np.cos(time)}
    output["mouth"][3] = np.nan
    mean, each = metrics.expression_correlation(output, source)
    assert each["mouth"] == pytest.approx(1)
    assert each["gaze"] == pytest.approx(-1)
    assert np.isnan(each["smile"])
    assert mean == pytest.approx(0)


def test_truth_and_attribute_change() -> None:
    assert metrics.nearer_to_truth(np.array([1.0, 2.0]), np.array([2.0, 4.0])) == 0.5
    source = np.array([1.0, 2.0, np.nan, 4.0])
    mean, spread = metrics.attribute_change(np.array([2.0, 4.0, 9.0, np.nan]), source)
    assert (mean, spread) == (1.5, 0.5)
    assert np.isnan(metrics.attribute_change(source * np.nan, source)).all()


def test_every_metric_says_which_way_is_better() -> None:
    assert all(
        m.better in ("higher", "lower", "near") and m.unit for m in map(metrics.METRICS.__getitem__, metrics.METRICS)
    )
    assert metrics.METRICS["tg_id"].reached(0.99)
    assert not metrics.METRICS["border_mse"].reached(0.003)
    assert [metrics.METRICS["flicker"].reached(v) for v in (0.9, 1.0, 1.04, 1.06)] == [False, True, True, False]
    assert metrics.METRICS["inversion_ssim"].reached(0.5) is None
