"""A scar that was painted and a spot that was taken away, carried through a turning rendered head."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from stitchedit.config import AlignConfig, TrackConfig
from stitchedit.editing.retouched_frames import CarriedRetouch, Retouch
from stitchedit.faces.alignment import align, sides
from stitchedit.faces.mesh import mesh_points
from stitchedit.faces.tracking import track
from stitchedit.progress import silent
from stitchedit.types import ByteArray, Crops, FacePoints, FloatArray, IntArray, Tracks
from stitchedit.video import open_video

DATA = Path(__file__).parents[2] / "data"
TRUTH: dict[str, Any] = json.loads((DATA / "turning_head.json").read_text())
AT_512_PX = 1.5  # pixels of a crop of 512 px, the median that is aimed at

Head = tuple[Crops, FacePoints, Tracks]


@pytest.fixture(scope="module")
def head() -> Head:
    pictures: list[ByteArray] = [frame.rgb() for frame in open_video(DATA / "turning_head.mp4")]
    size = pictures[0].shape[1], pictures[0].shape[0]
    frames = list(enumerate(pictures))
    total = len(frames)
    tracks = track(frames, TrackConfig(), frame_size=size, rate=Fraction(25), progress=silent, total=total, name="head")
    assert len(tracks.frames) == total
    crops = align(frames, tracks, AlignConfig(), exits=(256,), max_size=256, progress=silent)
    return crops, mesh_points(crops, tracks, silent), tracks


def painted(frame: int, change: FloatArray | None = None) -> Retouch:
    if change is None:
        stored = cv2.imread(str(DATA / "turning_head.change.png"))
        assert stored is not None
        change = (stored[..., ::-1].astype(np.float32) - 128) * 2
    x0, y0, x1, y1 = TRUTH["box"]
    return Retouch(frame, (x0, y0, x1, y1), np.ascontiguousarray(change))


def whole(carried: CarriedRetouch, index: int, size: tuple[int, int]) -> FloatArray:
    """What is added to a frame."""
    picture = np.zeros((size[1], size[0], 3), np.float32)
    found = carried.change(index)
    if found is not None:
        (x0, y0, x1, y1), change = found
        picture[y0:y1, x0:x1] = change
    return picture


def centre(change: FloatArray, near: tuple[float, float], reach: float) -> FloatArray:
    """Where the weight of a change lies around a place, in pixels."""
    y, x = np.mgrid[: change.shape[0], : change.shape[1]].astype(np.float32) + np.float32(0.5)
    weight = np.abs(change).max(axis=-1) * (np.hypot(x - near[0], y - near[1]) < reach)
    weight[weight < 6] = 0
    assert weight.sum() > 100
    return np.array([(weight * x).sum(), (weight * y).sum()], np.float32) / weight.sum()


def test_they_end_up_where_they_are(head: Head) -> None:
    crops, points, tracks = head
    carried = CarriedRetouch(crops, points, tracks, [painted(TRUTH["key"])])
    off: dict[str, list[float]] = {"scar": [], "spot": []}
    shown = [0, 2, 4, 6, 10, 12, 14, 16]  # yaw from -25 to 25 degrees
    for index in shown:
        change = whole(carried, index, tracks.frame_size)
        for what, reach in (("scar", 18.0), ("spot", 8.0)):
            true = TRUTH["frames"][index][what]
            apart = np.hypot(*(centre(change, true, reach) - true))
            off[what].append(float(apart) * 512 / float(sides(crops.quads[index][None])[0]))
    moved = np.subtract(TRUTH["frames"][0]["spot"], TRUTH["frames"][16]["spot"])
    assert np.hypot(*moved) > 20
    assert np.median(off["spot"]) < 1, off
    assert np.median(off["scar"]) < 2, off  # on plain skin, of half the resolution
    assert np.median([*off["scar"], *off["spot"]]) < AT_512_PX, off


def test_the_painted_frame_is_as_it_was_painted(head: Head) -> None:
    crops, points, tracks = head
    key = painted(3)
    found = CarriedRetouch(crops, points, tracks, [key]).change(3)
    assert found is not None
    assert found[0] == key.box
    np.testing.assert_array_equal(found[1], key.change)


def test_it_goes_over_from_one_painted_frame_to_the_next(head: Head) -> None:
    crops, points, tracks = head
    first, last = painted(0), painted(4, np.zeros_like(painted(0).change))
    carried = CarriedRetouch(crops, points, tracks, [first, last])
    amounts = [float(np.abs(whole(carried, index, tracks.frame_size)).sum()) for index in (0, 2, 3, 6)]
    assert amounts[0] > amounts[1] > amounts[2] > amounts[3] == 0
    assert amounts[1] == pytest.approx(amounts[0] / 2, rel=0.25)


def test_it_stops_at_cuts(head: Head) -> None:
    crops, points, tracks = head
    cuts: IntArray = np.array([4], np.int64)
    carried = CarriedRetouch(crops, points, replace(tracks, cuts=cuts), [painted(2)])
    assert [carried.change(index) is not None for index in (0, 3, 4, 5)] == [True, True, False, False]
