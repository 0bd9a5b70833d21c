"""Where the masks lie, and what the ceiling is measured on."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from stitchedit.evaluation.clip_versions import Places, decoded, reencoded
from stitchedit.masks.region_shape import face_shape
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.types import Crops, FacePoints, Tracks
from stitchedit.video import open_video

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"


@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_the_ceiling_has_every_frame_a_little_worse(size: tuple[int, int]) -> None:
    width, height = size

    def take() -> Iterator[np.ndarray]:
        for picture in islice(decoded(open_video(CLIP))(), 5):
            yield np.ascontiguousarray(picture[:height, 200 : 200 + width])

    again = list(reencoded(take, Fraction(24))())
    assert [p.shape for p in again] == [(height, width, 3)] * 5
    gaps = [np.abs(a.astype(int) - b).mean() for a, b in zip(again, take(), strict=True)]
    assert all(0 < gap < 6 for gap in gaps)


def test_no_frames_are_no_frames() -> None:
    assert list(reencoded(lambda: iter(()), Fraction(24))()) == []


def test_the_mask_is_the_pasted_face_on_the_whole_frame() -> None:
    quad = np.array([[[60, 40], [60, 160], [180, 160], [180, 40]]], np.float32)
    points = np.load(packaged_file("mean_face.npy"))[None, :468]
    tracks = Tracks(np.zeros((1, 68, 2), np.float32), np.ones(1, np.uint8), (240, 200), Fraction(25))
    places = Places(tracks, Crops(np.array([0]), quad, [], 64), FacePoints(points), [face_shape(points[0])])
    mask = places.mask(0)
    assert mask.shape == (200, 240)
    assert mask[100, 120] == 1
    assert mask[:40].max() == mask[:, :60].max() == 0
