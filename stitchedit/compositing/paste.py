"""StitchedCrops -> frames: the edited face put back over the source.

    BLENDERS[name](source, edited, alpha) -> (patch, alpha)

What the frame shows is `source + alpha * (patch - source)`, done in the frame's own pixel format by `video.paste`,
which keeps every sample where alpha is 0. A new blender is a function of this signature and a line
in `registry.BLENDERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from stitchedit.compositing.blenders import Blender, feather, match_colours
from stitchedit.config import BORDER_PX, REFERENCE_PX
from stitchedit.errors import EmptyMask
from stitchedit.faces.alignment import PixelBox, crop_to_source, sides, to_source, uncrop
from stitchedit.image.resample import apply, inverse
from stitchedit.image.similarity import unchanged
from stitchedit.image.smoothing import smoothstep
from stitchedit.masks.outline_edges import told_at
from stitchedit.masks.region_shape import Shape
from stitchedit.types import ByteArray, FloatArray

# Of the border's width, over which what the crop cuts off fades: with one width, hair that an edit turns grey ended in
# a straight line across the crown.
_CUT_OFF = 2.5
_WHOLE_CROP = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], np.float32)  # the quad of a crop in itself, in its sides


class Patch(NamedTuple):
    """What `video.paste` takes after the frame."""

    rgb: FloatArray  # [h, w, 3] on 0..255
    alpha: FloatArray  # [h, w] in 0..1
    box: PixelBox


def compose(
    read: Callable[[PixelBox], FloatArray],
    frame_size: tuple[int, int],
    image: ByteArray | FloatArray,
    quad: FloatArray,
    shape: Shape,
    *,
    own: ByteArray | None = None,
    border_px: float = BORDER_PX,
    fade: FloatArray | None = None,
    blender: Blender = feather,
    match: bool = False,
    frame: int = 0,
) -> Patch:
    """One frame's patch.

    Args:
        read: gives the source of a box, RGB float32 [h, w, 3] on 0..255 (`Frame.rgb_float`).
        frame_size: (width, height) of the source.
        image: the edited crop [S, S, 3] on 0..255.
        quad: [4, 2] where it was cut.
        shape: what of the crop is to be shown.
        own: the source's crop there, if only what the edit changed of it is to be carried over: where both show the
            same thing, finer detail than a crop can hold stays, and what did not change stays exactly.
        border_px: width of the fade around it in pixels of a 1024 px crop: the ring of stitching tuning.
        fade: the part of that width to use, as one of `feathering.fade_widths`; None: all of it.
        match: give the edit's colours the mean and contrast that the source has in the border.
        frame: index, for messages.
    Raises: EmptyMask, when the face lies outside of the picture.
    """
    box, alpha = shape_alpha(shape, quad, frame_size, border_px, fade)
    if not alpha.any():
        raise EmptyMask(frame)
    edited = np.clip(uncrop(image.astype(np.float32), quad, box), 0.0, 255.0)
    source = read(box)
    if own is not None:
        changed = source + uncrop(image.astype(np.float32) - own, quad, box)
        edited += uncrop(unchanged(own, image), quad, box, smooth=False)[..., None] * (changed - edited)
    rgb, alpha = blender(source, match_colours(source, edited, alpha) if match else edited, alpha)
    return Patch(rgb, alpha, box)


def shape_alpha(
    shape: Shape,
    quad: FloatArray,
    frame_size: tuple[int, int],
    border_px: float = BORDER_PX,
    fade: FloatArray | None = None,
) -> tuple[PixelBox, FloatArray]:
    """How much of the edit each source pixel shows: the smallest box that holds it all, and alpha [h, w] in it.

    1 on the shape, falling smoothly to exactly 0 at `border_px` around it, nearer where `fade` asks for it, and within
    _CUT_OFF times that toward the edge of the crop. It is drawn on the source's own pixels, so that it moves as
    steadily as the outline.
    """
    side = float(sides(quad[None])[0])
    width = border_px * side / REFERENCE_PX
    extent, reach_px = to_source(shape.extent, quad), width + shape.grow * side
    low = np.floor(np.maximum(extent.min(axis=0) - reach_px, 0)).astype(int)
    high = np.ceil(np.minimum(extent.max(axis=0) + reach_px, frame_size)).astype(int)
    x0, y0 = (int(v) for v in np.minimum(low, frame_size))
    x1, y1 = (int(v) for v in np.maximum(high, (x0, y0)))
    box = (x0, y0, x1, y1)
    if x0 == x1 or y0 == y1:
        return box, np.zeros((y1 - y0, x1 - x0), np.float32)
    place = _crop_places(quad, (x0, y0), (x1 - x0, y1 - y0))
    part = np.ones((1, 1), np.float32) if fade is None else told_at(fade, place, shape.center)
    reach = np.maximum(part * np.float32(width), np.float32(1e-3))
    ring: FloatArray = 1.0 - shape.distance_in(quad, box) / reach
    near = np.minimum(place, 1.0 - place)
    inner = np.minimum(near[..., 0], near[..., 1])  # to the crop's edge, in its sides; < 0 outside
    return box, smoothstep(ring) * smoothstep(inner * side / max(_CUT_OFF * width, 1.0))


def whole_alpha(
    shape: Shape, quad: FloatArray, frame_size: tuple[int, int], border_px: float = BORDER_PX
) -> FloatArray:
    """`shape_alpha` in the whole picture, float32 [H, W]: above 0.5 is inside, 0 is outside."""
    (x0, y0, x1, y1), alpha = shape_alpha(shape, quad, frame_size, border_px)
    whole = np.zeros(frame_size[::-1], np.float32)
    whole[y0:y1, x0:x1] = alpha
    return whole


def crop_alpha(shape: Shape, size: int, border_px: float = BORDER_PX) -> FloatArray:
    """The same in the crop itself, float32 [size, size]."""
    return whole_alpha(shape, size * _WHOLE_CROP, (size, size), border_px)


def _crop_places(quad: FloatArray, corner: tuple[int, int], size: tuple[int, int]) -> FloatArray:
    """Each source pixel's centre, [h, w, 2] in crop sides."""
    x, y = np.meshgrid(np.arange(size[0]) + 0.5 + corner[0], np.arange(size[1]) + 0.5 + corner[1])
    return apply(inverse(crop_to_source(quad)), np.stack([x, y], axis=-1))
