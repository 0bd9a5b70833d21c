"""Single frames of a clip by their index, for whoever looks at one and then at another nearby."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from stitchedit.video.base import Frame, VideoSource

KEPT = 8  # frames


class RecentFrames:
    """Reads on from where the last frame was; the frames that were asked for last stay.

    A clip can only be read from its beginning: an earlier frame that is not kept costs reading up to it again.
    """

    def __init__(self, source: VideoSource) -> None:
        self._source = source
        self._frames: Iterator[Frame] = iter(())
        self._next = -1  # index of the frame that comes next; -1: nothing is open
        self._kept: OrderedDict[int, Frame] = OrderedDict()

    def __getitem__(self, index: int, /) -> Frame:
        """Raises IndexError, when the clip has no such frame; CannotDecode."""
        if index not in self._kept:
            self._kept[index] = self._read(index)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(index)
        return self._kept[index]

    def _read(self, index: int) -> Frame:
        if not 0 <= self._next <= index:
            self._frames, self._next = iter(self._source), 0
        for frame in self._frames:
            self._next = frame.index + 1
            if frame.index == index:
                return frame
        self._next = -1
        raise IndexError(f"there is no frame {index}")
