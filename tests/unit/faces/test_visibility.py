"""Frames that are found but not fit for editing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from stitchedit.faces.alignment import to_source
from stitchedit.faces.mesh import mean_face
from stitchedit.faces.visibility import Why, doubtful_runs, visibility_flags
from stitchedit.types import Crops, FacePoints, FaceState, FloatArray, Tracks

Clip = tuple[Tracks, Crops, FacePoints]


@pytest.fixture
def clip() -> Clip:
    """Forty frames of an average face in a crop of 100 pixels, seen a little differently by both readers each time."""
    rng = np.random.default_rng(0)
    mesh, marks = mean_face()
    points = mesh + rng.normal(0, 0.002, (40, *mesh.shape)).astype(np.float32)
    quads = np.repeat(np.array([[[50, 40], [50, 140], [150, 140], [150, 40]]], np.float32), 40, 0)
    landmarks = np.stack([to_source(marks + rng.normal(0, 0.002, marks.shape), quads[0]) for _ in range(40)])
    tracks = Tracks(
        landmarks.astype(np.float32),
        np.full(40, FaceState.FOUND, np.uint8),
        (200, 200),
        Fraction(25),
        scores=rng.uniform(1.4, 2.5, 40).astype(np.float32),
    )
    return tracks, Crops(np.arange(40), quads, [], 100), FacePoints(points)


def shown(found: FloatArray) -> str:
    return "".join(map(str, found))


def test_ordinary_frames_are_none(clip: Clip) -> None:
    tracks, crops, points = clip
    assert not visibility_flags(tracks, crops, points).any()
    assert not visibility_flags(replace(tracks, scores=np.empty(0, np.float32)), crops, points).any(), (
        "an older project"
    )


def test_a_face_that_two_readers_see_in_two_ways_is_covered(clip: Clip) -> None:
    tracks, crops, points = clip
    points.points[10:18, 61:300] += np.float32([0, 0.06])
    found = visibility_flags(tracks, crops, points)
    assert shown(found) == "0" * 10 + "1" * 8 + "0" * 22
    (run,) = doubtful_runs(tracks, crops, found)
    assert str(run) == "10-17 (0.40-0.72 s: the face is covered or turned far away)"
    assert run.as_json()["why"] == "the face is covered or turned far away"


def test_a_face_that_is_hardly_seen_and_frames_between(clip: Clip) -> None:
    tracks, crops, points = clip
    tracks.scores[5:9] = -0.4
    tracks.scores[9] = np.nan  # followed, not detected
    tracks.scores[12:15] = -0.2
    found = visibility_flags(tracks, crops, points)
    assert shown(found) == "0" * 5 + "2" * 10 + "0" * 25, "the frames between are too few to come and go"


def test_a_stretch_has_one_reason(clip: Clip) -> None:
    tracks, crops, points = clip
    tracks.scores[10:20] = -0.4
    points.points[13:16] += np.float32([0, 0.1])
    points.points[13:16, :30] -= np.float32([0, 0.2])
    tracks.scores[13:16] = 2
    assert shown(visibility_flags(tracks, crops, points)) == "0" * 10 + "2" * 10 + "0" * 20


def test_one_odd_frame_is_let_pass(clip: Clip) -> None:
    tracks, crops, points = clip
    tracks.scores[20] = -1
    points.points[30] += np.float32([0.1, 0])
    assert not visibility_flags(tracks, crops, points).any()


def test_a_face_that_leaves_the_picture(clip: Clip) -> None:
    tracks, crops, points = clip
    for k in range(30, 40):
        shift = np.float32([-12 * (k - 29), 0])
        crops.quads[k] += shift
        tracks.landmarks[k] += shift
    found = visibility_flags(tracks, crops, points)
    first = int(np.flatnonzero(found)[0])
    assert 34 <= first <= 38
    assert shown(found) == "0" * first + "3" * (40 - first)


def test_nothing_reaches_across_a_cut(clip: Clip) -> None:
    tracks, crops, points = clip
    tracks.scores[10:20] = -1
    tracks = replace(tracks, cuts=np.array([20]))
    assert shown(visibility_flags(tracks, crops, points)) == "0" * 10 + "2" * 10 + "0" * 20
    assert Why(2) is Why.WEAK


def test_in_a_clip_that_is_mostly_profile_the_profile_is_what_is_odd(clip: Clip) -> None:
    tracks, crops, points = clip
    points.points[12:, 61:300] += np.float32([0, 0.06])
    tracks.scores[12:] = 0.3
    assert shown(visibility_flags(tracks, crops, points)) == "0" * 12 + "1" * 28
