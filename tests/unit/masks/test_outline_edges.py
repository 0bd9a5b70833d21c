import cv2
import numpy as np
import pytest

from stitchedit.faces.mesh_topology import face_outline
from stitchedit.masks.outline_edges import DIRECTIONS, GRID, direction, edge_at_outline, pixel_places, told_at
from stitchedit.masks.region_shape import Shape, face_shape
from stitchedit.models.bundled_weights import packaged_file

POINTS = np.load(packaged_file("mean_face.npy"))[:468]
SKIN, DARK, LIGHT = (200, 160, 140), (30, 40, 60), (90, 200, 90)


def test_a_face_has_an_edge_where_something_else_begins_and_none_where_skin_goes_on() -> None:
    picture = np.full((256, 256, 3), SKIN, np.uint8)
    picture[:, 128:] = DARK
    cv2.fillPoly(picture, [np.rint(face_outline(POINTS) * 256).astype(np.int32)], SKIN)
    found = edge_at_outline(picture, face_shape(POINTS), 50)
    assert found.shape == (DIRECTIONS,)
    assert (found[0], found[DIRECTIONS // 2]) == (pytest.approx(1, abs=0.01), pytest.approx(0, abs=0.01))


def test_around_a_head_it_is_told_place_by_place() -> None:
    at = (np.arange(64, dtype=np.float32) + 0.5) / 64 - 0.5
    shape = Shape((face_outline(POINTS),), field=np.hypot(at, at[:, None]) - np.float32(0.4))
    picture = np.full((512, 512, 3), SKIN, np.uint8)
    picture[(shape.distance(512) > 0) & (np.arange(512) > 256)] = LIGHT
    found = edge_at_outline(picture, shape, 50)
    assert found.shape == (GRID, GRID)
    places = pixel_places(512)
    at_edge, at_skin = told_at(found, places, shape.center)[256, [461, 51]]
    assert (at_edge, at_skin) == (pytest.approx(1, abs=0.02), pytest.approx(0, abs=0.02))


def test_directions_go_around_without_a_step() -> None:
    middle = face_outline(POINTS).mean(axis=0)
    assert direction(middle + np.float32([0.1, 0]), middle) == pytest.approx(0)
    assert direction(middle + np.float32([0, 0.1]), middle) == pytest.approx(DIRECTIONS / 4, abs=0.01)
    varied = np.linspace(0, 1, DIRECTIONS).astype(np.float32)
    above, below = (told_at(varied, middle + np.float32([0.1, y]), middle) for y in (-1e-4, 1e-4))
    assert below == pytest.approx(0.0, abs=0.02)
    assert above == pytest.approx(0.0, abs=0.02)
