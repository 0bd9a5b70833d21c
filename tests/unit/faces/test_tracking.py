from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from stitchedit.config import TrackConfig
from stitchedit.errors import NoFace
from stitchedit.faces.tracking import _filled, track
from stitchedit.faces.tracklets import Tracklet
from stitchedit.progress import silent
from stitchedit.types import FaceState

DATA = Path(__file__).parents[2] / "data"
RATE = Fraction(25)


@pytest.fixture(scope="module")
def face():
    """A rendered face of about 130 px, [260, 290, 3]."""
    picture = np.asarray(Image.open(DATA / "rendered_face.png").convert("RGB"))
    return cv2.resize(picture, (290, 260), interpolation=cv2.INTER_AREA)


def scene(face, x=0, y=0, size=(420, 300), shade=110):
    picture = np.full((size[1], size[0], 3), shade, np.uint8)
    height, width = face.shape[:2]
    picture[y : y + height, x : x + width] = face
    return picture


def follow(pictures, **settings):
    height, width = pictures[0].shape[:2]
    frames = enumerate(pictures)
    return track(frames, TrackConfig(**settings), frame_size=(width, height), rate=RATE, progress=silent)


def test_landmarks_move_with_the_face(face):
    tracks = follow([scene(face, 10 * k, 2 * k) for k in range(6)])
    assert (tracks.state == FaceState.FOUND).all()
    assert tracks.frame_size == (420, 300)
    steps = np.diff(tracks.landmarks, axis=0).mean(axis=1)
    np.testing.assert_allclose(steps, np.broadcast_to((10, 2), (5, 2)), atol=0.4)
    assert tracks.runs == [slice(0, 6)]


def test_a_short_gap_is_interpolated_and_a_long_one_passes_through(face):
    empty = scene(face)
    empty[60:240, 50:230] = (150, 130, 110)  # something passes before the face
    pictures = [scene(face)] * 2 + [empty] * 3 + [scene(face, 6)] * 2 + [empty] * 8 + [scene(face, 6)] * 3
    tracks = follow(pictures)
    assert "".join("-FI"[s] for s in tracks.state) == "FFIIIFF--------FFF"
    assert np.isnan(tracks.landmarks[7:15]).all()
    assert np.isfinite(tracks.landmarks[tracks.frames]).all()
    np.testing.assert_allclose(
        tracks.landmarks[3], (tracks.landmarks[1] + tracks.landmarks[5]) / 2, atol=1e-3
    )  # the middle of the gap
    assert tracks.runs == [slice(0, 7), slice(7, 10)]


def test_a_cut_ends_a_run(face):
    tracks = follow([scene(face, 0, 0, shade=30)] * 3 + [scene(face, 120, 30, shade=220)] * 3)
    assert tracks.cuts.tolist() == [3]
    assert tracks.runs == [slice(0, 3), slice(3, 6)]


def test_nothing_is_filled_across_a_cut():
    tracklet = Tracklet(0, None, None, {0: np.zeros((68, 2), np.float32), 3: np.ones((68, 2), np.float32)})
    _, state = _filled([tracklet], 5, np.array([2]), gap=6)
    assert state.tolist() == [1, 0, 0, 1, 0]
    _, state = _filled([tracklet], 5, np.array([], int), gap=6)
    assert state.tolist() == [1, 2, 2, 1, 0]
    _, state = _filled([tracklet], 5, np.array([], int), gap=1)
    assert state.tolist() == [1, 0, 0, 1, 0]


def test_the_larger_of_two_faces_is_followed(face):
    small = cv2.resize(face, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    pictures = []
    for k in range(4):
        picture = scene(small, 0, 20, size=(520, 300))
        picture[:260, 220 + k : 510 + k] = face
        pictures.append(picture)
    tracks = follow(pictures)
    assert (tracks.landmarks[..., 0].mean(axis=1) > 250).all()


def test_a_small_face_is_found(face):
    small = cv2.resize(face, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)  # 52 px
    tracks = follow([scene(small, 20, 20, size=(176, 144))] * 3)
    assert (tracks.state == FaceState.FOUND).all()


def test_no_face_is_an_error_that_names_the_clip():
    frames = [(k, np.full((120, 160, 3), 90, np.uint8)) for k in range(3)]
    with pytest.raises(NoFace, match="3 frames of holiday"):
        track(frames, TrackConfig(), frame_size=(160, 120), rate=RATE, progress=silent, name="holiday.mp4")
    with pytest.raises(NoFace, match="0 frames"):
        track([], TrackConfig(), frame_size=(160, 120), rate=RATE, progress=silent)


def test_too_narrow_faces_are_not_edited(face):
    with pytest.raises(NoFace):
        follow([scene(face)] * 3, min_face_px=200)


def test_progress_counts_frames(face):
    seen = []

    def progress(stage, done, total, note=""):
        seen.append((stage, done, total))

    track(enumerate([scene(face)] * 2), TrackConfig(), frame_size=(420, 300), rate=RATE, progress=progress, total=2)
    assert seen == [("track", 1, 2), ("track", 2, 2)]


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_that_does_not_stand_upright_is_told_with_the_turn_that_helps(face, quarters):
    frames = [np.ascontiguousarray(np.rot90(scene(face), quarters))] * 3
    with pytest.raises(NoFace, match="upside down" if quarters == 2 else "on its side") as caught:
        follow(frames)
    assert f"-display_rotation {360 - 90 * quarters} " in caught.value.hint
