"""RGB out of a box of a picture, and an edited box back into it, in the picture's own samples.

Convention: RGB is [h, w, 3] on a scale of 0..255 at every bit depth, in the clip's own transfer curve (gamma, PQ,
HLG) and primaries: only matrix and range are undone. Float RGB is not clipped, so that samples which no RGB colour
matches survive the way there and back; uint8 is rounded and clipped.

Every chroma sample stands for the whole block of pixels that it covers, on the way out (repeated) and back
(averaged). The two are inverse to each other, which a smoother interpolation is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stitchedit.types import ByteArray, FloatArray
from stitchedit.video.pixel_formats import Layout, clone, samples

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels, half-open

_LUMA_WEIGHTS = {  # matrix code points of ITU-T H.273: weights of red and blue in luma
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020, also close to its constant-luminance form
    10: (0.2627, 0.0593),
}
BT709, _BT601, _YCGCO = 1, 6, 8
LIMITED_RANGE, FULL_RANGE = 1, 2  # AVCOL_RANGE_MPEG and _JPEG; 0 says nothing


@dataclass(frozen=True, slots=True)
class Colour:
    """How the codes of a layout mean RGB: `rgb = to_rgb @ (codes - offset)`, colour components in the layout's order.

    Y, Cb, Cr for video; R, G, B in this order for RGB formats; one column for gray.
    """

    layout: Layout
    offset: FloatArray  # [C] code of zero
    to_rgb: FloatArray  # [3, C]
    from_rgb: FloatArray  # [C, 3]


def colour_of(layout: Layout, matrix: int, color_range: int, width: int, height: int) -> Colour:
    """The meaning of a layout's codes.

    Convention: an untold matrix (or one that is not known here) is BT.709 from 1280 pixels wide or 577 high, BT.601
    below, as players do it; an untold range is limited for YUV, full for gray, RGB and yuvj formats, as FFmpeg does.

    Args:
        matrix, color_range: code points of ITU-T H.273, as FFmpeg's AVCOL_SPC and AVCOL_RANGE.
        width, height: of the stored picture, in pixels.
    """
    full = color_range == FULL_RANGE or layout.full_range
    if layout.is_rgb or layout.roles in ("Y", "YA"):
        full = color_range != 1
    top, unit = (1 << layout.depth) - 1, 1 << (layout.depth - 8)
    luma = (0.0, float(top)) if full else (16.0 * unit, 219.0 * unit)
    if layout.is_rgb:
        weights, zero, span = np.eye(3), np.full(3, luma[0]), np.full(3, luma[1])
    else:
        weights = _rgb_to_ycc(matrix, width, height)
        chroma = float(top) if full else 224.0 * unit
        zero, span = np.array([luma[0], 128.0 * unit, 128.0 * unit]), np.array([luma[1], chroma, chroma])
    to_rgb = 255.0 * np.linalg.inv(weights) / span
    from_rgb = weights * span[:, None] / 255.0
    if layout.roles in ("Y", "YA"):
        to_rgb, from_rgb, zero = to_rgb[:, :1], from_rgb[:1], zero[:1]
    return Colour(layout, zero.astype(np.float32), to_rgb.astype(np.float32), from_rgb.astype(np.float32))


def matrix_of(matrix: int, width: int, height: int) -> int:
    """The code point of the matrix that a picture is taken to have, see `colour_of`."""
    if matrix == _YCGCO or matrix in _LUMA_WEIGHTS:
        return matrix
    return BT709 if width >= 1280 or height > 576 else _BT601


def _rgb_to_ycc(matrix: int, width: int, height: int) -> NDArray[np.float64]:
    matrix = matrix_of(matrix, width, height)
    if matrix == _YCGCO:
        return np.array([[0.25, 0.5, 0.25], [-0.25, 0.5, -0.25], [0.5, 0.0, -0.5]])
    red, blue = _LUMA_WEIGHTS[matrix]
    luma = np.array([red, 1.0 - red - blue, blue])
    cb = (np.array([0.0, 0.0, 1.0]) - luma) / (2.0 * (1.0 - blue))
    cr = (np.array([1.0, 0.0, 0.0]) - luma) / (2.0 * (1.0 - red))
    return np.stack([luma, cb, cr])


def read_rgb(frame: av.VideoFrame, colour: Colour, box: Box) -> FloatArray:
    """RGB of a box of the stored picture, float32 [h, w, 3], not clipped.

    Raises: ValueError, when the box is empty or leaves the picture.
    """
    x0, y0, x1, y1 = box
    if not (0 <= x0 < x1 <= frame.width and 0 <= y0 < y1 <= frame.height):
        raise ValueError(f"box {box} is empty or leaves the picture of {frame.width} x {frame.height}")
    layout = colour.layout
    if layout.is_rgb:
        parts = [_read_codes(frame, layout, role, box)[0] for role in "RGB"]
        return (np.stack(parts, 2) - colour.offset) * np.diag(colour.to_rgb)
    luma = (_read_codes(frame, layout, "Y", box)[0] - colour.offset[0]) * colour.to_rgb[0, 0]  # the same for R, G and B
    if "U" not in layout.roles:
        return np.repeat(luma[..., None], 3, 2)
    (blue, start, log2), (red, _, _) = (_read_codes(frame, layout, role, box) for role in "UV")
    pair = np.stack([blue, red], 2) - colour.offset[1:]
    tint: FloatArray = (pair @ colour.to_rgb[:, 1:].T).astype(np.float32, copy=False)
    rgb = _repeat(tint, log2)  # [h, w, 3], from the left upper chroma sample's block on
    x, y = x0 - (start[0] << log2[0]), y0 - (start[1] << log2[1])
    rgb = rgb[y : y + y1 - y0, x : x + x1 - x0]
    rgb += luma[..., None]
    return rgb


def to_bytes(rgb: FloatArray) -> ByteArray:
    """Float RGB rounded and clipped to uint8."""
    rounded = np.rint(rgb)
    return np.clip(rounded, 0.0, 255.0, out=rounded).astype(np.uint8)


def paste_rgb(frame: av.VideoFrame, colour: Colour, patch: FloatArray, alpha: FloatArray, box: Box) -> av.VideoFrame:
    """A copy of the frame with `patch` blended into a box of the stored picture.

    Each sample becomes `sample + alpha * (edited - sample)`, rounded. Samples where alpha is 0 keep their exact
    value. A chroma sample changes only if alpha is above 0 at every pixel that it covers. The picture's own alpha
    component never changes. What the patch holds where alpha is 0 does not matter, NaN included.

    Args:
        patch: RGB on a scale of 0..255, [h, w, 3].
        alpha: 0..1, [h, w].
        box: where the patch goes; parts outside of the picture are left out.
    Raises: ValueError, when the shapes do not fit.
    """
    x0, y0, x1, y1 = box
    if patch.shape != (y1 - y0, x1 - x0, 3) or alpha.shape != patch.shape[:2]:
        raise ValueError(f"patch {patch.shape} and alpha {alpha.shape} do not fill the box {box}")
    made = clone(frame)
    inside = _shrink(alpha, box, frame.width, frame.height)
    if inside is None:
        return made
    patch, alpha, box = _on_grid(patch, alpha, box, inside, colour.layout, frame.width, frame.height)
    top = (1 << colour.layout.depth) - 1
    for place, role in enumerate(_colour_roles(colour.layout)):
        edited = patch @ colour.from_rgb[place] + colour.offset[place]
        codes, (x, y), log2 = _read_codes(frame, colour.layout, role, box)
        height, width = codes.shape
        present = _repeat(codes, log2)
        present = np.pad(
            present, ((0, alpha.shape[0] - present.shape[0]), (0, alpha.shape[1] - present.shape[1])), "edge"
        )
        pull = _blocks(alpha * (edited - present), log2).mean((1, 3))[:height, :width]
        change = _blocks(alpha, log2).min((1, 3))[:height, :width] > 0.0
        raw = np.clip(np.rint(codes + pull), 0.0, top).astype(np.int32)
        component = next(component for component in colour.layout.components if component.role == role)
        target = samples(made, colour.layout, component)[y : y + height, x : x + width]
        np.copyto(target, (raw << component.shift).astype(target.dtype), where=change)
    return made


def _colour_roles(layout: Layout) -> str:
    return "RGB" if layout.is_rgb else layout.roles.replace("A", "")


def _read_codes(
    frame: av.VideoFrame, layout: Layout, role: str, box: Box
) -> tuple[FloatArray, tuple[int, int], tuple[int, int]]:
    """Codes of a component that cover a box, where they start in its plane (x, y), and the component's log2."""
    across, down = log2 = layout.log2_of(role)
    x, y = box[0] >> across, box[1] >> down
    component = next(component for component in layout.components if component.role == role)
    plane = samples(frame, layout, component)
    raw = plane[y : -(-box[3] >> down), x : -(-box[2] >> across)]
    return (raw >> component.shift).astype(np.float32), (x, y), log2


