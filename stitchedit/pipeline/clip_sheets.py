"""Single frames to look at: previews before a long run, before/after sheets, and how good the inversion is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stitchedit.errors import ConfigError
from stitchedit.files.image_folder import save_png
from stitchedit.image.contact_sheet import contact_sheet, spread
from stitchedit.types import ByteArray
from stitchedit.video import VideoSource, open_video


def pick(source: VideoSource, wanted: Sequence[int]) -> dict[int, ByteArray]:
    """The wanted frames as upright RGB, by index."""
    chosen = set(wanted)
    return {frame.index: frame.rgb() for frame in source if frame.index in chosen}


def before_after(source: VideoSource, edited: VideoSource, frames: Sequence[int], caption: str) -> ByteArray:
    """Moments of two clips side by side."""
    before, after = pick(source, frames), pick(edited, frames)
    rows = [[before[f], after[f]] for f in frames if f in before and f in after]
    return contact_sheet(rows, ["source", caption], [str(f) for f in frames], cell_px=320)


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
