"""Single frames to look at: previews before a long run, before/after sheets, and how good the inversion is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from stitchedit.editing.stitching_tuning import to_bytes
from stitchedit.errors import ConfigError
from stitchedit.faces.mesh import face_mask
from stitchedit.files.image_folder import save_png
from stitchedit.image.contact_sheet import contact_sheet
from stitchedit.inversion.crop_batches import Batches
from stitchedit.metrics import masked_psnr
from stitchedit.models.generator import Generator
from stitchedit.types import ByteArray, FacePoints, FloatArray, IntArray, Latents
from stitchedit.video import VideoSource, open_video

PSNR_FRAMES = 16  # frames, spread over the clip, that the inversion is measured on


def spread(frames: IntArray, count: int) -> list[int]:
    """`count` of the frames, evenly spread and away from the ends."""
    count = min(count, len(frames))
    return [int(frames[int((k + 0.5) * len(frames) / count)]) for k in range(count)]


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


def inversion_psnr(generator: Generator, latents: Latents, batches: Batches, points: FacePoints) -> FloatArray:
    """PSNR in dB of the unedited inversion on the crops where the face mask is above a half, of some frames.

    On crops, before pasting: `stitchedit evaluate` has the figure on source pixels.
    """
    size = batches.crops.size
    values = []
    for index in spread(np.arange(len(batches)), PSNR_FRAMES):
        with torch.no_grad():
            ws = torch.from_numpy(latents.ws[index : index + 1]).to(generator.w_avg.device)
            image = to_bytes(generator.synthesis(ws, resolution=size)[0])
        mask = face_mask(points.points[index], size)
        values.append(masked_psnr(image, batches.crops.images[index], mask))
    return np.array(values, np.float32)
