"""A person's reel: which frames, and what it holds of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from films import write_film

from stitchedit.film.reel import reel_frames, write_reel
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


def test_it_holds_the_frames_of_its_shots_be_they_of_two_sizes(tmp_path: Path) -> None:
    narrow = write_film(tmp_path / "narrow.mp4", "n", 6)
    small = Tracks(tracks(6).landmarks, tracks(6).state, (320, 240), Fraction(12))
    reel = tmp_path / "reel"
    made = write_reel(reel, [CLIP, narrow], [tracks(6), small], 4)
    assert made.landmarks[:, 0, 0].tolist() == [1, 4, 1, 4], "frames of the shots"
    assert made.cuts.tolist() == [1, 2, 3], "nothing is smoothed from one to the next"
    assert made.frame_size == (640, 360)
    shown = [frame.rgb() for frame in open_video(reel)]
    for picture, number in zip(shown, [1, 4], strict=False):
        assert np.array_equal(picture, next(f.rgb() for f in open_video(CLIP) if f.index == number))
    of_narrow = next(f.rgb() for f in open_video(narrow) if f.index == 4)
    assert np.array_equal(shown[3][:240, :320], of_narrow)
    assert np.array_equal(shown[3][:240, 639], of_narrow[:, 319]), "its border is repeated"
    write_reel(reel, [narrow], [small], 2)
    assert len(list(reel.iterdir())) == 2, "what was there is gone"
