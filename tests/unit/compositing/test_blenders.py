"""What each blender is for; what all of them keep is in tests/contract."""

import numpy as np
import pytest

from stitchedit.compositing.blenders import BLENDERS, feather, match_colours, multiband, poisson
from stitchedit.config import BLENDERS as NAMES


def disc(size=120, radius=40, ring=12):
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    return np.clip((radius + ring - np.hypot(x, y)) / ring, 0, 1).astype(np.float32)


def grey(value, size=120):
    return np.full((size, size, 3), value, np.float32)


def shown(blender, source, edited, alpha):
    patch, weight = blender(source, edited, alpha)
    return source + weight[..., None] * (patch - source)


def texture(seed, strength, size=120):
    return (strength * np.random.default_rng(seed).normal(size=(size, size, 1))).astype(np.float32)


def test_every_blender_can_be_asked_for():
    assert list(NAMES) == list(BLENDERS)


def test_poisson_keeps_the_edits_texture_and_takes_the_light_of_the_border():
    source, grain = grey(100), texture(0, 8)
    edited = grey(130) + grain  # a wrong light all over
    made = shown(poisson, source, edited, disc())
    middle = np.s_[45:75, 45:75]
    assert abs(made[middle].mean() - 100) < 2
    assert abs(shown(feather, source, edited, disc())[middle].mean() - 130) < 1
    np.testing.assert_allclose(
        made[middle] - made[middle].mean(), grain[middle] - grain[middle].mean() + 0 * made[middle], atol=1
    )


def test_poisson_keeps_light_that_the_edit_has_of_its_own():
    source = grey(100)
    edited = source + 30 * disc(radius=20, ring=15)[..., None]  # a blush that ends before the border
    np.testing.assert_allclose(shown(poisson, source, edited, disc()), edited, atol=0.1)


def test_poisson_solves_its_equation():
    """Against a plain relaxation at full size, where the grid is as fine as the picture."""
    size = 48
    rng = np.random.default_rng(1)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(size, size, 3)), 0), 1).astype(np.float32)
    source, edited = grey(90, size), 90 + 20 * smooth / np.abs(smooth).max()
    alpha = disc(size, 14, 8)
    part = np.clip(2 * alpha, 0, 1)
    part = part * part * (3 - 2 * part)
    inside = part > 0.02
    found, pushed = source + part[..., None] * (edited - source), np.zeros((size, size, 3))
    feathered = found.copy()
    differs = source - edited
    for axis in (0, 1):
        a, b = [slice(None)] * 2, [slice(None)] * 2
        a[axis], b[axis] = slice(None, -1), slice(1, None)
        a, b = tuple(a), tuple(b)
        flow = (differs[a] + differs[b]) / 2 * (part[b] - part[a])[..., None]
        pushed[a] += flow
        pushed[b] -= flow
    g = np.zeros((size, size, 3))
    for _ in range(4000):
        around = sum(np.roll(g, step, axis) for step in (1, -1) for axis in (0, 1))
        g = np.where(inside[..., None], (around - pushed) / 4, 0)
    made = shown(poisson, source, edited.astype(np.float32), alpha)
    strong = part > 0.05
    np.testing.assert_allclose(made[strong], (feathered + g)[strong], atol=0.05)


@pytest.mark.parametrize("name", ["poisson", "multiband"])
def test_there_is_no_step_where_the_mask_ends(name):
    alpha = disc(radius=48, ring=12)  # touches the box on all sides, as masks do
    source = grey(100) + texture(2, 3)
    made = shown(BLENDERS[name], source, source + 25, alpha)
    faint = (alpha > 0) & (alpha < 0.02)
    assert faint.sum() > 20
    assert np.abs(made - source)[faint].max() < 2.5


@pytest.mark.parametrize("name", list(BLENDERS))
def test_a_face_that_the_picture_cuts_off_is_not_faded_there(name):
    alpha = disc()[:, :60]  # the right half is beyond the picture
    blush = 40 * disc(radius=22, ring=10)[:, :60, None]
    made = shown(BLENDERS[name], grey(100)[:, :60], grey(100)[:, :60] + blush, alpha)
    np.testing.assert_allclose(made[60, 50:], 140, atol=8 if name == "multiband" else 1)


def test_multiband_fades_light_over_a_wide_way_and_detail_over_a_narrow_one():
    source, alpha = grey(100), disc()
    light = shown(multiband, source, grey(130), alpha)[60, :60, 0] - 100
    detail = shown(multiband, source, source + texture(3, 6), alpha)[60, :60] - 100
    plain = shown(feather, source, grey(130), alpha)[60, :60, 0] - 100
    assert light[59] > 28, "in the middle all of it is there"
    rising = (light > 3) & (light < 27)
    assert rising.sum() > 1.4 * ((plain > 3) & (plain < 27)).sum()
    assert np.abs(detail[22:]).mean() > 0.6 * np.abs(texture(3, 6)[60, 22:60]).mean(), "already at the inner rim"


def test_multiband_matches_the_contrast_of_the_border():
    alpha = disc()
    source, soft = grey(100) + texture(4, 8), grey(100) + texture(5, 6.5)
    made = shown(multiband, source, soft, alpha)
    middle = np.s_[45:75, 45:75]
    assert made[middle].std() == pytest.approx(8, rel=0.12)
    assert soft[middle].std() < 7


def test_multiband_leaves_the_contrast_of_what_is_the_sources_own():
    alpha = disc()
    source, paler = grey(100) + texture(4, 8), grey(100) + texture(4, 6.5)
    made = shown(multiband, source, paler, alpha)
    middle = np.s_[45:75, 45:75]
    assert made[middle].std() == pytest.approx(paler[middle].std(), rel=0.02)


def test_matching_colours_undoes_a_tint_and_leaves_a_face_without_border_alone():
    alpha = disc()
    source = grey(100) + texture(6, 12) + np.float32([10, 0, -10])
    tinted = (source - 100) * np.float32([0.9, 1.1, 1.0]) + np.float32([95, 108, 100])
    np.testing.assert_allclose(match_colours(source, tinted, alpha), source, atol=0.2)
    np.testing.assert_array_equal(match_colours(source, tinted, np.ones_like(alpha)), tinted)
