"""A person's reel: which frames, and what it holds of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from stitchedit.film.reel import reel_frames, write_reel
from stitchedit.film.shot_files import cut_out
from stitchedit.film.shots import Shot
from stitchedit.types import FaceState, Tracks
from stitchedit.video import open_video

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"


def tracks(count: int, lost: int = 0) -> Tracks:
    """Landmarks that hold the frame's number; the last `lost` frames have none."""
    points = np.broadcast_to(np.arange(count, dtype=np.float32)[:, None, None], (count, 68, 2)).copy()
    state = np.full(count, FaceState.FOUND, np.uint8)
    state[count - lost :] = FaceState.ABSENT
    return Tracks(points, state, (640, 360), Fraction(24))


def test_all_shots_give_alike_many_frames() -> None:
    chosen = reel_frames([tracks(10), tracks(30, lost=20), tracks(2)], 12)
    assert [len(frames) for frames in chosen] == [4, 4, 2]
    assert max(chosen[1]) < 10, "where the face is lost nothing is taken"
    many = reel_frames([tracks(5)] * 20, 8)
    assert sum(map(len, many)) == 8


def test_it_holds_the_frames_of_its_shots(tmp_path: Path) -> None:
    clips = [tmp_path / "1.mkv", tmp_path / "2.mkv"]
    cut_out(CLIP, {clips[0]: Shot(1, 0, 3), clips[1]: Shot(2, 4, 9)})
    made = write_reel(tmp_path / "reel.mkv", clips, [tracks(4), tracks(6)], 4)
    assert made.landmarks[:, 0, 0].tolist() == [1, 3, 1, 4], "frames of the shots"
    assert made.cuts.tolist() == [1, 2, 3], "nothing is smoothed from one to the next"
    source = list(open_video(CLIP))
    for frame, number in zip(open_video(tmp_path / "reel.mkv"), [1, 3, 5, 8], strict=True):
        assert np.array_equal(frame.rgb(), source[number].rgb())
