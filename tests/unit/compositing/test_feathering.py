from fractions import Fraction

import cv2
import numpy as np
import pytest

from stitchedit.compositing.feathering import NARROWEST, fade_widths, presence
from stitchedit.faces.mesh_topology import face_outline
from stitchedit.masks.outline_edges import DIRECTIONS, GRID, told_at
from stitchedit.masks.region_shape import Shape, face_shape
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.types import ByteArray, FaceState, FloatArray, Tracks

POINTS = np.load(packaged_file("mean_face.npy"))[:468]
SKIN, DARK, LIGHT = (200, 160, 140), (30, 40, 60), (90, 200, 90)
RIGHT, LEFT = 0, DIRECTIONS // 2


def portrait(right: tuple[int, int, int], left: tuple[int, int, int] = SKIN) -> ByteArray:
    """A face of skin, with something else at either side of its outline."""
    picture = np.empty((256, 256, 3), np.uint8)
    picture[:, :128], picture[:, 128:] = left, right
    cv2.fillPoly(picture, [np.rint(face_outline(POINTS) * 256).astype(np.int32)], SKIN)
    return picture


def widths(source: ByteArray, edited: ByteArray) -> FloatArray:
    return fade_widths([source], [edited], [face_shape(POINTS)], [slice(0, 1)])[0]


def test_the_fade_is_wide_where_the_edit_agrees_with_the_source() -> None:
    assert widths(portrait(DARK), portrait(DARK)).min() > 0.99


def test_the_fade_is_narrow_where_another_background_meets_the_edge_of_the_face() -> None:
    found = widths(portrait(DARK), portrait(LIGHT))
    assert found[RIGHT] == pytest.approx(NARROWEST, abs=0.01)
    assert found[LEFT] > 0.99


def test_the_fade_stays_wide_where_skin_goes_on_and_differs() -> None:
    """Without an edge in the source a narrow fade would be a seam."""
    assert widths(portrait(SKIN), portrait(LIGHT)).min() > 0.99


def test_widths_are_steady_within_a_run_only() -> None:
    sources = [portrait(DARK)] * 12
    edited = [portrait(DARK)] * 6 + [portrait(LIGHT)] * 6
    shapes = [face_shape(POINTS)] * 12
    one = fade_widths(sources, edited, shapes, [slice(0, 12)])[:, RIGHT]
    two = fade_widths(sources, edited, shapes, [slice(0, 6), slice(6, 12)])[:, RIGHT]
    assert np.abs(np.diff(one)).max() < 0.25
    assert np.abs(np.diff(two)).max() > 0.8


def test_around_a_head_the_edge_alone_decides_place_by_place() -> None:
    at = (np.arange(64, dtype=np.float32) + 0.5) / 64 - 0.5
    shape = Shape((face_outline(POINTS),), field=np.hypot(at, at[:, None]) - np.float32(0.4))
    picture = np.full((256, 256, 3), SKIN, np.uint8)
    beyond = (shape.distance(256) > 0) & (np.arange(256) > 128)
    picture[beyond] = LIGHT
    found = fade_widths([picture], [picture], [shape], [slice(0, 1)])[0]
    assert found.shape == (GRID, GRID)
    places = np.float32([[0.9, 0.5], [0.1, 0.5], [0.78, 0.22], [0.22, 0.78]])
    at_edge, at_skin, up, down = told_at(found, places[None], shape.center)[0]
    assert (at_edge, up) == (pytest.approx(NARROWEST, abs=0.02), pytest.approx(NARROWEST, abs=0.02))
    assert min(at_skin, down) > 0.98


def tracks(states: str, cuts: tuple[int, ...] = ()) -> Tracks:
    state = np.array([FaceState.FOUND if c == "F" else FaceState.ABSENT for c in states], np.uint8)
    return Tracks(np.zeros((len(states), 68, 2), np.float32), state, (64, 64), Fraction(25), np.array(cuts, np.int64))


def test_an_edit_comes_and_goes_softly_where_the_face_is_lost() -> None:
    shown = presence(tracks("F" * 12 + "-" * 3 + "F" * 12))
    assert (shown[:7] == 1).all()
    assert (shown[-7:] == 1).all()
    assert (np.diff(shown[6:12]) < 0).all()
    np.testing.assert_allclose(shown[7:12], shown[12:17][::-1], atol=1e-6)
    assert 0 < shown[11] < 0.2


def test_it_does_so_too_where_the_face_cannot_be_edited_well() -> None:
    doubtful = np.zeros(27, bool)
    doubtful[12:15] = True
    shown = presence(tracks("F" * 27), doubtful)
    without = presence(tracks("F" * 12 + "-" * 3 + "F" * 12))
    np.testing.assert_array_equal(shown, np.concatenate([without[:12], np.zeros(3), without[12:]]))


def test_an_edit_stays_whole_at_cuts_and_at_the_ends() -> None:
    assert (presence(tracks("F" * 20)) == 1).all()
    assert (presence(tracks("F" * 10 + "-" * 4 + "F" * 10, cuts=(10, 14))) == 1).all()
    assert (presence(tracks("F" * 10 + "F" * 10, cuts=(10,))) == 1).all()


def test_a_glimpse_never_shows_the_whole_edit() -> None:
    shown = presence(tracks("-" * 5 + "F" * 4 + "-" * 5))
    np.testing.assert_allclose(shown, shown[::-1], atol=1e-6)
    assert 0 < shown.min() < shown.max() < 1
