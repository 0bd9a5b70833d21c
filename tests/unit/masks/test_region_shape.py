"""Shapes in the crop and on the source's pixels."""

from __future__ import annotations

import numpy as np
import pytest

from stitchedit.faces.alignment import to_source
from stitchedit.faces.mesh_topology import face_outline
from stitchedit.image.signed_distance import distance
from stitchedit.masks.region_shape import Shape, face_shape
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.types import FloatArray

POINTS = np.load(packaged_file("mean_face.npy"))[:468]
SQUARE = np.array([[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]], np.float32)
QUAD = np.array([[40, 20], [40, 120], [140, 120], [140, 20]], np.float32)
BOX = (30, 10, 150, 130)


def disc(radius: float, size: int = 128) -> FloatArray:
    """Distance to a circle around the middle of the crop."""
    at = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    return np.hypot(at, at[:, None]) - np.float32(radius)


def test_a_face_is_its_outline() -> None:
    shape, outline = face_shape(POINTS), face_outline(POINTS)
    np.testing.assert_array_equal(shape.distance(128), distance(outline * 128, (128, 128)))
    moved = to_source(outline, QUAD) - np.float32(BOX[:2])
    np.testing.assert_array_equal(shape.distance_in(QUAD, BOX), distance(moved, (120, 120)))


@pytest.mark.parametrize(
    "shape", [Shape((SQUARE,)), Shape((SQUARE,), grow=0.1), Shape((SQUARE,), within=SQUARE - 0.1), None]
)
def test_crop_and_source_show_the_same_shape(shape: Shape | None) -> None:
    shape = shape or Shape((SQUARE,), field=disc(0.4))
    here, there = shape.distance(100), shape.distance_in(QUAD, BOX)[10:110, 10:110]
    assert np.abs(here - there)[5:-5, 5:-5].max() < 0.5  # a crop pixel is a source pixel


def test_outlines_unite_grow_and_stay_within() -> None:
    apart = Shape((SQUARE * 0.5, SQUARE * 0.5 + 0.4)).distance(100)
    assert (apart[25, 25] < 0, apart[65, 65] < 0, apart[45, 45] > 0) == (True, True, True)
    wide = Shape((SQUARE,), grow=0.1).distance(100)
    np.testing.assert_allclose(wide[50, 30], Shape((SQUARE,)).distance(100)[50, 30] - 10, atol=1e-4)
    held = Shape((SQUARE,), grow=0.2, within=SQUARE).distance(100)
    assert ((held < 0) == (Shape((SQUARE,)).distance(100) < 0)).all()


def test_a_field_adds_what_the_outlines_lack() -> None:
    shape = Shape((SQUARE * 0.2 + 0.4,), field=disc(0.4))
    far = shape.distance(64)
    assert np.abs(far - 64 * disc(0.4, 64)).max() < 0.5
    assert shape.extent.min() == pytest.approx(0.1, abs=0.01)
    assert shape.extent.max() == pytest.approx(0.9, abs=0.01)
