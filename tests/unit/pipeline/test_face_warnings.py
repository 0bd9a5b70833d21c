"""A face that is too dark, too small or half out of the picture is told before it is tuned on."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from stitchedit.faces.alignment import to_source
from stitchedit.faces.mesh import mean_face
from stitchedit.pipeline.face_warnings import DARK, SMALL, all_warnings
from stitchedit.types import Crops, FacePoints, FaceState, Tracks


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
