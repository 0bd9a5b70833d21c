from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stitchedit.config import AlignConfig
from stitchedit.faces.alignment import align, bounding_box, crop, crop_size, quads, sides, to_crop, to_source, uncrop
from stitchedit.progress import silent
from stitchedit.types import FaceState, Tracks

GOLDEN = Path(__file__).parents[2] / "golden" / "stit_alignment.npz"
TOLERANCE = 0.05  # px


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN)


@pytest.fixture(scope="module")
def landmarks(golden):
    """dlib's whole pixels in our convention."""
    return golden["landmarks"].astype(np.float32) + 0.5


def square(x, y, side, degrees=0.0):
    turn = np.deg2rad(degrees)
    half = side / 2 * np.array([np.cos(turn), np.sin(turn)])
    down = np.array([-half[1], half[0]])
    return np.array([-half - down, -half + down, half + down, half - down], np.float32) + np.float32((x, y))


def smooth_picture(width, height):
    rng = np.random.default_rng(3)
    coarse = rng.uniform(0, 255, (height // 8 + 2, width // 8 + 2, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("center", "axes"), [(1.0, 3.0), (0.0, 0.0), (2.0, 1.0)])
def test_quads_equal_the_reference(golden, landmarks, center, axes):
    expected = golden[f"quads.center_sigma{center}.xy_sigma{axes}"] + 0.5
    ours = quads(landmarks, AlignConfig(center_sigma=center, xy_sigma=axes))
    np.testing.assert_allclose(ours, expected, rtol=0, atol=TOLERANCE)


def test_quads_at_another_scale_equal_the_reference(golden, landmarks):
    ours = quads(landmarks, AlignConfig(scale=1.3, center_sigma=0, xy_sigma=0))
    np.testing.assert_allclose(ours, golden["scale1.3.quads_unsmoothed"] + 0.5, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(("count", "name"), [(5, "short5"), (1, "single")])
def test_short_clips_equal_the_reference(golden, landmarks, count, name):
    ours = quads(landmarks[:count], AlignConfig())
    np.testing.assert_allclose(ours, golden[f"quads.{name}.center1.xy3"] + 0.5, rtol=0, atol=TOLERANCE)


def test_nothing_is_smoothed_across_runs(landmarks):
    runs = [slice(0, 10), slice(10, 24)]
    ours = quads(landmarks, AlignConfig(), runs)
    for run in runs:
        np.testing.assert_array_equal(ours[run], quads(landmarks[run], AlignConfig()))


@pytest.mark.parametrize("case", [0, 1])
def test_crops_show_what_the_reference_shows(golden, case):
    expected = golden[f"crop.{case}.image"].astype(np.float32)
    ours = crop(golden["image_rgb"], np.float32(golden[f"crop.{case}.quad"] + 0.5), expected.shape[0])
    # The reference reads linearly and cuts decimals off, half a step on average.
    assert np.abs(ours - expected - 0.5).mean() < 0.6


def test_a_crop_that_leaves_the_picture_equals_the_reference_inside(golden):
    expected = golden["crop.2.image"].astype(np.float32)
    ours = crop(golden["image_rgb"], np.float32(golden["crop.2.quad"] + 0.5), 128)
    inside = cv2.erode((expected.max(axis=2) > 0).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert inside.mean() > 0.5
    assert np.abs(ours - expected - 0.5)[inside].mean() < 0.6
    assert ours[~inside].mean() > 30  # no black corners


@given(
    x=st.floats(-100, 4000),
    y=st.floats(-100, 2200),
    side=st.floats(40, 1800),
    degrees=st.floats(-180, 180),
    u=st.floats(-0.5, 1.5),
    v=st.floats(-0.5, 1.5),
)
def test_points_come_back(x, y, side, degrees, u, v):
    quad = square(x, y, side, degrees)
    there = to_source(np.array([[u, v]], np.float32), quad)
    back = to_source(to_crop(there, quad), quad)
    assert np.abs(back - there).max() < 0.1


def test_corners_of_the_crop_are_the_quad():
    quad = square(100, 80, 60, 20)
    corners = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], np.float32)  # TL BL BR TR
    np.testing.assert_allclose(to_source(corners, quad), quad, atol=1e-3)


@given(degrees=st.floats(-60, 60), dx=st.floats(-1, 1), dy=st.floats(-1, 1))
def test_features_of_the_picture_come_back_to_their_place(degrees, dx, dy):
    """A bright spot, cut out and put back, is where it was: no half pixel is lost on the way."""
    x, y = np.meshgrid(np.arange(120) + 0.5, np.arange(100) + 0.5)
    spot = np.array([60 + dx, 50 + dy])
    glow = 200 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * 3.0**2))
    rgb = np.repeat(glow[..., None], 3, 2).round().astype(np.uint8)
    quad = square(58, 52, 64, degrees)
    image = crop(rgb, quad, 128)[..., 0].astype(np.float64)
    cx, cy = (np.arange(128) + 0.5) @ image.sum(0) / image.sum(), (np.arange(128) + 0.5) @ image.sum(1) / image.sum()
    np.testing.assert_allclose(to_source(np.array([[cx, cy]]) / 128, quad)[0], spot, atol=0.1)
    box = bounding_box(quad, 120, 100)
    back = uncrop(image.astype(np.float32), quad, box)
    part = glow[box[1] : box[3], box[0] : box[2]]
    near = part > 5
    np.testing.assert_allclose(back[near], part[near], atol=2.0)


