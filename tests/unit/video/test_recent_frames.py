"""Single frames by their index: the right ones, and not read again and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stitchedit.video import Frame, open_video
from stitchedit.video.recent_frames import KEPT, RecentFrames

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"


class Counted:
    """A clip that counts the frames that are read of it."""

    def __init__(self) -> None:
        self.source, self.read = open_video(CLIP), 0

    def __iter__(self) -> Iterator[Frame]:
        for frame in self.source:
            self.read += 1
            yield frame


def test_frames_are_those_of_a_pass_and_reading_goes_on_from_where_it_was() -> None:
    wanted = [frame.rgb() for frame in open_video(CLIP)][:16]
    clip = Counted()
    frames = RecentFrames(clip)  # type: ignore[arg-type]
    for index, read in ((3, 4), (3, 4), (9, 10), (3, 10), (15, 16), (4, 21)):
        np.testing.assert_array_equal(frames[index].rgb(), wanted[index])
        assert clip.read == read, index


def test_only_some_stay() -> None:
    clip = Counted()
    frames = RecentFrames(clip)  # type: ignore[arg-type]
    for index in range(KEPT + 1):
        frames[index]
    frames[1]
    assert clip.read == KEPT + 1
    frames[0]
    assert clip.read == KEPT + 2


def test_a_frame_that_is_not_there_is_told_and_others_still_are() -> None:
    frames = RecentFrames(open_video(CLIP))
    for index in (-1, 48):
        with pytest.raises(IndexError):
            frames[index]
    assert frames[2].index == 2
