"""Around the border of a stitched face: where it counts as inside, what of the old face is left, what light is."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from stitchedit.image.smoothing import guided_filter, smoothstep, wide_blur
from stitchedit.masks.stitching_masks import RingMasks
from stitchedit.types import FloatArray

# Of the ring's width: further inside the edited picture needs no stitching. With twice the width, a tenth of what an
# edit draws on a head was lost to its border.
INTERIOR = 0.6
AT_EDGE = 0.12  # of that, where the source itself has an edge at the border
LEFT_SIGMA = 0.4  # of the ring's width
MEMBRANE_SIGMA = 0.15  # of the ring's width
MEMBRANE_EDGE = 0.02  # variance of brightness, in [-1, 1], from which on an edge counts as one


def interior(content_mask: FloatArray, width: float, edge: FloatArray | None = None) -> FloatArray:
    """How far inside the face a pixel lies, float32 [S, S]: 0 at its border, 1 from INTERIOR times `width` pixels.

    Args:
        edge: [S, S] in 0..1, where the border lies at an edge of the source: there it is 1 from AT_EDGE times that on,
            as an edge hides a step, and hair that an edit turns grey would else stay dark along its outline.
    """
    far = cv2.distanceTransform((content_mask > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    part = 1.0 if edge is None else 1.0 - (1.0 - AT_EDGE) * edge
    return smoothstep(far / np.maximum(INTERIOR * width * part, 1.0))


def where_it_left(source: Tensor, content: Tensor, ring: RingMasks, width: float) -> Tensor:
    """What to add to the source where the old face was and the edited one is not, [1, 3, S, S].

    The old hair that is left there is given the light and colour that the edit gives to the hair beside it; not the
    background between its tips, which is as light or as dark as the new hair already.
    """
    assert ring.left is not None
    own, new = (picture[0].permute(1, 2, 0).cpu().numpy() for picture in (source, content))
    weight, sigma = ring.content[..., None], LEFT_SIGMA * width
    counted = np.maximum(wide_blur(weight, sigma), 1e-3)
    old_hair, new_hair = (wide_blur(picture * weight, sigma) / counted for picture in (own, new))
    change = new_hair - old_hair
    room = np.sum((new_hair - own) * change, axis=-1, keepdims=True)
    like_hair = np.clip(room / np.maximum(np.square(change).sum(-1, keepdims=True), 1e-4), 0, 1)
    added = ring.left[..., None] * like_hair * change
    return torch.from_numpy(added).permute(2, 0, 1)[None].to(source)


def membrane(gap: FloatArray, source: FloatArray, content: FloatArray, inside: FloatArray, width: float) -> FloatArray:
    """Low-frequency colour residual left at the border, as a smooth surface to be added: float32 [S, S, 3].

    A smooth surface that follows the gap outside of the face, let out toward the inside, as in cloning by membrane
    interpolation (Pérez et al. 2003, doi:10.1145/882262.882269). Folds and hairs are left to the optimiser: they are
    finer than the surface, so nothing of the source shows through doubled. Across strong edges, from skin to a strip of
    hair, the gap may jump: so it is guided by the source's brightness (`guided_filter`). A plain mean would draw a halo
    along such an edge.

    Args:
        gap: [S, S, 3] source minus picture; source: [S, S, 3] in [-1, 1].
        content: [S, S], 1 in the face: there the gap is the edit's and does not count; inside: see `interior`.
        width: of the ring, pixels.
    """
    sigma = MEMBRANE_SIGMA * max(width, 1.0)
    weight = 1 - content
    counted = np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3)[..., None]

    def near(values: FloatArray) -> FloatArray:
        mean: FloatArray = cv2.GaussianBlur(values * weight[..., None], (0, 0), sigma).reshape(values.shape) / counted
        return mean

    light = source.mean(-1, keepdims=True)
    surface: FloatArray = guided_filter(light, gap, near, MEMBRANE_EDGE) * (1 - inside)[..., None]
    return surface