@pytest.mark.parametrize(("side", "size", "floor"), [(50, 256, 46), (230, 256, 46), (300, 512, 46), (900, 1024, 46)])
def test_round_trip_is_near_lossless(side, size, floor):
    rgb = smooth_picture(1400, 1100) if side > 500 else smooth_picture(500, 400)
    quad = square(rgb.shape[1] / 2, rgb.shape[0] / 2, side, 12)
    image = crop(rgb, quad, size)
    box = bounding_box(quad, rgb.shape[1], rgb.shape[0])
    back = uncrop(image.astype(np.float32), quad, box)
    weight = uncrop(np.ones((size, size), np.float32), quad, box, "zero", smooth=False)
    inner = cv2.erode(weight, np.ones((7, 7))) > 0.999
    error = (back - rgb[box[1] : box[3], box[0] : box[2]])[inner]
    assert 10 * np.log10(255**2 / np.square(error).mean()) > floor


@pytest.mark.parametrize("side", [400, 900, 2000])
def test_no_aliasing_when_reduced(side):
    """Stripes finer than the crop's pixels become grey, whatever the ratio."""
    x = np.arange(2600)
    stripes = (127.5 + 127.5 * np.sin(2 * np.pi * x / (1.5 * side / 256)))[None, :, None] * np.ones((2200, 1, 3))
    image = crop(stripes.astype(np.uint8), square(1300, 1100, side, 10), 256).astype(float)
    assert image[20:-20, 20:-20].std() < 12


def test_crop_size():
    def at(side, exits=(256, 512, 1024), most=1024):
        return crop_size(np.stack([square(0, 0, s) for s in (side, side, side * 3)]), exits, most)

    assert at(100) == 256
    assert at(256) == 256
    assert at(270) == 256  # a tenth too small is large enough
    assert at(300) == 512
    assert at(900) == 1024
    assert at(3000) == 1024
    assert at(900, most=512) == 512
    assert at(900, exits=(256,), most=128) == 256


def test_align_cuts_only_frames_with_a_face(landmarks):
    state = np.array([FaceState.FOUND, FaceState.ABSENT, FaceState.FILLED], np.uint8)
    points = landmarks[:3].copy()
    points[1] = np.nan
    tracks = Tracks(points, state, (640, 480), Fraction(25))
    frames = [(k, np.full((480, 640, 3), 50 * k, np.uint8)) for k in range(3)]
    crops = align(frames, tracks, AlignConfig(), exits=(64, 128), max_size=128, progress=silent)
    assert crops.frames.tolist() == [0, 2]
    assert crops.size == 128
    assert [int(crops.images[k].mean()) for k in range(len(crops.images))] == [0, 100]
    np.testing.assert_allclose(crops.quads[0], quads(points[:1], AlignConfig())[0])


def test_sides():
    np.testing.assert_allclose(sides(square(5, 5, 40, 33)[None]), 40, rtol=1e-5)


def test_a_crop_that_reaches_further_holds_the_crop_of_ffhq(landmarks):
    """Where `AlignConfig.inner` says, upright in it; nothing is smoothed differently."""
    config = AlignConfig(expand=(1, 3, 4, 2))
    left, top, side = config.inner
    for wide, plain in zip(quads(landmarks, config), quads(landmarks, AlignConfig()), strict=True):
        corners = np.array([[left, top], [left, top + side], [left + side, top + side], [left + side, top]])
        np.testing.assert_allclose(to_crop(plain.astype(np.float64), wide), corners, atol=1e-4)
