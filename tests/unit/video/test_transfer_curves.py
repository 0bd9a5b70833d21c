"""PQ, HLG and Cineon against figures of the standards."""

from __future__ import annotations

import numpy as np
import pytest

from stitchedit.video.transfer_curves import CINEON, HLG, PQ, Curve, cineon_light, hlg_light, pq_light


@pytest.mark.parametrize(("code", "nits"), [(0.0, 0.0), (0.5081, 100), (0.5806, 203), (0.7518, 1000), (1.0, 10_000)])
def test_pq_has_the_light_of_bt_2408(code: float, nits: float) -> None:
    np.testing.assert_allclose(203 * pq_light(np.array([code])), nits, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize(("code", "nits"), [(0.0, 0.0), (0.75, 203), (1.0, 1000), (0.38, 26.0)])
def test_hlg_has_the_light_of_bt_2408_on_a_display_of_1000_nits(code: float, nits: float) -> None:
    np.testing.assert_allclose(203 * hlg_light(np.full(3, code)), nits, rtol=3e-2, atol=1e-6)


@pytest.mark.parametrize(("code", "light"), [(95, 0.0), (685, 1.0), (470, 0.1843)])
def test_cineon_has_black_white_and_gray_where_kodak_has_them(code: int, light: float) -> None:
    np.testing.assert_allclose(cineon_light(np.array([code / 1023])), light, atol=2e-3)


@pytest.mark.parametrize("view", [PQ, HLG, CINEON])
def test_what_is_shown_goes_back(view: Curve) -> None:
    gray = np.linspace(0.02, 1, 200, dtype=np.float32)[None, :, None].repeat(3, 2)
    np.testing.assert_allclose(view.stored(view.shown(gray)), gray, atol=2e-5)
    codes = np.random.default_rng(0).uniform(1, 255, (40, 40, 3)).astype(np.float32)
    np.testing.assert_allclose(view.shown(view.stored(codes)), codes, atol=0.01)


@pytest.mark.parametrize(("view", "white"), [(PQ, 0.5806), (HLG, 0.75), (CINEON, 685 / 1023)])
def test_diffuse_white_is_white(view: Curve, white: float) -> None:
    np.testing.assert_allclose(view.shown(np.full((1, 1, 3), white, np.float32)), 255, atol=1.5)


def test_light_above_white_and_below_black_is_kept() -> None:
    for view in (PQ, HLG):
        values = np.array([[[0.9, 0.9, 0.9], [-0.02, 0.3, 0.3]]], np.float32)
        assert view.shown(values)[0, 0].min() > 300
        np.testing.assert_allclose(view.stored(view.shown(values)), values, atol=5e-3)
