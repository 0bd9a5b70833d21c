import numpy as np
import pytest

from stitchedit.faces.mesh_topology import OVAL, face_outline
from stitchedit.image.signed_distance import distance, inside


def ring(x, y, radius, count=72):
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], 1).astype(np.float32)


@pytest.mark.parametrize(("size", "radius"), [((64, 64), 20), ((512, 512), 170), ((1024, 1024), 300), ((201, 350), 60)])
def test_distance_is_that_of_a_circle(size, radius):
    center = (size[0] * 0.48, size[1] * 0.53)
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    expected = np.hypot(x - center[0], y - center[1]) - radius
    found = distance(ring(*center, radius), size)
    assert found.shape == (size[1], size[0])
    near = np.abs(expected) < radius / 2
    # A polygon of 72 sides lies up to a thousandth of the radius inside of the circle.
    assert np.abs(found - expected)[near].max() < 0.1 + 0.001 * radius


def test_distance_to_a_square():
    square = np.array([[2, 2], [2, 8], [8, 8], [8, 2]], np.float32)
    found = distance(square, (10, 10))
    np.testing.assert_allclose(found[5, 0], 1.5, atol=1e-5)
    np.testing.assert_allclose(found[4, 2], -0.5, atol=1e-5)


def test_masks_move_by_parts_of_a_pixel():
    areas = [inside([ring(100 + shift, 100, 40)], (200, 200)) for shift in np.linspace(0, 1, 5)]
    x = np.arange(200) + 0.5
    centers = [(a.sum(0) @ x) / a.sum() for a in areas]
    np.testing.assert_allclose(np.diff(centers), 0.25, atol=0.01)
    assert areas[0].sum() == pytest.approx(np.pi * 40**2, rel=0.01)


def test_several_outlines_are_united():
    both = inside([ring(50, 50, 20), ring(150, 50, 20)], (200, 100))
    assert both[50, 50] == both[50, 150] == 1
    assert both[50, 100] == 0


def test_face_outline_is_raised_at_the_forehead_only():
    rng = np.random.default_rng(0)
    points = rng.uniform(0.4, 0.6, (468, 2)).astype(np.float32)
    points[list(OVAL)] = np.roll(ring(0.5, 0.6, 0.3, 36), 9, axis=0) * (1, 1)
    points[10], points[152], points[9] = (0.5, 0.3), (0.5, 0.9), (0.5, 0.45)
    raised = face_outline(points)
    oval = points[list(OVAL)]
    assert raised[0][1] == pytest.approx(0.3 - 0.11 * 0.6, abs=1e-5)
    low = oval[:, 1] > 0.5
    np.testing.assert_array_equal(raised[low], oval[low])
