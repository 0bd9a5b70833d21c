"""Cuts of a drawn face; the networks only where their files are."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest
from drawn_face import drawn_face

from stitchedit.errors import ConfigError, NotFetched
from stitchedit.faces import attributes
from stitchedit.faces.attributes import Predictors, emotion_cut, face_chip


def test_the_chip_is_dlibs_own_for_whole_pixels() -> None:
    picture, points = drawn_face()
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, picture.shape).astype(np.uint8), (0, 0), 2)
    points = np.floor(points) + 0.5
    five = [dlib.point(int(points[i, 0]), int(points[i, 1])) for i in (45, 42, 36, 39, 33)]
    shape = dlib.full_object_detection(dlib.rectangle(50, 50, 200, 230), five)
    expected = dlib.extract_image_chip(picture, dlib.get_face_chip_details(shape, 64, 0.2))
    np.testing.assert_array_equal(face_chip(picture, points, 64, 0.2), expected)


def test_the_emotion_cut_is_a_square_around_the_face_even_at_the_edge() -> None:
    picture, points = drawn_face()
    assert emotion_cut(picture, points).shape == (64, 64, 3)
    assert emotion_cut(picture, points - 120).shape == (64, 64, 3)


def test_missing_files_and_missing_runtime_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, points = drawn_face()

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
    picture, points = drawn_face()
    assert predictors.age_rated(picture, points) == 31
    assert predictors.smile_rated(picture, points) == 50
    assert len(calls) == 1
    assert predictors.age_rated(255 - picture, points) == 32


@pytest.mark.weights
def test_the_networks_read_a_face_of_the_generator() -> None:
    pytest.importorskip("onnxruntime")
    predictors = Predictors()
    picture, points = drawn_face()
    try:
        seen = predictors(picture, points)
    except NotFetched:
        pytest.skip("the measuring networks are not fetched")
    assert 0 <= seen["age"] <= 99
    assert 0 <= seen["age_v1"] <= 80
    assert 0 <= seen["happy"] <= 1
    assert predictors.emotions(picture, points).sum() == pytest.approx(1, abs=1e-3)
