import numpy as np
import pytest
import torch

from stitchedit.editing.stitching_border import interior, membrane, where_it_left
from stitchedit.masks.stitching_masks import RingMasks

RING = np.ones((128, 128), np.float32)
RING[16:-16, 16:-16] = 0


def test_interior_is_nothing_near_the_border_and_all_in_the_middle() -> None:
    inside = interior(1 - RING, 8.0)
    assert inside[:16].max() == 0
    assert 0 < inside[16, 64] < 0.5
    assert inside[64, 64] == 1
    assert (np.diff(inside[64, :64]) >= 0).all()


def test_at_an_edge_of_the_source_the_interior_begins_at_once() -> None:
    edge = np.zeros((128, 128), np.float32)
    edge[:, 64:] = 1
    inside = interior(1 - RING, 16.0, edge)
    np.testing.assert_allclose(inside[:, :64], interior(1 - RING, 16.0)[:, :64], atol=1e-6)
    assert (inside[64, 16 + 2], inside[64, -16 - 3]) == (pytest.approx(0.2, abs=0.2), 1)


def test_old_hair_beyond_the_edited_head_takes_the_colour_of_the_new_and_what_lies_behind_it_does_not() -> None:
    head, old = np.zeros((2, 64, 64), np.float32)
    old[8:56, 8:56], head[20:56, 8:56] = 1, 1  # the edited head is lower
    source, content = torch.full((1, 3, 64, 64), 0.9), torch.full((1, 3, 64, 64), 0.9)  # a light background
    source[..., 8:56, 8:56], content[..., 20:56, 8:56] = -0.8, 0.1  # dark hair, that turns grey
    source[..., 10:13, 30:33] = 0.9  # the background between its tips
    added = where_it_left(source, content, RingMasks(1 - head, head, old - head), 12.0)[0, 0].numpy()
    assert added[18, 20] == pytest.approx(0.9, abs=0.02)
    assert np.abs(added[11, 31]) < 0.05
    assert np.abs(added[:8]).max() == np.abs(added[21:]).max() == 0


def test_the_membrane_takes_a_step_in_light_away_and_leaves_structure_alone() -> None:
    inside, ring = interior(1 - RING, 8.0), RING > 0
    random = np.random.default_rng(0)
    source = 0.05 * random.standard_normal((128, 128, 3)).astype(np.float32)
    light = np.full((128, 128, 3), [0.2, -0.1, 0.0], np.float32)
    np.testing.assert_allclose(membrane(light, source, 1 - RING, inside, 8.0)[ring], light[ring], atol=1e-5)
    np.testing.assert_array_equal(membrane(light, source, 1 - RING, inside, 8.0)[inside == 1], 0)
    fine = 0.2 * np.sign(random.standard_normal((128, 128, 3))).astype(np.float32)
    left = fine - membrane(fine, source, 1 - RING, inside, 8.0)
    assert left[ring].std() > 0.9 * fine[ring].std()


def test_the_membrane_draws_no_halo_along_a_strong_edge() -> None:
    inside, ring = interior(1 - RING, 8.0), RING > 0
    source, gap = np.full((128, 128, 3), 0.5, np.float32), np.full((128, 128, 3), 0.2, np.float32)
    source[60:64], gap[60:64] = -0.8, 0.0  # a strip of hair, which came out right, on skin, which did not
    left = (gap - membrane(gap, source, 1 - RING, inside, 8.0))[ring]
    assert np.abs(left).max() < 0.03
