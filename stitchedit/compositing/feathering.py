"""How an edit fades into its surroundings, around the outline and in time.

A wide fade hides a seam in skin and hair. Where a turned face ends at the background it does harm: the generator's
blurred idea of that background would shine through beside the cheek. There the source itself has a strong edge at the
outline, and what was generated outside differs from it: the fade shrinks to that edge. Around a whole head the edge
alone decides: hair that an edit lightens would else glow into a background that was met well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stitchedit.config import BORDER_PX, REFERENCE_PX
from stitchedit.image.smoothing import smoothstep
from stitchedit.masks.region_shape import Shape, Shapes
from stitchedit.types import ByteArray, CropImages, FaceState, FineImages, FloatArray, Tracks

DIRECTIONS = 72  # around the middle of the face, every 5 degrees, from the crop's +x axis toward +y
NARROWEST = 0.12  # of the full width: what an edge in a picture spans
_PX = 256  # pictures are compared at this size
_MISFIT = (6.0, 16.0)  # mean difference outside of the face, on 0..255, at which the fade begins and ends to shrink
_EDGE = (10.0, 25.0)  # likewise the source's own step in colour from inside to outside
_TURN_SIGMA = 1.5  # directions, of the smoothing around the face
_TIME_SIGMA = 2.0  # frames, of the smoothing over time
GRID = 64  # a side
_PLACE_SIGMA = 6.0  # pixels, of the smoothing along the border of shapes on the grid

# Mean of values [H, W] over the pixels chosen [H, W]: by direction, or by place
Around = Callable[[FloatArray, NDArray[np.bool_]], FloatArray]


def fade_widths(
    sources: CropImages | Sequence[ByteArray],
    edited: FineImages | Sequence[ByteArray],
    shapes: Shapes | Sequence[Shape],
    runs: Sequence[slice],
    border_px: float = BORDER_PX,
) -> FloatArray:
    """Width of the fade by crop, in NARROWEST..1 relative to the full width.

    Around a face it is given by direction, [N, DIRECTIONS]; around other shapes by place, [N, GRID, GRID]
    over the crop.

    Args:
        sources, edited: the crops [S, S, 3] before and after.
        shapes: what is faded in, by crop.
        runs: crops that follow each other without a gap; nothing is smoothed across runs.
        border_px: the full width in pixels of a 1024 px crop.
    """
    found = np.stack([_width(sources[i], edited[i], shapes[i], border_px) for i in range(len(shapes))])
    for run in runs:
        found[run] = gaussian_filter1d(found[run], _TIME_SIGMA, axis=0, mode="nearest")
    return found.astype(np.float32)


def presence(tracks: Tracks, doubtful: NDArray[np.bool_] | None = None, seconds: float = 0.2) -> FloatArray:
    """How much of the edit each edited frame shows, [N] in 0..1: less near frames that pass through untouched.

    So an edit comes and goes softly where the face is lost and found, not at cuts and not at the clip's ends.

    Args:
        doubtful: [N] edited frames that are to pass through untouched too.
    """
    shown = np.ones(len(tracks.frames), np.float32)
    if doubtful is not None and doubtful.any():
        state = tracks.state.copy()
        state[tracks.frames[doubtful]] = FaceState.ABSENT
        shown[doubtful] = 0
        shown[~doubtful] = presence(replace(tracks, state=state), None, seconds)
        return shown
    for run in tracks.runs:
        frames = tracks.frames[run]
        length = min(max(1, round(seconds * float(tracks.rate))), len(frames) // 2)
        ramp = _rise(np.arange(1, length + 1, dtype=np.float32), 0, length + 1)
        before, after = int(frames[0]) - 1, int(frames[-1]) + 1
        if before >= 0 and tracks.state[before] == FaceState.ABSENT and frames[0] not in tracks.cuts:
            shown[run.start : run.start + length] = ramp
        if after < len(tracks.state) and tracks.state[after] == FaceState.ABSENT and after not in tracks.cuts:
            shown[run.stop - length : run.stop] = ramp[::-1]
    return shown


def width_at(widths: FloatArray, place: FloatArray, center: FloatArray) -> FloatArray:
    """The width of one crop, of `fade_widths`, at places [..., 2] in crop sides.

    Args:
        center: the middle of its shape [2], from which directions are counted.
    """
    if widths.ndim == 2:
        x, y = np.moveaxis(place.astype(np.float32) * len(widths) - np.float32(0.5), -1, 0)
        on_grid: FloatArray = cv2.remap(widths, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return on_grid
    found = np.interp(direction(place, center), np.arange(DIRECTIONS + 1), np.append(widths, widths[0]))
    width: FloatArray = found.astype(np.float32)
    return width


def direction(place: FloatArray, center: FloatArray) -> FloatArray:
    """The direction of places [..., 2] in crop sides as seen from a middle [2], in 0..DIRECTIONS."""
    x, y = np.moveaxis(place - center, -1, 0)
    turn: FloatArray = (np.arctan2(y, x) / (2 * np.pi) % 1.0 * DIRECTIONS).astype(np.float32)
    return turn


def _width(source: ByteArray, edited: ByteArray | FloatArray, shape: Shape, border_px: float) -> FloatArray:
    old, new = (cv2.resize(p, (_PX, _PX), interpolation=cv2.INTER_AREA).astype(np.float32) for p in (source, edited))
    far = shape.distance(_PX)
    ring = border_px * _PX / REFERENCE_PX
    around = _by_direction(shape.center) if shape.field is None and shape.within is None else _by_place
    outside, inside = (far > 0) & (far < ring), (far < -1) & (far > -ring)
    misfit = around(np.abs(new - old).mean(axis=-1), outside)
    steps = [np.abs(around(old[..., c], outside) - around(old[..., c], inside)) for c in range(3)]
    edge = np.stack(steps).mean(axis=0)
    narrow = _rise(edge, *_EDGE)
    if shape.field is None:  # a head ends where its own edge is, whatever is drawn beyond it
        narrow = narrow * _rise(misfit, *_MISFIT)
    width: FloatArray = 1.0 - (1.0 - NARROWEST) * narrow
    return width


def _by_direction(center: FloatArray) -> Around:
    grid = ((np.stack(np.meshgrid(np.arange(_PX), np.arange(_PX)), axis=-1) + 0.5) / _PX).astype(np.float32)
    bins = np.rint(direction(grid, center)).astype(int) % DIRECTIONS

    def around(values: FloatArray, where: NDArray[np.bool_]) -> FloatArray:
        total = np.bincount(bins[where], values[where], DIRECTIONS)
        count = np.bincount(bins[where], minlength=DIRECTIONS)
        smooth: FloatArray = (_turned(total) / np.maximum(_turned(count), 1e-6)).astype(np.float32)
        return smooth

    return around


def _by_place(values: FloatArray, where: NDArray[np.bool_]) -> FloatArray:
    """On the grid, 0 where none of the pixels is near."""
    chosen = where.astype(np.float32)
    total, count = (cv2.GaussianBlur(v, (0, 0), _PLACE_SIGMA) for v in (values.astype(np.float32) * chosen, chosen))
    local = total / np.maximum(count, 1e-4)
    smooth: FloatArray = cv2.resize(local, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return smooth


def _turned(values: NDArray[Any]) -> FloatArray:
    smooth: FloatArray = gaussian_filter1d(values.astype(np.float32), _TURN_SIGMA, mode="wrap")
    return smooth


def _rise(values: FloatArray, low: float, high: float) -> FloatArray:
    """0 up to `low`, 1 from `high` on, and smooth between."""
    return smoothstep((values - low) / (high - low))
