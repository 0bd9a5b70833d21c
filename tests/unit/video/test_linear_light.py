"""Tests of light and what is shown of it."""

import numpy as np
import pytest

from stitchedit.video.linear_light import SRGB, light, shown, to_srgb

ACES = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)  # AP0, SMPTE ST 2065-1
REC2020 = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)


def test_the_curve_is_that_of_srgb() -> None:
    values = np.array([0.0, 0.001, 0.18, 0.5, 1.0], np.float32)
    wanted = [0.0, 12.92 * 0.001, 0.46135613, 0.73535698, 1.0]  # IEC 61966-2-1
    np.testing.assert_allclose(shown(values) / 255, wanted, atol=2e-5)


def test_there_and_back_beyond_white_and_below_black() -> None:
    values = np.concatenate([-np.geomspace(1e-6, 10, 50), [0], np.geomspace(1e-6, 60000, 200)]).astype(np.float32)
    np.testing.assert_allclose(light(shown(values)), values, rtol=2e-5)
    assert (np.diff(shown(np.sort(values))) > 0).all()


def test_what_is_no_number_can_be_looked_at() -> None:
    seen = shown(np.array([np.nan, np.inf, -np.inf], np.float32))
    assert np.isfinite(seen).all()
    assert seen[0] == 0


def test_primaries() -> None:
    np.testing.assert_allclose(to_srgb(SRGB), np.eye(3), atol=1e-6)
    for primaries in (ACES, REC2020):
        np.testing.assert_allclose(to_srgb(primaries) @ np.ones(3), np.ones(3), atol=1e-5)
    # ITU-R BT.2407, table of the linear conversion from BT.2020 to BT.709
    wanted = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    np.testing.assert_allclose(to_srgb(REC2020), wanted, atol=2e-4)


@pytest.mark.parametrize(
    "bad", [(0.3,) * 8, (0.64, 0.0, 0.3, 0.6, 0.15, 0.06, 0.3, 0.3), (float("nan"),) * 8, (0.0,) * 8, (0.1, 0.2)]
)
def test_primaries_that_are_none(bad: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"primaries|white"):
        to_srgb(bad)
