"""Tracks -> Crops: the face of each frame in the pose that generators of FFHQ faces know, and the way back.

A crop's pixels are read from a square of the source, the quad. Positions follow `types.py` everywhere: the crop's
corner TL lies on the quad's corner TL, so the crop's first pixel centre (0.5, 0.5) is half a crop pixel inside.
PIL's QUAD transform has the same convention; the reference adds 0.5 to quads of whole-pixel landmarks to get there,
landmarks of `Tracks` have that 0.5 already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stitchedit.config import EXPAND_STEPS, AlignConfig
from stitchedit.image.resample import Affine, Border, apply, inverse, warp
from stitchedit.progress import Progress
from stitchedit.types import ByteArray, CropImages, Crops, FloatArray, Tracks

PixelBox = tuple[int, int, int, int]  # x0, y0, x1, y1 in whole source pixels, the last ones excluded

_FADE = 0.15  # of the crop's side: how far outside of the picture its mirror image is fully blurred
_BLUR = 0.03  # of the crop's side, sigma
_SHORTFALL = 0.13  # of the face's size: so much smaller may an exit be, a loss that cannot be seen


def align(
    frames: Iterable[tuple[int, ByteArray]],
    tracks: Tracks,
    config: AlignConfig,
    *,
    exits: Sequence[int],
    max_size: int,
    progress: Progress,
    keep: Callable[[Iterator[ByteArray]], CropImages] = list,
) -> Crops:
    """Cut the aligned face out of every frame that has landmarks.

    Args:
        frames: (index, RGB [H, W, 3]), ascending; read once. Frames without landmarks may be left out.
        exits: sizes that the generator can draw, ascending.
        max_size: no crop is larger.
        keep: takes the crops one by one, [S, S, 3], and gives back what holds them; the default holds them in memory.
    """
    indices = tracks.frames
    places = quads(tracks.landmarks[indices], config, tracks.runs)
    size = crop_size(places, exits, max_size)
    quad_of = dict(zip(indices.tolist(), places, strict=True))

    def images() -> Iterator[ByteArray]:
        done = 0
        for index, rgb in frames:
            if index in quad_of:
                yield crop(rgb, quad_of[index], size)
                done += 1
                progress("align", done, len(indices))

    return Crops(indices, places, keep(images()), size)


def quads(landmarks: FloatArray, config: AlignConfig, runs: Sequence[slice] | None = None) -> FloatArray:
    """Where the crops lie: [N, 4, 2] float32, corners TL BL BR TR, from landmarks [N, 68, 2].

    The square of FFHQ's alignment, or one that holds more on each side, by `config.expand`.

    Centres and axes are smoothed over time by Gaussians within each run (default: one run), mirrored at its ends.
    Source: FFHQ's alignment (Karras et al. 2019, arXiv:1812.04948) with the smoothing of Tzaban et al. 2022,
    arXiv:2201.08361.
    """
    points = landmarks.astype(np.float64)
    eyes = np.stack([points[:, 36:42].mean(axis=1), points[:, 42:48].mean(axis=1)], axis=1)  # [N, 2, 2]
    middle = eyes.mean(axis=1)
    across = eyes[:, 1] - eyes[:, 0]
    down = (points[:, 48] + points[:, 54]) / 2 - middle
    x = across - _turned(down)
    reach = np.maximum(2.0 * np.hypot(*across.T), 1.8 * np.hypot(*down.T)) * config.scale
    x *= (reach / np.hypot(*x.T))[:, None]
    center = middle + 0.1 * down
    center, x = center.copy(), x.copy()
    for run in runs if runs is not None else [slice(0, len(points))]:
        center[run] = _smoothed(center[run], config.center_sigma)
        x[run] = _smoothed(x[run], config.xy_sigma)
    y = _turned(x)
    left, top, right, bottom = (part / EXPAND_STEPS for part in config.expand)
    center += (right - left) * x + (bottom - top) * y
    x, y = (1 + left + right) * x, (1 + top + bottom) * y
    corners = np.stack([center - x - y, center - x + y, center + x + y, center + x - y], axis=1)
    return corners.astype(np.float32)


def crop_size(quads: FloatArray, exits: Sequence[int], max_size: int) -> int:
    """The lowest exit that loses nothing to see of the clip's median face, but at most `max_size`.

    A tenth too small counts as large enough: such a crop put back is 55 dB near its source (measured on skin at 512
    px for sides of 555), and the next exit costs four times as much.

    Args:
        quads: [N, 4, 2]; exits: sizes in pixels, ascending.
    """
    return exit_for((1 - _SHORTFALL) * float(np.median(sides(quads))), exits, max_size)


def exit_for(side: float, exits: Sequence[int], max_size: int) -> int:
    """The lowest exit of at least `side` pixels, but at most `max_size`; the lowest of all, if none is that small."""
    allowed = [size for size in exits if size <= max_size] or [min(exits)]
    return next((size for size in allowed if size >= side), allowed[-1])


def sides(quads: FloatArray) -> FloatArray:
    """Length of each quad's side in source pixels, [N] from [N, 4, 2]."""
    lengths: FloatArray = np.hypot(*(quads[:, 3] - quads[:, 0]).T)
    return lengths


