"""How an edit fades into its surroundings, around the outline and in time.

A wide fade hides a seam in skin and hair. Where a turned face ends at the background it does harm: the generator's
blurred idea of that background would shine through beside the cheek. There the source itself has a strong edge at the
outline, and what was generated outside differs from it: the fade shrinks to that edge. Around a whole head the edge
alone decides: hair that an edit lightens would else glow into a background that was met well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stitchedit.config import BORDER_PX, REFERENCE_PX
from stitchedit.masks.outline_edges import PX, around, compared, edge_at_outline, rise
from stitchedit.masks.region_shape import Shape, Shapes
from stitchedit.parallel import side_by_side
from stitchedit.types import ByteArray, CropImages, FaceState, FineImages, FloatArray, Tracks

NARROWEST = 0.12  # of the full width: what an edge in a picture spans
_MISFIT = (6.0, 16.0)  # mean difference outside of the face, on 0..255, at which the fade begins and ends to shrink
_TIME_SIGMA = 2.0  # frames, of the smoothing over time


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
    found = np.stack(
        list(side_by_side(lambda i: _width(sources[i], edited[i], shapes[i], border_px), range(len(shapes))))
    )
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
        ramp = rise(np.arange(1, length + 1, dtype=np.float32), 0, length + 1)
        before, after = int(frames[0]) - 1, int(frames[-1]) + 1
        if before >= 0 and tracks.state[before] == FaceState.ABSENT and frames[0] not in tracks.cuts:
            shown[run.start : run.start + length] = ramp
        if after < len(tracks.state) and tracks.state[after] == FaceState.ABSENT and after not in tracks.cuts:
            shown[run.stop - length : run.stop] = ramp[::-1]
    return shown


def _width(source: ByteArray, edited: ByteArray | FloatArray, shape: Shape, border_px: float) -> FloatArray:
    narrow = edge_at_outline(source, shape, border_px)
    if shape.field is None:  # a head ends where its own edge is, whatever is drawn beyond it
        far = shape.distance(PX)
        outside = (far > 0) & (far < border_px * PX / REFERENCE_PX)
        misfit = np.abs(compared(edited) - compared(source)).mean(axis=-1)
        narrow = narrow * rise(around(shape)(misfit, outside), *_MISFIT)
    width: FloatArray = 1.0 - (1.0 - NARROWEST) * narrow
    return width
