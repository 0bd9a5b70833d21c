"""Readings of made-up faces whose answers are known; the networks only where their files are."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest

from stitchedit.errors import ConfigError, NotFetched
from stitchedit.faces import attributes
from stitchedit.faces.attributes import Predictors, appearance, emotion_cut, face_chip, geometry, head_pose


def _face(gaze: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A drawn face, RGB [256, 256, 3], and its 68 landmarks: eyes 64 px apart at (96, 110) and (160, 110)."""
    points = np.zeros((68, 2))
    angle = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack([128 + 75 * np.cos(angle), 120 + 100 * np.sin(angle)], 1)
    points[17:22] = np.stack([np.linspace(76, 114, 5), [92, 88, 87, 88, 91]], 1)
    points[22:27] = np.stack([np.linspace(142, 180, 5), [91, 88, 87, 88, 92]], 1)
    points[27:31] = np.stack([[128] * 4, [110, 120, 130, 140]], 1)
    points[31:36] = np.stack([np.linspace(116, 140, 5), [148, 150, 151, 150, 148]], 1)
    ring = np.array([[-14, 0], [-6, -5], [6, -5], [14, 0], [6, 5], [-6, 5]], float)
    points[36:42], points[42:48] = ring + np.array([96, 110]), ring + np.array([160, 110])
    turn = np.radians([180, 210, 250, 270, 290, 330, 0, 30, 70, 90, 110, 150])
    points[48:60] = np.stack([128 + 26 * np.cos(turn), 180 + 12 * np.sin(turn)], 1)
    turn = np.radians([180, 240, 270, 300, 0, 60, 90, 120])
    points[60:68] = np.stack([128 + 20 * np.cos(turn), 180 + 6 * np.sin(turn)], 1)
    picture = np.full((256, 256, 3), (200, 160, 140), np.uint8)
    for eye in (36, 42):
        cv2.fillPoly(picture, [np.rint(points[eye : eye + 6]).astype(np.int32)], (250, 250, 250))
        x, y = points[eye : eye + 6].mean(0) + np.array([gaze * 28, 0])
        cv2.circle(picture, (round(x), round(y)), 4, (20, 20, 20), -1)
    return picture, points.astype(np.float32)


def test_the_chip_is_dlibs_own_for_whole_pixels() -> None:
    picture, points = _face()
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, picture.shape).astype(np.uint8), (0, 0), 2)
    points = np.floor(points) + 0.5
    five = [dlib.point(int(points[i, 0]), int(points[i, 1])) for i in (45, 42, 36, 39, 33)]
    shape = dlib.full_object_detection(dlib.rectangle(50, 50, 200, 230), five)
    expected = dlib.extract_image_chip(picture, dlib.get_face_chip_details(shape, 64, 0.2))
    np.testing.assert_array_equal(face_chip(picture, points, 64, 0.2), expected)


def test_geometry_does_not_depend_on_size_place_or_roll() -> None:
    _, points = _face()
    angle = np.radians(12)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (points @ turn.T * 2.5 + [300, 40]).astype(np.float32)
    plain, other = geometry(points), geometry(moved)
    assert other["roll"] - plain["roll"] == pytest.approx(12, abs=0.2)
    for name in plain:
        if name != "roll":
            assert other[name] == pytest.approx(plain[name], abs=0.5 if name in ("yaw", "pitch") else 1e-3), name


def test_geometry_in_eye_distances() -> None:
    _, points = _face()
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
    solid = np.asarray(attributes._RIGID_FACE) @ (about_z @ about_x @ about_y).T
    points = np.zeros((68, 2), np.float32)
    points[list(attributes._RIGID_POINTS)] = solid[:, :2] * 1.3 + 200
    found = head_pose(points)
    assert found[0] == pytest.approx(yaw, abs=2)
    assert found[1] == pytest.approx(pitch, abs=2)
    assert found[2] == pytest.approx(roll, abs=4)  # yaw and pitch together tilt the face a little


def test_gaze_follows_the_pupils() -> None:
    right, middle, left = (appearance(*_face(gaze))["gaze"] for gaze in (0.2, 0.0, -0.2))
    assert right > middle + 0.1
    assert left < middle - 0.1
    assert abs(middle) < 0.05


def test_glasses_skin_and_light() -> None:
    picture, points = _face()
    plain = appearance(picture, points)
    framed = picture.copy()
    for x, y in ((96, 112), (160, 112)):
        cv2.ellipse(framed, (x, y), (26, 20), 0, 0, 360, (20, 20, 20), 3)
    cv2.line(framed, (122, 108), (134, 108), (20, 20, 20), 4)
    assert appearance(framed, points)["glasses"] > plain["glasses"] + 1
    lit = picture.astype(np.float32)
    lit[:, 128:] *= 1.2
    assert appearance(np.clip(lit, 0, 255).astype(np.uint8), points)["light"] > 5
    assert abs(plain["light"]) < 0.5
    redder = picture.copy()
    redder[..., 1] -= 30
    assert appearance(redder, points)["red"] > plain["red"] + 5


def test_the_emotion_cut_is_a_square_around_the_face_even_at_the_edge() -> None:
    picture, points = _face()
    assert emotion_cut(picture, points).shape == (64, 64, 3)
    assert emotion_cut(picture, points - 120).shape == (64, 64, 3)


def test_missing_files_and_missing_runtime_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, points = _face()

    def absent(name: str) -> Path:
        raise NotFetched(name, "stitchedit weights fetch measuring")

    with pytest.raises(NotFetched):
        Predictors(absent).happy(picture, points)
    with pytest.raises(NotFetched):
        Predictors(absent).age(picture, points)
    attributes._onnxruntime.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError) as caught:
        Predictors(lambda name: tmp_path / name).age_v1(picture, points)
    assert "stitchedit[measure]" in caught.value.hint
    attributes._onnxruntime.cache_clear()


def test_ratings_of_a_face_are_worked_out_once_and_anew_for_another_picture() -> None:
    calls = []

    class Counting(Predictors):
        def _rate(self, picture: np.ndarray, landmarks: np.ndarray) -> dict[str, float]:
            calls.append(picture)
            return {"age_rated": 30.0 + len(calls), "smile_rated": 50.0}

    predictors = Counting()
    picture, points = _face()
    assert predictors.age_rated(picture, points) == 31
    assert predictors.smile_rated(picture, points) == 50
    assert len(calls) == 1
    assert predictors.age_rated(255 - picture, points) == 32


@pytest.mark.weights
def test_the_networks_read_a_face_of_the_generator() -> None:
    pytest.importorskip("onnxruntime")
    predictors = Predictors()
    picture, points = _face()
    try:
        seen = predictors(picture, points)
    except NotFetched:
        pytest.skip("the measuring networks are not fetched")
    assert 0 <= seen["age"] <= 99
    assert 0 <= seen["age_v1"] <= 80
    assert 0 <= seen["happy"] <= 1
    assert predictors.emotions(picture, points).sum() == pytest.approx(1, abs=1e-3)
