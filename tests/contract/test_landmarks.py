"""What every landmark model keeps; a newcomer in `LANDMARKS`, a plug-in too, is tested by itself."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from stitchedit.config import DEFAULT_LANDMARKS
from stitchedit.faces.detectors import MESH_POINTS
from stitchedit.faces.mesh import LANDMARKS, landmark_model
from stitchedit.types import ByteArray

PICTURE = Path(__file__).parents[1] / "data" / "rendered_face.png"


@pytest.fixture(scope="module")
def crop() -> ByteArray:
    """A face as crops show it, [256, 256, 3]."""
    picture = np.asarray(Image.open(PICTURE).convert("RGB"))[:360, 10:370]
    return np.asarray(cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)


def test_the_default_is_one_of_them() -> None:
    assert DEFAULT_LANDMARKS in LANDMARKS.own


@pytest.mark.parametrize("name", LANDMARKS)
class TestLandmarkModels:
    def test_gives_the_mesh_in_crop_sides_and_a_probability(self, name: str, crop: ByteArray) -> None:
        points, probability = landmark_model(name)(crop)
        assert points.shape == (MESH_POINTS, 2)
        assert points.dtype == np.float32
        assert np.isfinite(points).all()
        assert 0.5 <= probability <= 1
        middle = points.mean(axis=0)
        assert ((middle > 0.25) & (middle < 0.75)).all(), "the face fills the crop"

    def test_a_size_of_the_crop_changes_little(self, name: str, crop: ByteArray) -> None:
        small = cv2.resize(crop, (128, 128), interpolation=cv2.INTER_AREA)
        find = landmark_model(name)
        np.testing.assert_allclose(find(small)[0], find(crop)[0], atol=0.03)

    def test_repeats_itself_and_leaves_the_crop_alone(self, name: str, crop: ByteArray) -> None:
        given, find = crop.copy(), landmark_model(name)
        np.testing.assert_array_equal(find(given)[0], find(given)[0])
        np.testing.assert_array_equal(given, crop)

    def test_a_picture_without_a_face_is_no_error(self, name: str) -> None:
        points, probability = landmark_model(name)(np.full((64, 64, 3), 128, np.uint8))
        assert points.shape == (MESH_POINTS, 2)
        assert 0 <= probability <= 1
