"""A face that is too dark, too small or half out of the picture is told before it is tuned on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from stitchedit.config import InvertConfig, TrackConfig
from stitchedit.errors import ConfigError, NoFace
from stitchedit.faces.alignment import to_source
from stitchedit.faces.mesh import mean_face
from stitchedit.pipeline.face_warnings import DARK, SMALL, _hard_frames, all_warnings, foretold_faces
from stitchedit.types import ByteArray, Crops, FacePoints, FaceState, Tracks
from stitchedit.video import open_video

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"


def clip(level: float, side: float, left: float = 40.0) -> tuple[Tracks, Crops, FacePoints]:
    """Ten frames of an average face of one grey level before white, its square so wide and so far from the left."""
    mesh, marks = mean_face()
    quad = np.float32([[0, 0], [0, side], [side, side], [side, 0]]) + np.float32([left, 10])
    image = np.full((100, 100, 3), 255, np.uint8)
    image[20:90, 15:85] = round(level)
    landmarks = np.repeat(to_source(marks, quad)[None].astype(np.float32), 10, 0)
    tracks = Tracks(
        landmarks, np.full(10, FaceState.FOUND, np.uint8), (400, 400), Fraction(25), scores=np.full(10, 2.0)
    )
    return (
        tracks,
        Crops(np.arange(10), np.repeat(quad[None], 10, 0), [image] * 10, 100),
        FacePoints(mesh[None].repeat(10, 0)),
    )


def test_of_a_face_that_can_be_edited_nothing_is_said() -> None:
    assert all_warnings(*clip(DARK + 1, SMALL + 1)) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (clip(12, 300), "very dark (12 of 255)"),
        (clip(100, 50), "very small (its square is 50 px wide)"),
        (clip(100, 300, left=-150), "0-9 (0.00-0.40 s: much of the face is out of the picture)"),
    ],
)
def test_what_will_come_out_badly_is_told(given: tuple[Tracks, Crops, FacePoints], said: str) -> None:
    (told,) = all_warnings(*given)
    assert said in told


class Shown:
    """The first frames of the demo clip, half as large, with a change to each."""

    def __init__(self, change: Callable[[ByteArray], ByteArray], count: int = 14) -> None:
        self.pictures = [
            change(cv2.resize(frame.rgb(), (320, 180), interpolation=cv2.INTER_AREA))
            for frame in islice(open_video(CLIP), count)
        ]
        height, width = self.pictures[0].shape[:2]
        self.info = SimpleNamespace(path=CLIP, width=width, height=height, rate=Fraction(24))

    def count(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[SimpleNamespace]:
        for index, picture in enumerate(self.pictures):
            yield SimpleNamespace(index=index, rgb=lambda p=picture: p)


def foretold(change: Callable[[ByteArray], ByteArray], count: int = 14, **asked: object) -> list[str]:
    config = InvertConfig(track=TrackConfig(**asked))  # type: ignore[arg-type]
    return foretold_faces(Shown(change, count), config, [256])  # type: ignore[arg-type]


def test_a_plan_says_so_too() -> None:
    assert foretold(lambda p: p) == []
    dark, small = foretold(lambda p: p[::2, ::2] // 8)
    assert dark.startswith("the face is very dark")
    assert small.startswith("the face is very small")
    assert foretold(np.zeros_like) == ["no face is found in 12 frames that were looked at"]
    (lying,) = foretold(lambda p: np.ascontiguousarray(np.rot90(p)))
    assert "turn it: " in lying
    with pytest.raises(NoFace):
        foretold(np.zeros_like, count=2)
    with pytest.raises(ConfigError, match="face 7"):
        foretold(lambda p: p, count=3, face="7")


def test_a_plan_tells_how_many_of_the_frames_are_hard() -> None:
    flags = np.array([0, 3, 3, 0, 1], np.uint8)
    (told,) = _hard_frames(flags)
    assert told == "hard to edit, so edits fade out: 2 of 5 frames looked at (much of the face is out of the picture)"
