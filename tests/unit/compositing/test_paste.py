import numpy as np
import pytest

from stitchedit.compositing.blenders import BLENDERS
from stitchedit.compositing.paste import compose, shape_alpha
from stitchedit.errors import EmptyMask
from stitchedit.faces.alignment import crop
from stitchedit.faces.mesh_topology import face_outline
from stitchedit.masks.region_shape import face_shape
from stitchedit.models.bundled_weights import packaged_file

SIZE = (320, 240)


@pytest.fixture(scope="module")
def points():
    return np.load(packaged_file("mean_face.npy"))[:468]


@pytest.fixture(scope="module")
def picture():
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    return np.stack([x * 0.7, y * 0.9, 100 + 60 * np.sin(x / 9)], -1).astype(np.uint8)


def quad(x=160, y=120, side=180, degrees=10):
    turn = np.deg2rad(degrees)
    half = side / 2 * np.array([np.cos(turn), np.sin(turn)])
    down = np.array([-half[1], half[0]])
    return np.array([-half - down, -half + down, half + down, half - down], np.float32) + np.float32((x, y))


def reader(picture):
    return lambda box: picture[box[1] : box[3], box[0] : box[2]].astype(np.float32)


def test_alpha_is_one_on_the_face_and_zero_beyond_the_ring(points):
    place = quad()
    (x0, y0, x1, y1), alpha = shape_alpha(face_shape(points), place, SIZE)
    assert alpha.shape == (y1 - y0, x1 - x0)
    assert alpha.dtype == np.float32
    assert alpha.max() == 1
    assert (alpha[0] < 0.05).all()
    assert (alpha[:, 0] < 0.05).all()
    x, y = np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5)
    outline = face_outline(points) @ np.array([place[3] - place[0], place[1] - place[0]]) + place[0]
    gap = np.sqrt(((np.stack([x, y], -1)[:, :, None] - outline) ** 2).sum(-1)).min(-1)
    width = 50 * 180 / 1024
    assert (alpha[gap > width + 8] != 0).sum() == (alpha[gap > width + 8] == 1).sum()  # all in or all out
    steps = np.abs(np.diff(alpha, axis=1)).max()
    assert steps < 2.5 / width  # a smooth fade


def test_alpha_is_zero_where_the_crop_ends(points):
    place = quad(degrees=0, side=160)
    box, alpha = shape_alpha(face_shape(points + np.float32([0.3, 0])), place, SIZE)
    columns = np.arange(box[0], box[2])
    assert (alpha[:, columns >= place[:, 0].max()] == 0).all()
    assert alpha.max() == 1


def test_what_the_crop_cuts_off_fades_over_more_than_the_border(points):
    """Over two and a half widths: a shorter fade drew a line across hair that an edit turned grey."""
    place = quad(degrees=0, side=160)
    box, alpha = shape_alpha(face_shape(points + np.float32([0.3, 0])), place, SIZE)
    away = place[:, 0].max() - (np.arange(box[0], box[2]) + 0.5)
    row, width = alpha[alpha.shape[0] // 2], 50 * 160 / 1024
    np.testing.assert_allclose(np.interp(1.25 * width, away[::-1], row[::-1]), 0.5, atol=0.05)
    assert row[away > 2.6 * width].max() == 1
    assert row[(away > 0) & (away < 2.4 * width)].max() < 1


def test_an_unedited_crop_put_back_is_the_source(points, picture):
    place = quad()
    patch = compose(reader(picture), SIZE, crop(picture, place, 256), place, face_shape(points))
    source = reader(picture)(patch.box)
    shown = source + patch.alpha[..., None] * (patch.rgb - source)
    assert 10 * np.log10(255**2 / np.square(shown - source).mean()) > 45


def test_what_an_edit_leaves_stays_exactly_and_finer_than_its_crop(points):
    picture = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)  # nothing but fine detail
    place = quad()
    own = crop(picture, place, 64)
    patch = compose(reader(picture), SIZE, own, place, face_shape(points), own=own)
    source = reader(picture)(patch.box)
    np.testing.assert_array_equal(patch.rgb, source)
    lighter = np.minimum(own.astype(np.float32) + 20, 255)
    patch = compose(reader(picture), SIZE, lighter, place, face_shape(points), own=own)
    assert patch.rgb[patch.alpha == 1].std() > 0.9 * source[patch.alpha == 1].std()
    assert (patch.rgb - source)[patch.alpha == 1].mean() == pytest.approx(20, abs=1)


def test_where_an_edit_draws_something_else_the_source_does_not_shine_through(points):
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    place, other = quad(), random.integers(0, 256, (64, 64, 3), np.uint8)
    own = crop(picture, place, 64)
    inside = shape_alpha(face_shape(points), place, SIZE)[1] == 1
    plain, changes = (
        compose(reader(picture), SIZE, other, place, face_shape(points), own=given).rgb[inside] for given in (None, own)
    )
    source = compose(reader(picture), SIZE, own, place, face_shape(points), own=own).rgb[inside]
    alike = [np.corrcoef(shown.ravel(), source.ravel())[0, 1] for shown in (plain, changes)]
    assert alike[1] < alike[0] + 0.25


def test_faces_at_the_edge_of_the_picture_are_cut_there(points, picture):
    place = quad(x=300, y=230)
    patch = compose(reader(picture), SIZE, np.zeros((128, 128, 3), np.uint8), place, face_shape(points))
    x0, y0, x1, y1 = patch.box
    assert (x1, y1) == SIZE
    assert patch.rgb.shape == (y1 - y0, x1 - x0, 3)


def test_blender_is_taken(points, picture):
    patch = compose(
        reader(picture), SIZE, np.zeros((128, 128, 3), np.uint8), quad(), face_shape(points), blender=BLENDERS["none"]
    )
    assert set(np.unique(patch.alpha)) == {0.0, 1.0}


def test_a_face_outside_of_the_picture_is_an_error(points, picture):
    with pytest.raises(EmptyMask, match="frame 5"):
        compose(reader(picture), SIZE, np.zeros((64, 64, 3), np.uint8), quad(x=2000), face_shape(points), frame=5)