def crop_to_source(quad: FloatArray, size: float = 1.0) -> Affine:
    """The map from positions in a crop of `size` pixels (default: units of its side) to source pixels, [2, 3]."""
    corners = quad.astype(np.float64)
    return np.stack([(corners[3] - corners[0]) / size, (corners[1] - corners[0]) / size, corners[0]], axis=1)


def to_crop(points: FloatArray, quad: FloatArray) -> FloatArray:
    """Source positions [..., 2] in units of the crop's side: 0..1 inside."""
    return apply(inverse(crop_to_source(quad)), points)


def to_source(points: FloatArray, quad: FloatArray) -> FloatArray:
    """Positions [..., 2] in units of the crop's side, in source pixels."""
    return apply(crop_to_source(quad), points)


def crop(rgb: ByteArray, quad: FloatArray, size: int) -> ByteArray:
    """The quad of the picture [H, W, 3] as [size, size, 3], free of aliasing at any ratio of sizes.

    Where the quad leaves the picture, its mirror image is shown, ever more blurred: generators of faces expect no
    black corners, and a sharp mirrored mouth would be tuned into the face.
    """
    window, (left, top) = _surroundings(rgb, quad, size)
    affine = crop_to_source(quad, size)
    affine[:, 2] -= (left, top)
    cut = warp(window, affine, (size, size), "mirror")
    outside = _outside(quad, size, rgb.shape[1], rgb.shape[0])
    if outside is not None:
        cut += (_blurred(cut) - cut) * outside[..., None]
    return _to_bytes(cut)


def bounding_box(quad: FloatArray, width: int, height: int) -> PixelBox:
    """The smallest box of source pixels that holds the quad, inside the picture; may be empty."""
    low = np.floor(quad.min(axis=0)).astype(int)
    high = np.ceil(quad.max(axis=0)).astype(int)
    x0, y0 = (int(v) for v in np.clip(low, 0, (width, height)))
    x1, y1 = (int(v) for v in np.clip(high, 0, (width, height)))
    return x0, y0, x1, y1


def uncrop(
    picture: FloatArray, quad: FloatArray, box: PixelBox, border: Border = "repeat", *, smooth: bool = True
) -> FloatArray:
    """A crop [S, S, C] or [S, S], float32, seen on the source's pixels in the box: float32 [h, w, C] or [h, w].

    The inverse of `crop`, as free of aliasing. Outside of the quad the border says what is seen: "repeat" for
    pictures, "zero" for masks (with `smooth=False`, so that they stay in their range).
    """
    affine = inverse(crop_to_source(quad, picture.shape[0]))
    affine[:, 2] += affine[:, :2] @ box[:2]
    return warp(picture, affine, (box[2] - box[0], box[3] - box[1]), border, smooth=smooth)


def _turned(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, 2] turned by a quarter, x to y."""
    return np.stack([-vectors[:, 1], vectors[:, 0]], axis=1)


def _smoothed(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """[N, 2] over time; sigma in frames, 0 for none."""
    if sigma == 0:
        return values
    smoothed: NDArray[np.float64] = gaussian_filter1d(values, sigma, axis=0, mode="reflect", truncate=4.0)
    return smoothed


def _surroundings(rgb: ByteArray, quad: FloatArray, size: int) -> tuple[FloatArray, tuple[int, int]]:
    """The part of the picture that a crop of the quad can see, float32, and its (left, top).

    It ends at the picture's own edge wherever the quad leaves the picture, so that mirroring starts there.
    """
    height, width = rgb.shape[:2]
    margin = 16 + 8 * float(sides(quad[None])[0]) / size  # what the kernels reach
    low, high = quad.min(axis=0) - margin, quad.max(axis=0) + margin
    x0, y0, x1, y1 = bounding_box(np.stack([low, high]), width, height)
    if x0 == x1 or y0 == y1:
        x0, y0, x1, y1 = 0, 0, width, height
    return rgb[y0:y1, x0:x1].astype(np.float32), (x0, y0)


def _outside(quad: FloatArray, size: int, width: int, height: int) -> FloatArray | None:
    """How far each crop pixel lies outside of the picture, 0..1 [S, S]; None where all lie inside."""
    if quad.min() >= 0 and quad[:, 0].max() <= width and quad[:, 1].max() <= height:
        return None
    (xx, yx, x0), (xy, yy, y0) = crop_to_source(quad, size)
    step = np.arange(size, dtype=np.float64) + 0.5
    px = step * xx + step[:, None] * yx + x0
    py = step * xy + step[:, None] * yy + y0
    beyond = np.maximum(np.maximum(-px, px - width), np.maximum(-py, py - height))
    reach = _FADE * float(sides(quad[None])[0])
    part: FloatArray = np.clip(beyond / reach, 0, 1).astype(np.float32)
    return part


def _blurred(picture: FloatArray) -> FloatArray:
    """The square picture under a wide Gaussian, made at an eighth of its size."""
    size = picture.shape[0]
    small = cv2.resize(picture, (max(8, size // 8),) * 2, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), _BLUR * small.shape[0], borderType=cv2.BORDER_REFLECT)
    blurred: FloatArray = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
    return blurred


def _to_bytes(values: FloatArray) -> ByteArray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
