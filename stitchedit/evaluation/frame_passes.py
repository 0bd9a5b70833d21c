"""Versions of a clip -> values a frame: the passes of an evaluation that look at pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
import torch
from torch import Tensor

from stitchedit import metrics
from stitchedit.config import REFERENCE_PX
from stitchedit.errors import EmptyMask
from stitchedit.evaluation.clip_versions import Places, Take
from stitchedit.evaluation.face_readings import FaceReader, Readings
from stitchedit.faces.alignment import crop, sides
from stitchedit.masks.stitching_masks import ring_masks
from stitchedit.masks.weight_maps import face_mask
from stitchedit.metrics import Flicker, FrameMetric
from stitchedit.models.perceptual import Perceptual
from stitchedit.progress import Progress
from stitchedit.types import ByteArray, FineImages, FloatArray

CROP_PX = 256  # at which the perceptual distance looks
_MARGIN_PX = 32  # around all masks of the clip: what flow and windows may need

Rows = dict[str, FloatArray]


def read_clip(take: Take, places: Places, reader: FaceReader, tick: Callable[[int], None]) -> Readings:
    """The face of every edited frame, a row each."""
    for row, rgb in edited_frames(take, places):
        reader.add(rgb, places.tracks.landmarks[places.crops.frames[row]])
        tick(row + 1)
    return reader.readings()


def closeness(take: Take, goal: Take, places: Places, perceptual: Perceptual, tick: Callable[[int], None]) -> Rows:
    """How near one version is to another inside the mask: psnr in dB, ssim, perceptual; [N] each.

    PSNR and SSIM on source pixels with mask > 0.5; the perceptual distance on crops of 256 px, weighted by the face's
    own mask.
    """
    rows: dict[str, list[float]] = {"psnr": [], "ssim": [], "perceptual": []}
    for (row, rgb), (_, other) in zip(edited_frames(take, places), edited_frames(goal, places), strict=True):
        mask, cut = _cut(places.mask(row))
        rows["psnr"].append(metrics.masked_psnr(rgb[cut], other[cut], mask))
        rows["ssim"].append(metrics.masked_ssim(rgb[cut], other[cut], mask))
        rows["perceptual"].append(_perceptual(rgb, other, places, row, perceptual))
        tick(row + 1)
    return {name: np.array(values, np.float32) for name, values in rows.items()}


def border(images: FineImages, places: Places) -> FloatArray:
    """`metrics.border_mse` of each crop before it is put back, [N]."""
    size, values = places.crops.size, []
    for row in range(len(places.crops.frames)):
        try:
            ring = ring_masks(places.shapes[row], size, places.border_px).border
        except EmptyMask:
            ring = np.zeros((size, size), np.float32)
        values.append(metrics.border_mse(_signed(images[row]), _signed(places.crops.images[row]), ring))
    return np.array(values, np.float32)


@dataclass
class Change:
    """An edit beside its source, frame by frame; see `against_source`."""

    flicker: Flicker = field(default_factory=Flicker)
    rows: dict[str, list[float]] = field(default_factory=lambda: {"seam_gradient": [], "colour_step": []})
    outside: list[tuple[float, float]] = field(default_factory=list)  # (largest, mean) of every frame of the clip
    encoded_outside: list[tuple[float, float]] = field(default_factory=list)  # the same, of the file


def against_source(
    take: Take, encoded: Take | None, source: Take, places: Places, progress: Progress, more: Mapping[str, FrameMetric]
) -> Change:
    """Seam, flicker, what changed outside of the mask, and what was asked for beside.

    Args:
        take: the edit; encoded: the edit as a file has it, None for nothing to look at.
        more: further metrics of a frame by name.
    """
    change, total = Change(), len(places.tracks.state)
    change.rows |= {name: [] for name in more}
    row_of = {int(frame): row for row, frame in enumerate(places.crops.frames)}
    starts = {run.start for run in places.tracks.runs}
    window = _window(places)
    widths = places.border_px * sides(places.crops.quads) / REFERENCE_PX
    from_file = repeat(None) if encoded is None else encoded()
    for index, (rgb, file_rgb, own) in enumerate(zip(take(), from_file, source(), strict=encoded is not None)):
        row = row_of.get(index)
        mask = np.zeros(own.shape[:2], np.float32) if row is None else places.mask(row)
        change.outside.append(metrics.outside_difference(rgb, own, mask))
        if file_rgb is not None:
            change.encoded_outside.append(metrics.outside_difference(file_rgb, own, mask))
        if row is not None:
            inner, cut = _cut(mask, _MARGIN_PX)
            change.rows["seam_gradient"].append(metrics.seam_gradient(rgb[cut], own[cut], inner))
            change.rows["colour_step"].append(metrics.colour_step(rgb[cut], own[cut], inner, float(widths[row])))
            for name, measure in more.items():
                change.rows[name].append(float(measure(rgb, own, mask)))
            if row in starts:
                change.flicker.cut()
            change.flicker.add(rgb[window], own[window], mask[window])
        progress("compare", index + 1, total)
    return change


def edited_frames(take: Take, places: Places) -> Iterator[tuple[int, ByteArray]]:
    """(row, picture) of the frames that have a face."""
    row_of = {int(frame): row for row, frame in enumerate(places.crops.frames)}
    for index, rgb in enumerate(take()):
        if index in row_of:
            yield row_of[index], rgb


def _perceptual(rgb: ByteArray, other: ByteArray, places: Places, row: int, perceptual: Perceptual) -> float:
    quad = places.crops.quads[row]
    try:
        weight = torch.from_numpy(face_mask(places.points.points[row], CROP_PX))[None, None]
    except EmptyMask:
        return float("nan")
    first, second = (torch.from_numpy(_signed(crop(p, quad, CROP_PX))).permute(2, 0, 1)[None] for p in (rgb, other))
    with torch.inference_mode():
        distance: Tensor = perceptual.distance(perceptual.features(first), perceptual.features(second), weight)
    return float(distance)


def _signed(picture: ByteArray | FloatArray) -> FloatArray:
    """0..255 -> float32 in [-1, 1]."""
    return picture.astype(np.float32) / np.float32(127.5) - np.float32(1)


def _cut(mask: FloatArray, margin: int = 8) -> tuple[FloatArray, tuple[slice, slice]]:
    """The mask cut to what is not 0 and some pixels around, and where that is."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return mask, (slice(None), slice(None))
    cut = tuple(slice(max(0, int(a[0]) - margin), int(a[-1]) + 1 + margin) for a in (rows, columns))
    return mask[cut], (cut[0], cut[1])


def _window(places: Places) -> tuple[slice, slice]:
    """One window for all frames that holds every mask and what flow needs around it."""
    corners = places.crops.quads.reshape(-1, 2)
    (x0, y0), (x1, y1) = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    top, left = max(0, int(y0) - _MARGIN_PX), max(0, int(x0) - _MARGIN_PX)
    return slice(top, int(y1) + _MARGIN_PX), slice(left, int(x1) + _MARGIN_PX)
