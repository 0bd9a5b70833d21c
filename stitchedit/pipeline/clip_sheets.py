"""Single frames to look at: previews before a long run, before/after sheets, and how good the inversion is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stitchedit.config import AlignConfig
from stitchedit.errors import ConfigError
from stitchedit.faces.alignment import crop, quads
from stitchedit.files.image_folder import save_png
from stitchedit.image.contact_sheet import contact_sheet, spread
from stitchedit.types import ByteArray, Tracks
from stitchedit.video import VideoSource, open_video

FACE_PX = 256  # of a face in a sheet


def pick(source: VideoSource, wanted: Sequence[int]) -> dict[int, ByteArray]:
    """The wanted frames as upright RGB, by index."""
    chosen = set(wanted)
    return {frame.index: frame.rgb() for frame in source if frame.index in chosen}


def before_after(source: VideoSource, edited: VideoSource, frames: Sequence[int], caption: str) -> ByteArray:
    """Moments of two clips side by side."""
    before, after = pick(source, frames), pick(edited, frames)
    rows = [[before[f], after[f]] for f in frames if f in before and f in after]
    return contact_sheet(rows, ["source", caption], [str(f) for f in frames], cell_px=320)


def faces_sheet(source: VideoSource, tracks: Sequence[Tracks], output: Path) -> None:
    """Which number is whom: each face where it is half through its frames, numbered from 1 as `edit --only` has it."""
    frames = [int(own.frames[len(own.frames) // 2]) for own in tracks]
    pictures = pick(source, frames)
    places = [quads(own.landmarks[frame][None], AlignConfig())[0] for own, frame in zip(tracks, frames, strict=True)]
    row = [crop(pictures[frame], quad, FACE_PX) for frame, quad in zip(frames, places, strict=True)]
    captions = [f"face {number}" for number in range(1, len(row) + 1)]
    save_png(contact_sheet([row], captions, [f"frame {frames[0]}"], cell_px=FACE_PX), output)


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
