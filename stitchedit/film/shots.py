"""frames -> shots: where a film is cut, by PySceneDetect's adaptive detector.

It compares the change from frame to frame with that of its neighbours, so that a pan or a quick motion is no cut. What
it takes for a cut is looked at once more: where the picture of before comes back within a moment it was a flash, and
the shot goes on. A dissolve has no frame at which it jumps: it is one shot, in which one face goes and another comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stitchedit.progress import Progress, silent
from stitchedit.types import ByteArray
from stitchedit.video import VideoSource

_LOOK_PX = 256  # width at which cuts are looked for, PySceneDetect's own choice
_TINY = (16, 9)  # pixels of the pictures by which a flash is told
_SHORTEST_S = 0.2  # a shot is no shorter: what flickers faster is one shot
_FLASH_S = 0.3  # within which the picture comes back after a flash
_COMES_BACK = 0.35  # of the jump: a picture that differs by less is that of before


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames of a clip without a cut between them."""

    number: int  # from 1, in the film
    first: int  # frames of the clip, both belong to it
    last: int
    clip: int = 1  # which of the film's it is

    @property
    def frames(self) -> int:
        return self.last - self.first + 1


def find_shots(source: VideoSource, progress: Progress = silent) -> list[Shot]:
    """All shots of a clip, in one reading. Raises what reading a clip raises."""
    import cv2  # tasks that know of shots alone need neither
    from scenedetect import AdaptiveDetector, FrameTimecode

    rate = float(source.info.rate)
    detector = AdaptiveDetector(min_scene_len=max(1, round(_SHORTEST_S * rate)))
    expected = round((source.info.duration or 0) * source.info.rate)
    tiny: list[ByteArray] = []
    cuts: list[int] = []
    for frame in source:
        small = _reduced(frame.rgb())
        tiny.append(cv2.resize(small, _TINY, interpolation=cv2.INTER_AREA))
        cuts += [int(cut.frame_num) for cut in detector.process_frame(FrameTimecode(frame.index, rate), small)]
        progress("shots", frame.index + 1, max(expected, frame.index + 1))
    flash = max(1, round(_FLASH_S * rate))
    kept = [cut for cut in cuts if not is_flash(tiny, cut, flash)]
    return shots_between(kept, len(tiny))


def shots_between(cuts: Iterable[int], count: int) -> list[Shot]:
    """Shots of a clip of `count` frames, by the frames that open one."""
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < count}), count]
    return [Shot(number, first, after - 1) for number, (first, after) in enumerate(pairwise(edges), 1)]


def is_flash(tiny: list[ByteArray], cut: int, within: int) -> bool:
    """Whether the picture of before a jump comes back.

    Args:
        tiny: small pictures of all frames, [h, w, 3].
        cut: the first frame after the jump, which may be the flash or what follows it.
        within: frames in which it comes back.
    """
    pictures = [picture.astype(np.int16) for picture in tiny[max(0, cut - within) : cut + within + 1]]
    at = cut - max(0, cut - within)
    jump = float(np.abs(pictures[at] - pictures[at - 1]).mean())
    # Into the flash: one after the cut is like the one before it. Out of it: one before is like the one after.
    into = [float(np.abs(other - pictures[at - 1]).mean()) for other in pictures[at + 1 :]]
    out = [float(np.abs(other - pictures[at]).mean()) for other in pictures[: at - 1]]
    return min([*into, *out], default=np.inf) < _COMES_BACK * jump


def _reduced(rgb: ByteArray) -> ByteArray:
    """As large as cuts are looked for, BGR."""
    import cv2

    scale = min(1.0, _LOOK_PX / rgb.shape[1])
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    return np.ascontiguousarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)[..., ::-1])
