"""Crops put back into the frames of their clip: what an edit writes, and what measuring it looks at."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from stitchedit.blend import compose
from stitchedit.blenders import Blender, feather
from stitchedit.data import CropImages, Crops, Tracks
from stitchedit.fade import fade_widths, presence
from stitchedit.shape import Shapes
from stitchedit.video import Frame, VideoSource, paste


def pasted(
    source: VideoSource,
    crops: Crops,
    shapes: Shapes,
    images: CropImages,
    tracks: Tracks,
    *,
    border_px: float = 50.0,
    blender: Blender = feather,
    match: bool = False,
) -> Iterator[Frame]:
    """All frames of the clip in turn, those with a face with their crop blended in.

    Args:
        crops: where the crops were cut; shapes: what of each is to be shown.
        images: what to put there, picture k at crop k.
        tracks: where the face is lost and found: there the edit comes and goes softly.
        border_px: width of the fade in pixels of a 1024 px crop.
        match: bring the edit's colours to those of the border, see `blenders.match_colours`.
    Raises: EmptyMask, CannotDecode.
    """
    put = partial(compose, border_px=border_px, blender=blender, match=match)
    fades = fade_widths(crops.images, images, shapes, tracks.runs, border_px)
    shown = presence(tracks)
    crop_of = {int(frame): index for index, frame in enumerate(crops.frames)}
    for frame in source:
        k = crop_of.get(frame.index)
        if k is not None:
            place = crops.quads[k], shapes[k]
            patch = put(frame.rgb_float, frame.size, images[k], *place, fade=fades[k], frame=frame.index)
            frame = paste(frame, *patch._replace(alpha=patch.alpha * shown[k]))
        yield frame
