"""Crops of several faces put back into the frames of one clip."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from stitchedit.compositing.composite import Layer, pasted
from stitchedit.faces.mesh import mean_face
from stitchedit.masks.region_shape import face_shapes
from stitchedit.types import Crops, FacePoints, FaceState, Tracks
from stitchedit.video import VideoSource, open_video, write_video

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"


@pytest.fixture
def clip(tmp_path: Path) -> VideoSource:
    source = open_video(CLIP)
    write_video(tmp_path / "clip.mp4", source, islice(source, 2))
    return open_video(tmp_path / "clip.mp4")


def layer(clip: VideoSource, left: float, side: float, colour: int) -> Layer:
    """A face of one colour whose crop is a square of `side` pixels; in both frames."""
    quad = np.array([[left, 20], [left, 20 + side], [left + side, 20 + side], [left + side, 20]], np.float32)
    images = [np.full((64, 64, 3), colour, np.uint8)] * 2
    tracks = Tracks(
        np.zeros((2, 68, 2), np.float32),
        np.full(2, FaceState.FOUND, np.uint8),
        (clip.info.width, clip.info.height),
        Fraction(25),
    )
    points = FacePoints(np.repeat(mean_face()[0][None], 2, 0))
    return Layer(Crops(np.arange(2), np.repeat(quad[None], 2, 0), images, 64), face_shapes(points), images, tracks)


def test_faces_apart_are_each_as_if_alone(clip: VideoSource) -> None:
    left, right = layer(clip, 20, 250, 30), layer(clip, 350, 250, 220)
    for both, one, other, source in zip(
        pasted(clip, [left, right]), pasted(clip, [left]), pasted(clip, [right]), clip, strict=True
    ):
        np.testing.assert_array_equal(both.rgb()[:, :320], one.rgb()[:, :320])
        np.testing.assert_array_equal(both.rgb()[:, 320:], other.rgb()[:, 320:])
        np.testing.assert_array_equal(one.rgb()[:, 320:], source.rgb()[:, 320:])


def test_the_larger_of_two_faces_is_put_over_the_other(clip: VideoSource) -> None:
    small, large = layer(clip, 200, 200, 30), layer(clip, 150, 300, 220)
    for layers in ([small, large], [large, small]):
        for frame in pasted(clip, layers):
            assert frame.rgb()[110:130, 290:310].mean() > 200
