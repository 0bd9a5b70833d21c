"""Flow between pictures that moved by a known way, and what is read along it."""

import cv2
import numpy as np
import pytest

from stitchedit.image.optical_flow import dense_flow, places_along, sample, smooth_flow, turned_round
from stitchedit.types import FloatArray


def texture(shift: tuple[int, int] = (0, 0)) -> FloatArray:
    """[96, 128, 3] in [-1, 1], moved by (right, down) pixels."""
    noise = np.random.default_rng(0).normal(0, 1, (160, 200, 3)).astype(np.float32)
    x, y = 32 - shift[0], 32 - shift[1]
    return np.clip(4 * cv2.GaussianBlur(noise, (0, 0), 3), -1, 1)[y : y + 96, x : x + 128]


def test_flow_says_where_a_pixel_is_found_in_the_other_picture() -> None:
    here, there = (cv2.cvtColor(np.uint8((p + 1) * 127), cv2.COLOR_RGB2GRAY) for p in (texture(), texture((3, -2))))
    middle = dense_flow(here, there)[24:-24, 24:-24]
    np.testing.assert_allclose(middle.mean((0, 1)), [3, -2], atol=0.1)


@pytest.mark.parametrize("cubic", [False, True])
def test_what_is_read_along_the_flow_is_the_picture_itself(cubic: bool) -> None:
    here, there = texture()[:, :96], texture((3, -2))[:, :96]
    brought = sample(there, places_along(smooth_flow(here, there)), cubic=cubic)
    assert np.abs(brought - here)[24:-24, 24:-24].mean() < 0.02 < np.abs(there - here)[24:-24, 24:-24].mean()


def test_bytes_stay_bytes_and_what_lies_outside_is_the_edge() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    places = places_along(np.full((3, 4, 2), (10, 0), np.float32))
    read = sample(picture, places, "repeat")
    assert read.dtype == np.uint8
    assert (read == picture[:, 3:]).all()
    assert (sample(picture, places, "zero") == 0).all()


def test_a_flow_turned_round_leads_back_to_where_it_came_from() -> None:
    y, x = np.mgrid[:128, :128].astype(np.float32) / 128
    there = np.stack([9 + 4 * np.sin(5 * y), 3 * np.cos(6 * x) - 6], axis=-1).astype(np.float32)
    back = turned_round(there)
    left = back + sample(there, places_along(back))
    assert np.abs(there).max() > 12
    assert np.abs(left)[16:-16, 16:-16].max() < 0.03
