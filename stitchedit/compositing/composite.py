"""Crops put back into the frames of their clip: what an edit writes, and what measuring it looks at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stitchedit.compositing.blenders import Blender, feather
from stitchedit.compositing.feathering import fade_widths, presence
from stitchedit.compositing.paste import Patch, compose
from stitchedit.config import BORDER_PX
from stitchedit.faces.alignment import sides
from stitchedit.masks.region_shape import Shapes
from stitchedit.parallel import side_by_side
from stitchedit.types import Crops, FineImages, Tracks
from stitchedit.video import Frame, VideoSource, paste


@dataclass(frozen=True, slots=True)
class Layer:
    """One face of the clip, and what is to be seen of it."""

    crops: Crops  # where its crops were cut
    shapes: Shapes  # what of each is to be shown
    images: FineImages  # what to put there, picture k at crop k
    tracks: Tracks  # where the face is lost and found: there the edit comes and goes softly
    doubtful: NDArray[np.bool_] | None = None  # crops that are not to be shown, see `faces.visibility`: likewise
    changes: bool = False  # only what the pictures change of the crops is carried over, see `compose`


class Composite(NamedTuple):
    """A frame before and after, and what was put over it."""

    source: Frame
    edited: Frame
    patches: tuple[tuple[int, int, Patch], ...]  # (layer, crop, patch as it was pasted), the uppermost last


def pasted(
    source: VideoSource,
    layers: Sequence[Layer],
    *,
    border_px: float = BORDER_PX,
    blender: Blender = feather,
    match: bool = False,
) -> Iterator[Frame]:
    """The frames of `composited`, edited."""
    for frame in composited(source, layers, border_px=border_px, blender=blender, match=match):
        yield frame.edited


def composited(
    source: VideoSource,
    layers: Sequence[Layer],
    *,
    border_px: float = BORDER_PX,
    blender: Blender = feather,
    match: bool = False,
) -> Iterator[Composite]:
    """All frames of the clip in turn, with the crops of their faces blended in; some at a time, on all cores.

    Where faces overlap, the larger one, which is nearer, is put over the other.

    Args:
        border_px: width of the fade in pixels of a 1024 px crop.
        match: bring the edit's colours to those of the border, see `blenders.match_colours`.
    Raises: EmptyMask, CannotDecode.
    """
    put = partial(compose, border_px=border_px, blender=blender, match=match)
    fades = [fade_widths(a.crops.images, a.images, a.shapes, a.tracks.runs, border_px) for a in layers]
    shown = [presence(layer.tracks, layer.doubtful) for layer in layers]
    faces_of: dict[int, list[tuple[float, int, int]]] = {}  # frame -> (side, layer, crop)
    for number, layer in enumerate(layers):
        for k, (frame, side) in enumerate(zip(layer.crops.frames, sides(layer.crops.quads), strict=True)):
            faces_of.setdefault(int(frame), []).append((float(side), number, k))

    def with_faces(source: Frame) -> Composite:
        frame, patches = source, []
        for _, number, k in sorted(faces_of.get(frame.index, [])):
            layer = layers[number]
            if shown[number][k] == 0:
                continue
            place = layer.images[k], layer.crops.quads[k], layer.shapes[k]
            own = layer.crops.images[k] if layer.changes else None
            patch = put(frame.rgb_float, frame.size, *place, own=own, fade=fades[number][k], frame=frame.index)
            patch = patch._replace(alpha=patch.alpha * shown[number][k])
            frame = paste(frame, *patch)
            patches.append((number, k, patch))
        return Composite(source, frame, tuple(patches))

    yield from side_by_side(with_faces, source)
