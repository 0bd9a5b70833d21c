from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stitchedit.config import AlignConfig, InvertConfig
from stitchedit.errors import ConfigError
from stitchedit.faces import landmark_choice
from stitchedit.faces.alignment import quads, to_crop
from stitchedit.faces.detectors import detect, landmarks
from stitchedit.faces.landmark_choice import PlacedBy, place_by_mesh, placed, placement_of, require_ready
from stitchedit.faces.mesh import crop_mesh
from stitchedit.progress import silent
from stitchedit.types import ByteArray, FaceState, FloatArray, Tracks

PICTURE = Path(__file__).parents[2] / "data" / "rendered_face.png"


@pytest.fixture(scope="module")
def picture() -> ByteArray:
    return np.asarray(Image.open(PICTURE).convert("RGB"))


@pytest.fixture(scope="module")
def found(picture: ByteArray) -> FloatArray:
    return landmarks(picture, detect(picture)[0].box)


def tracks(found: FloatArray) -> Tracks:
    marks = np.full((3, 68, 2), np.nan, np.float32)
    marks[[0, 2]] = found
    state = np.array([FaceState.FOUND, FaceState.ABSENT, FaceState.FOUND], np.uint8)
    return Tracks(marks, state, (640, 480), Fraction(25))


def test_the_mesh_places_a_crop_where_dlib_does(picture: ByteArray, found: FloatArray) -> None:
    """By a tenth of the crop at most: two models never mean quite the same points."""
    own = place_by_mesh(picture, found, "cpu")
    assert (own.shape, own.dtype) == ((68, 2), np.float32)
    one, other = (quads(marks[None], AlignConfig())[0] for marks in (found, own))
    apart = np.abs(to_crop(other, one) - [[0, 0], [0, 1], [1, 1], [1, 0]]).max()
    assert 1e-4 < apart < 0.1
    blank = np.full_like(picture, 128)
    np.testing.assert_array_equal(place_by_mesh(blank, found, "cpu"), found)


def test_frames_with_a_face_are_placed_anew(
    picture: ByteArray, found: FloatArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(landmark_choice.LANDMARKS._table, "mine", PlacedBy(lambda rgb, marks, device: marks + 2))  # type: ignore[index]
    before = tracks(found)
    after = placed([(0, picture), (2, picture)], before, "mine", "cpu", silent)
    np.testing.assert_allclose(after.landmarks[[0, 2]], before.landmarks[[0, 2]] + 2)
    assert np.isnan(after.landmarks[1]).all()
    assert placed([], before, "dlib", "cpu", silent) is before, "no frame is read"
    monkeypatch.setitem(landmark_choice.LANDMARKS._table, "mine", PlacedBy(lambda rgb, marks, device: marks[:5]))  # type: ignore[index]
    with pytest.raises(ConfigError, match=r"'mine' gives \[5, 2\] for frame 0"):
        placed([(0, picture)], before, "mine", "cpu", silent)


def test_masks_come_from_the_mesh_whatever_places_the_crop(picture: ByteArray) -> None:
    crop = np.ascontiguousarray(picture[:360, 10:370])
    wanted = crop_mesh(crop)
    for name in ("mesh", "fan", "fan3d"):
        assert placement_of(name) is not None
        points, probability = landmark_choice.LANDMARKS[name](crop)
        np.testing.assert_array_equal(points, wanted[0])
        assert probability == wanted[1]
    assert placement_of("dlib") is None
    require_ready("dlib", "cpu")
    require_ready("mesh", "cpu")


def test_the_old_name_is_still_read() -> None:
    assert InvertConfig(landmarks="mediapipe") == InvertConfig()
    with pytest.raises(ConfigError, match="unknown landmark model 'fan4'"):
        InvertConfig(landmarks="fan4")
