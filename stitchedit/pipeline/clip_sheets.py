"""Single frames to look at: previews before a long run, before/after sheets, and how good the inversion is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stitchedit.config import AlignConfig
from stitchedit.errors import ConfigError
from stitchedit.faces.alignment import crop, quads
from stitchedit.files.image_folder import save_png
from stitchedit.image.contact_sheet import contact_sheet, spread
from stitchedit.types import ByteArray, Tracks
from stitchedit.video import VideoSource, open_video

FACE_PX = 256  # of a face in a sheet
_FACES_A_ROW = 6


class Portrait(NamedTuple):
    """A face of a clip."""

    picture: ByteArray  # uint8 RGB [FACE_PX, FACE_PX, 3]
    frame: int  # where it is seen so
    frames: int  # in how many it is found


def pick(source: VideoSource, wanted: Sequence[int]) -> dict[int, ByteArray]:
    """The wanted frames as upright RGB, by index."""
    chosen = set(wanted)
    return {frame.index: frame.rgb() for frame in source if frame.index in chosen}


def before_after(source: VideoSource, edited: VideoSource, frames: Sequence[int], caption: str) -> ByteArray:
    """Moments of two clips side by side."""
    before, after = pick(source, frames), pick(edited, frames)
    rows = [[before[f], after[f]] for f in frames if f in before and f in after]
    return contact_sheet(rows, ["source", caption], [str(f) for f in frames], cell_px=320)


def portraits(source: VideoSource, tracks: Sequence[Tracks]) -> list[Portrait]:
    """Each face where it is half through its frames; what lies outside of the picture is black."""
    frames = [int(own.frames[len(own.frames) // 2]) for own in tracks]
    pictures, found = pick(source, frames), []
    for own, frame in zip(tracks, frames, strict=True):
        quad = quads(own.landmarks[frame][None], AlignConfig())[0]
        margin = max(0, *np.ceil(-quad.min(axis=0)), *np.ceil(quad.max(axis=0) - own.frame_size))
        edge = int(margin) + 1  # else what is outside of the picture would be its mirror image
        padded = np.pad(pictures[frame], ((edge, edge), (edge, edge), (0, 0)))
        found.append(Portrait(crop(padded, quad + edge, FACE_PX), frame, len(own.frames)))
    return found


def faces_sheet(source: VideoSource, tracks: Sequence[Tracks], output: Path) -> None:
    """Which number is whom: the portraits, numbered from 1 as `edit --only` has it."""
    faces = portraits(source, tracks)
    cells = [face.picture for face in faces]
    frames = [face.frame for face in faces]
    named = [f"face {number}, frame {frame}" for number, frame in enumerate(frames, 1)]
    rows = [
        contact_sheet([cells[at : at + _FACES_A_ROW]], named[at : at + _FACES_A_ROW], [""], cell_px=FACE_PX)
        for at in range(0, len(cells), _FACES_A_ROW)
    ]
    ends = [(0, 0), (0, max(0, rows[0].shape[1] - rows[-1].shape[1])), (0, 0)]
    save_png(np.concatenate([*rows[:-1], np.pad(rows[-1], ends)]), output)


def clips_sheet(clips: Sequence[Path], output: Path, count: int) -> None:
    """The same moments of several clips side by side. Raises ConfigError, when they differ in length."""
    sources = [open_video(clip) for clip in clips]
    lengths = [source.count() for source in sources]
    if len(set(lengths)) > 1:
        raise ConfigError(f"the clips have {', '.join(map(str, lengths))} frames", "give clips of equal length")
    frames = spread(np.arange(lengths[0]), count)
    pictures = [pick(source, frames) for source in sources]
    rows = [[of_clip[f] for of_clip in pictures] for f in frames]
    save_png(contact_sheet(rows, [clip.stem for clip in clips], [str(f) for f in frames]), output)
