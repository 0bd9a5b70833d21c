from __future__ import annotations

import numpy as np
import pytest
from drawn_face import drawn_face

from stitchedit.faces import landmark_geometry
from stitchedit.faces.landmark_geometry import geometry, head_pose


def test_geometry_does_not_depend_on_size_place_or_roll() -> None:
    _, points = drawn_face()
    angle = np.radians(12)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (points @ turn.T * 2.5 + [300, 40]).astype(np.float32)
    plain, other = geometry(points), geometry(moved)
    assert other["roll"] - plain["roll"] == pytest.approx(12, abs=0.2)
    for name in plain:
        if name != "roll":
            assert other[name] == pytest.approx(plain[name], abs=0.5 if name in ("yaw", "pitch") else 1e-3), name


def test_geometry_in_eye_distances() -> None:
    _, points = drawn_face()
    seen = geometry(points)
    assert seen["mouth_width"] == pytest.approx(52 / 64)
    assert seen["eyes_open"] == pytest.approx(10 / 64)
    assert seen["mouth_open"] == pytest.approx((12 + 2 * 12 * np.sin(np.radians(60))) / 3 / 64, abs=1e-3)
    assert seen["brow_height"] == pytest.approx((110 - 89.2) / 64, abs=1e-2)
    raised = points.copy()
    raised[[48, 54], 1] -= 6
    assert geometry(raised)["mouth_curve"] - seen["mouth_curve"] == pytest.approx(6 / 64, abs=1e-3)


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0, 0, 0), (20, 0, 0), (0, 10, 0), (0, 0, 7), (-25, -8, 0)])
def test_pose_of_the_generic_face_itself(yaw: float, pitch: float, roll: float) -> None:
    a, b, c = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    solid = np.asarray(landmark_geometry._RIGID_FACE) @ (about_z @ about_x @ about_y).T
    points = np.zeros((68, 2), np.float32)
    points[list(landmark_geometry._RIGID_POINTS)] = solid[:, :2] * 1.3 + 200
    found = head_pose(points)
    assert found[0] == pytest.approx(yaw, abs=2)
    assert found[1] == pytest.approx(pitch, abs=2)
    assert found[2] == pytest.approx(roll, abs=4)  # yaw and pitch together tilt the face a little
