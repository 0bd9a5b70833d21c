"""Ways to blend an edited picture into its source. `BLENDERS` names them; `Blender` is what each must keep.

Convention: pictures RGB float32 [h, w, 3] on 0..255, alpha float32 [h, w] in 0..1: 1 on the face, falling to 0 around
it. What is seen is `source + alpha * (patch - source)`, with the patch and the alpha that a blender gives back.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Protocol

import cv2
import numpy as np

from stitchedit import registry
from stitchedit.image.smoothing import smoothstep
from stitchedit.registry import Registry
from stitchedit.types import FloatArray

_GRID = 96  # cells along the longer side on which gradients are joined
_CUT_OFF = 0.25  # alpha at the edge of the box from which the face is taken to go on beyond it
_RIM = 0.02  # alpha below which that correction is 0
_BANDS = 5  # of the pyramid, the last one being what is left
# Of the ring's, over which the three coarsest bands fade. With 2, 4 and 8 most of what an edit draws coarsely was lost.
_WIDTHS = (1.5, 2.0, 2.5)
_GAIN = (0.85, 1.2)  # least and most by which the contrast of a band is matched
_GRAIN = 1.0  # grey levels below which the contrast of a band says nothing
_MATCH_GAIN = (0.8, 1.25)  # least and most by which the contrast of a channel is matched


class Blender(Protocol):
    """Makes a patch of source and edited picture.

    The alpha that is returned is 0 wherever the one given is; equal pictures give what shows that picture.
    """

    def __call__(
        self, source: FloatArray, edited: FloatArray, alpha: FloatArray, /
    ) -> tuple[FloatArray, FloatArray]: ...


def feather(source: FloatArray, edited: FloatArray, alpha: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The edited picture, faded in as alpha says."""
    return edited, alpha


