"""An edited frame taken apart, so that another program can put it together again.

    source + delta                              = edited, in float32 exactly
    source * (1 - matte) + inside * matte       = edited, but for the rounding of what is stored

All is in the values of the source's file (`Frame.values`), not rounded to its codes: the video of the same edit holds
`edited` rounded to its samples, and chroma as coarse as the source's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stitchedit.compositing.composite import Composite
from stitchedit.compositing.paste import Patch
from stitchedit.faces.alignment import to_crop
from stitchedit.types import FloatArray

Samples = NDArray[np.floating[Any]]

_BRIGHTEST = 65504.0  # of a half float
_THIN = 1 / 1024  # of matte: below, what is inside is not found from the edited picture, it would be rounding alone


@dataclass(frozen=True, slots=True)
class FrameLayers:
    """The layers of a frame; pictures are [H, W, 3], 0 where nothing is edited but for `source` and `edited`."""

    source: Samples  # float16 or float32, as `edited`
    edited: Samples
    delta: FloatArray  # what the edit adds, signed
    matte: FloatArray  # [H, W] in 0..1
    inside: FloatArray  # what the edit puts there, before it is blended; 0 where the matte is
    uvs: dict[int, FloatArray]  # by layer of the composite: [H, W, 2], see `st_map`


def frame_layers(frame: Composite, quads: Sequence[FloatArray], *, half: bool, scale: float = 1.0) -> FrameLayers:
    """Take a frame apart.

    Args:
        quads: of each patch's crop, [4, 2] source pixels.
        half: whether 16 bits hold the source's samples; `source` and `edited` are float16 then, else float32.
        scale: of the edit's change: 1 is the edit as it is, 0 none.
    """
    kind: np.dtype[np.floating[Any]] = np.dtype(np.float16 if half else np.float32)
    values = frame.source.values()
    matte, put = _united([patch for _, _, patch in frame.patches], values.shape[:2])
    there = matte > 0
    lost = there[..., None] & ~np.isfinite(values)  # which no sum leads away from
    values = np.where(lost, np.nan_to_num(values, posinf=_BRIGHTEST, neginf=-_BRIGHTEST), values)
    inside, edited = np.zeros_like(values), values.copy()
    if there.any():
        shown = frame.source.rgb_float()[there]
        weight, wanted = matte[there][:, None], put[there]
        mixed = frame.source.values_of((shown + weight * (wanted - shown))[None])[0]
        own = values[there]
        # Where samples are no light, or blended on another curve than they are stored on, this is not `wanted` itself.
        through = own + (mixed - own) / np.maximum(weight, _THIN)
        pure = np.where(weight < _THIN, frame.source.values_of(wanted[None])[0], through)
        inside[there] = own + scale * (pure - own)
        edited[there] = own + scale * (mixed - own)
    stored = values.astype(kind)
    limit = _BRIGHTEST if half else np.inf
    delta = np.zeros_like(values)
    changed = edited[there].clip(-limit, limit).astype(kind)
    delta[there] = changed.astype(np.float32) - stored[there].astype(np.float32)
    # The sum of float32 is taken for the edited picture, which may be a last digit off where light is a thousand times
    # brighter than what takes its place. It is a number of `kind` too: it has no finer digits than the sum's parts.
    summed = (stored.astype(np.float32) + delta).astype(kind)
    uvs = {layer: st_map(quad, values.shape[:2]) for (layer, _, _), quad in zip(frame.patches, quads, strict=True)}
    return FrameLayers(stored, summed, delta, matte, inside, uvs)


def st_map(quad: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Where each pixel's centre lies in the crop, [H, W, 2]: u to the right, v upward as compositors have it, 0..1.

    Outside of the crop both are 0.

    Args:
        size: (height, width) of the picture.
    """
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32) + np.float32(0.5)
    places = to_crop(np.stack([x, y], axis=-1), quad)
    inside = ((places >= 0) & (places <= 1)).all(axis=-1, keepdims=True)
    flipped = np.stack([places[..., 0], 1 - places[..., 1]], axis=-1)
    found: FloatArray = np.where(inside, flipped, 0).astype(np.float32)
    return found


def _united(patches: Sequence[Patch], size: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    """One matte [H, W] and one picture [H, W, 3] as shown, which do what the patches do one over the other."""
    matte, gathered = np.zeros(size, np.float32), np.zeros((*size, 3), np.float32)
    for rgb, alpha, box in patches:
        (x0, y0), (x1, y1) = np.clip(box[:2], 0, size[::-1]), np.clip(box[2:], 0, size[::-1])
        to = np.s_[y0:y1, x0:x1]
        of = np.s_[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
        over = alpha[of][..., None]
        gathered[to] = np.where(over > 0, over * rgb[of] + (1 - over) * gathered[to], gathered[to])
        matte[to] = over[..., 0] + (1 - over[..., 0]) * matte[to]
    return matte, (gathered / np.maximum(matte, 1e-12)[..., None]).astype(np.float32)
