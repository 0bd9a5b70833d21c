import cv2
import numpy as np

from stitchedit.editing.residual_transfer import carried
from stitchedit.types import FloatArray

SIDE = 128


def drawing(seed: int = 0) -> FloatArray:
    """Soft blobs, as a generator draws them: enough structure for the flow to hold on to."""
    rough = np.random.default_rng(seed).standard_normal((SIDE, SIDE, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), 4)
    return np.asarray(0.35 * smooth / smooth.std(), np.float32).clip(-0.9, 0.9)


def spot(x: int, y: int) -> FloatArray:
    missed = np.zeros((SIDE, SIDE, 3), np.float32)
    missed[y - 2 : y + 3, x - 2 : x + 3] = 0.4
    return missed


def test_an_edit_that_changes_nothing_gives_the_source_back() -> None:
    drawn = drawing()
    source = drawn + spot(40, 70)
    np.testing.assert_allclose(drawn + carried(source, drawn, drawn), source, atol=1e-5)


def test_what_was_missed_moves_with_the_face() -> None:
    drawn = drawing()
    moved = np.roll(drawn, (2, 3), (0, 1))
    found = carried(drawn + spot(40, 70), drawn, moved)[..., 0]
    rows, columns = np.nonzero(found > 0.2)
    assert abs(rows.mean() - 72) < 1
    assert abs(columns.mean() - 43) < 1


def test_darker_skin_keeps_its_pores() -> None:
    drawn = drawing()
    found = carried(drawn + spot(40, 70), drawn, drawn * 0.9 - 0.1)
    assert found[70, 40].min() > 0.3


def test_where_the_edit_draws_something_else_nothing_is_carried() -> None:
    drawn = drawing()
    edited = drawn.copy()
    edited[40:100, 10:70] = drawing(1)[40:100, 10:70]
    found = carried(drawn + spot(40, 70) + spot(100, 30), drawn, edited)
    assert np.abs(found[60:80, 30:50]).max() < 0.2
    assert found[30, 100].min() > 0.3


def test_at_the_border_all_that_was_missed_stays_where_it_is() -> None:
    drawn = drawing()
    source = drawn + spot(40, 70)
    inside = np.zeros((SIDE, SIDE), np.float32)
    inside[:, 64:] = 1
    found = carried(source, drawn, np.roll(drawing(1), (2, 3), (0, 1)), inside)
    np.testing.assert_allclose(found[:, :56], (source - drawn)[:, :56], atol=1e-5)


def test_in_the_eyes_more_is_kept() -> None:
    drawn = drawing()
    edited = drawn + 0.25 * np.sign(drawing(1)).astype(np.float32)
    source, eyes = drawn + spot(40, 70), np.zeros((SIDE, SIDE), np.float32)
    eyes[60:80, 30:50] = 1
    kept, other = (carried(source, drawn, edited, eyes=e)[65:76, 35:46].max() for e in (eyes, None))
    assert kept > 1.2 * other > 0


def test_lips_keep_their_colour_and_take_the_edits_light() -> None:
    drawn = drawing()
    source = drawn + np.float32([0.2, -0.1, -0.1])  # redder than it is drawn
    edited = drawn - np.float32(0.2)  # paler and darker
    lips = np.zeros((SIDE, SIDE), np.float32)
    lips[60:80, 30:50] = 1
    found = edited + carried(source, source, edited, tints=lips)
    luma = np.array([0.299, 0.587, 0.114])
    there = np.s_[64:76, 34:46]
    colour, wanted = (p[there] - (p[there] @ luma)[..., None] for p in (found, source))
    np.testing.assert_allclose(colour, wanted, atol=0.02)
    assert np.abs((found - edited)[there] @ luma).max() < 1e-5
    np.testing.assert_array_equal(found[lips == 0], edited[lips == 0])


def test_skin_keeps_its_coarse_colour_and_light_and_takes_spots_and_folds_from_the_edit() -> None:
    drawn = drawing()
    freckle, fold = np.zeros((2, SIDE, SIDE, 3), np.float32)
    freckle[63:66, 63:66] = [0.1, -0.1, -0.1]
    fold[80:83, 30:100] = -0.3
    edited = drawn + np.float32([-0.4, 0, 0]) + freckle + fold  # darker and greener, with a spot and a fold
    skin = np.zeros((SIDE, SIDE), np.float32)
    skin[32:96, 32:96] = 1
    found = edited + carried(drawn, drawn, edited, skin=skin)
    luma = np.array([0.299, 0.587, 0.114])
    change = found - drawn
    light = change @ luma
    assert np.abs(light[48:60, 48:60]).max() < 0.04, "0.12 darker before"
    np.testing.assert_allclose(light[81, 64] - light[74, 64], -0.3, atol=0.05)
    colour = change - light[..., None]
    assert np.abs(colour[48:60, 48:60]).max() < 0.02
    spot = freckle[64, 64] - freckle[64, 64] @ luma
    np.testing.assert_allclose(colour[64, 64], spot, atol=0.03)
    np.testing.assert_array_equal(found[:8], edited[:8])
    at_border = carried(drawn, drawn, edited, np.zeros_like(skin), skin=skin)
    assert at_border[54, 54] @ luma > 0.1, "where stitching meets the source too, or there would be a ring"
    assert np.abs(np.diff(at_border @ luma, axis=1)).max() < 0.02, "and without an edge of its own"


def test_the_eyes_keep_their_own_look() -> None:
    drawn = drawing()
    paler = drawn * 0.7 + 0.25
    source, eyes = drawn + spot(40, 70), np.zeros((SIDE, SIDE), np.float32)
    eyes[60:80, 30:50] = 1
    whole = paler + carried(source, drawn, paler, eyes=eyes, own_eyes=eyes)
    none = paler + carried(source, drawn, paler, eyes=eyes)
    away = [np.abs(found - source)[62:78, 32:48].mean() for found in (whole, none)]
    assert away[0] < 0.1 * away[1]
    np.testing.assert_array_equal(whole[eyes == 0], none[eyes == 0])