def none(source: FloatArray, edited: FloatArray, alpha: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The edited picture as it is wherever alpha is at least a half: shows what a seam looks like unhidden."""
    return edited, (alpha >= 0.5).astype(np.float32)


def poisson(source: FloatArray, edited: FloatArray, alpha: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The picture whose gradients are the edit's, and the source's toward the outside: no step in light is left.

    With f that picture, s the source, e the edited one, b the part of the edit's gradients (all of them where alpha is
    a half or more, so that little of the edit's own light is lost): laplace f = div(b grad e + (1 - b) grad s), f = s
    where alpha is 0. Put f = s + b (e - s) + g; then laplace g = div((s - e) grad b), which has no fine detail: g is
    solved on a coarse grid. It spreads over the face what differs at the border, as light would.

    Source: Perez et al. 2003, doi:10.1145/882262.882269, with mixed gradients; the split is worked out here.
    """
    height, width = alpha.shape
    part = smoothstep(2.0 * alpha)
    shrink = max(1.0, max(height, width) / _GRID)
    size = (max(2, round(width / shrink)), max(2, round(height / shrink)))
    coarse = _rimmed(cv2.resize(part, size, interpolation=cv2.INTER_AREA))
    differs = np.pad(cv2.resize(source - edited, size, interpolation=cv2.INTER_AREA), ((1, 1), (1, 1), (0, 0)), "edge")
    light = cv2.resize(_joined(coarse, differs)[1:-1, 1:-1], (width, height), interpolation=cv2.INTER_LINEAR)
    patch = source + part[..., None] * (edited - source) + light * np.clip(part / _RIM, 0.0, 1.0)[..., None]
    return patch.astype(np.float32), (alpha > 0).astype(np.float32)


def multiband(source: FloatArray, edited: FloatArray, alpha: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Every band of detail faded over a width of its own: fine ones across a narrow seam, light over a wide one.

    Bands are those of a Laplacian pyramid. As far as a band of the edit is drawn anew, its contrast is matched
    to that of the source in the border, so that neither grain nor sharpness jumps; light is matched by the widest fade.
    All fades end where alpha does: nothing leaks outside, as it does in the classic form.

    Source: Burt and Adelson 1983, doi:10.1145/245.247.
    """
    ring = alpha * (1.0 - alpha)
    shown = source.copy()
    bands = zip(_bands(source), _bands(edited), _fades(alpha), strict=True)
    for level, (own, new, fade) in enumerate(bands):
        gain = 1.0 if level == _BANDS - 1 else _contrast(own, new, ring)
        shown += fade[..., None] * (gain * new - own)
    return shown, (alpha > 0).astype(np.float32)


def match_colours(source: FloatArray, edited: FloatArray, alpha: FloatArray) -> FloatArray:
    """The edited picture with mean and contrast of each channel as the source has them in the border.

    The border is where alpha lies between 0 and 1, most of all at a half. Without one, nothing is changed.
    """
    ring = alpha * (1.0 - alpha)
    total = float(ring.sum())
    if total <= 0:
        return edited
    mean_s, mean_e = ((p * ring[..., None]).sum((0, 1)) / total for p in (source, edited))
    var_s, var_e = (
        (np.square(p - m) * ring[..., None]).sum((0, 1)) / total for p, m in ((source, mean_s), (edited, mean_e))
    )
    gain = np.clip(np.sqrt((var_s + _GRAIN) / (var_e + _GRAIN)), *_MATCH_GAIN)
    matched: FloatArray = ((edited - mean_e) * gain + mean_s).astype(np.float32)
    return matched


def _joined(alpha: FloatArray, differs: FloatArray) -> FloatArray:
    """g [h, w, 3] with laplace g = div(differs grad alpha): 0 where alpha ends, free at the edges of the picture."""
    from scipy.sparse import coo_array, csc_array  # half a second to load
    from scipy.sparse.linalg import splu

    height, width = alpha.shape
    free = alpha > _RIM
    number = np.full(alpha.shape, -1)
    number[free] = np.arange(free.sum())
    whole, first, last = slice(None), slice(None, -1), slice(1, None)
    pairs = [((whole, first), (whole, last)), ((first, whole), (last, whole))]
    push = np.zeros((height, width, 3))
    rows, columns, values = [], [], []
    for a, b in pairs:
        flow = (differs[a] + differs[b]) / 2 * (alpha[b] - alpha[a])[..., None]
        push[a] += flow
        push[b] -= flow
        for here, there in ((number[a], number[b]), (number[b], number[a])):
            inside, both = here >= 0, (here >= 0) & (there >= 0)
            rows += [here[inside], here[both]]
            columns += [here[inside], there[both]]
            values += [np.full(inside.sum(), -1.0), np.ones(both.sum())]
    found = np.zeros((height, width, 3), np.float32)
    count = int(free.sum())
    if count:
        # A tiny regulariser toward 0 makes the answer unique where alpha ends nowhere.
        rows, columns, values = (
            [*rows, np.arange(count)],
            [*columns, np.arange(count)],
            [*values, np.full(count, -1e-9)],
        )
        laplace = coo_array(
            (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(count, count)
        )
        found[free] = splu(csc_array(laplace)).solve(push[free])
    return found


def _bands(picture: FloatArray) -> list[FloatArray]:
    """Bands that sum to the picture, finest first, each at full size."""
    levels = [picture]
    sizes = [picture.shape[1::-1]]
    for _ in range(_BANDS - 1):
        levels.append(cv2.pyrDown(levels[-1]))
        sizes.append(levels[-1].shape[1::-1])
    smooth = []
    for level in range(_BANDS):
        up = levels[level]
        for below in range(level, 0, -1):
            up = cv2.pyrUp(up, dstsize=sizes[below - 1])
        smooth.append(up)
    return [*(fine - coarse for fine, coarse in pairwise(smooth)), smooth[-1]]


def _fades(alpha: FloatArray) -> list[FloatArray]:
    """How much of each band of the edit is shown, [h, w] each; 0 wherever alpha is."""
    inside = (_rimmed(alpha) > 0).astype(np.uint8)
    fades = [smoothstep((alpha - 0.3) / 0.4), alpha]
    if inside.all():
        return [*fades, *[alpha] * (_BANDS - 2)]
    depth = np.maximum(cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1] - 0.5, 0.0)
    ring, middle = float(depth[(alpha > 0) & (alpha < 1)].max(initial=1.0)), float(depth.max())
    widths = [min(ring * width, max(middle / 2, ring)) for width in _WIDTHS]
    return [*fades, *(smoothstep(depth / width) * (alpha > 0) for width in widths)]


def _rimmed(alpha: FloatArray) -> FloatArray:
    """Alpha with what lies around its box, a pixel wide: 0, but where a face is cut off it goes on, [h + 2, w + 2]."""
    wide = np.pad(alpha, 1, "edge")
    inner = np.zeros(wide.shape, bool)
    inner[1:-1, 1:-1] = True
    rimmed: FloatArray = np.where(inner | (wide >= _CUT_OFF), wide, np.float32(0))
    return rimmed


def _contrast(own: FloatArray, new: FloatArray, ring: FloatArray) -> float:
    """By how much a band of the edit must grow to be as strong in the border as the source's.

    Only as far as it is not the source's own, though: grain that was kept is as strong as it should be already, and
    would flicker with the gain.
    """
    total = float(ring.sum())
    if total <= 0:
        return 1.0
    strong, weak, shared = (
        float(((a * b).mean(-1) * ring).sum()) / total for a, b in ((own, own), (new, new), (own, new))
    )
    kept = shared**2 / (strong * weak + _GRAIN**4)
    gain = np.clip(np.sqrt((strong + _GRAIN**2) / (weak + _GRAIN**2)), *_GAIN)
    return float(1 + (gain - 1) * (1 - kept))


BLENDERS: Registry[Blender] = registry.BLENDERS