def _shrink(alpha: FloatArray, box: Box, width: int, height: int) -> Box | None:
    """The smallest box inside of the picture that holds every alpha above 0, or None."""
    left, top = max(0, -box[0]), max(0, -box[1])
    seen = alpha[top : max(top, height - box[1]), left : max(left, width - box[0])] > 0.0
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    if not rows.size:
        return None
    x, y = box[0] + left, box[1] + top
    return int(x + columns[0]), int(y + rows[0]), int(x + columns[-1] + 1), int(y + rows[-1] + 1)


def _on_grid(
    patch: FloatArray, alpha: FloatArray, box: Box, inside: Box, layout: Layout, width: int, height: int
) -> tuple[FloatArray, FloatArray, Box]:
    """Patch and alpha cut to `inside` and grown to whole chroma blocks; alpha is 0 on what was added.

    At the right and lower edge of a picture of odd size the last block is part of a block: there both are repeated
    outwards, so that a block's mean and minimum are those of the pixels that exist.
    """
    across, down = layout.log2
    x0, y0 = inside[0] >> across << across, inside[1] >> down << down
    x1, y1 = -(-inside[2] >> across) << across, -(-inside[3] >> down) << down
    seen_x1, seen_y1 = min(x1, width), min(y1, height)
    grown = np.zeros((seen_y1 - y0, seen_x1 - x0), np.float32), np.zeros((seen_y1 - y0, seen_x1 - x0, 3), np.float32)
    to = np.s_[inside[1] - y0 : inside[3] - y0, inside[0] - x0 : inside[2] - x0]
    of = np.s_[inside[1] - box[1] : inside[3] - box[1], inside[0] - box[0] : inside[2] - box[0]]
    grown[0][to] = alpha[of]
    grown[1][to] = np.where(alpha[of][..., None] > 0.0, patch[of], 0.0)
    edge = ((0, y1 - seen_y1), (0, x1 - seen_x1))
    alpha, patch = np.pad(grown[0], edge, "edge"), np.pad(grown[1], (*edge, (0, 0)), "edge")
    return patch, alpha, (x0, y0, x1, y1)


def _repeat(coarse: FloatArray, log2: tuple[int, int]) -> FloatArray:
    """[h, w, ...] with every entry repeated 2**log2 times across and down, writable."""
    if log2 == (0, 0):
        return coarse
    size = (coarse.shape[1] << log2[0], coarse.shape[0] << log2[1])
    fine: FloatArray = cv2.resize(coarse, size, interpolation=cv2.INTER_NEAREST)  # faster than np.repeat
    return fine


def _blocks(values: FloatArray, log2: tuple[int, int]) -> FloatArray:
    """[h, w] -> [h / 2**down, 2**down, w / 2**across, 2**across]."""
    across, down = 1 << log2[0], 1 << log2[1]
    return values.reshape(values.shape[0] // down, down, values.shape[1] // across, across)
