"""What tuning missed of a frame, for an edit to give it back; and how far an edit may part from who was tuned."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from stitchedit.editing.edits import OwnLook
from stitchedit.editing.residual_transfer import OWN_EYES, OWN_LIPS, OWN_SKIN, carried
from stitchedit.masks.weight_maps import eyes_map, face_mask, lips_map, opening_map
from stitchedit.models import loading
from stitchedit.types import FloatArray

if TYPE_CHECKING:
    from stitchedit.pipeline.inversion import Inversion

COARSE_PX = 32  # layers up to here hold who somebody is rather than how they are lit


def source_detail(
    inverted: Inversion, fidelity: float, look: OwnLook
) -> Callable[[int, Tensor, FloatArray | None], Tensor]:
    """What the tuned generator misses of each frame, carried to where an edit moves it.

    Args:
        fidelity: 0..1, of the edit: the less of the person it is to keep, the less of the eyes' own look but for what
            lies in their opening: where somebody looks is not who it is.
        look: whether lips are to keep their colour, skin its colour and light, as far as fidelity goes; and eyes all of
            their look or, where lids are to move, their colour.
    """
    own = fidelity**2

    def detail(index: int, edited: Tensor, inside: FloatArray | None = None) -> Tensor:
        size = int(edited.shape[-1])
        source = inverted.warm("source", (index, size), lambda: _picture(inverted.batches.images([index], size)))
        before = unedited(inverted, index, size)
        masks = inverted.warm("masks", (index, size), lambda: _masks(inverted.points.points[index], size))
        skin, tints = None, np.zeros_like(masks.lips)
        eyes = np.asarray(OWN_EYES * (own * masks.eyes + (1 - own) * masks.openings), np.float32)
        if look.colours:
            skin = (OWN_SKIN * own) * masks.face * (1 - masks.lips) * (1 - masks.eyes)
            tints = OWN_LIPS * own * masks.lips
        if not look.eyes:
            tints = np.maximum(tints, eyes)
        own_eyes = eyes if look.eyes else None
        missed = carried(source, before, _picture(edited), inside, masks.eyes, own_eyes, tints, skin)
        return torch.from_numpy(missed).permute(2, 0, 1)[None].to(edited.device)

    return detail


class _Masks(NamedTuple):
    """Parts of a face, each float32 [S, S] in 0..1."""

    eyes: FloatArray
    openings: FloatArray
    lips: FloatArray
    face: FloatArray


def _masks(mesh: FloatArray, size: int) -> _Masks:
    return _Masks(eyes_map(mesh, size), opening_map(mesh, size), lips_map(mesh, size), face_mask(mesh, size))


def unedited(inverted: Inversion, index: int, size: int) -> FloatArray:
    """What the generator draws of a crop, [S, S, 3] in [-1, 1]; those looked at last are kept."""
    return inverted.warm("before", (index, size), lambda: _picture(inverted.synthesized(index, size=size)))


def _picture(image: Tensor) -> FloatArray:
    """[1, 3, S, S] as [S, S, 3]."""
    channels_last: FloatArray = image[0].permute(1, 2, 0).cpu().numpy()
    return channels_last


def softened(inverted: Inversion, fidelity: float) -> Inversion:
    """The same with the generator's coarse layers a part of the way back to where they were before tuning.

    They hold the shape of the person; the finer ones keep the clip's light and colours. 1 leaves all as it is.

    Returns: a copy, where anything changes; the argument stays as it was.
    """
    if fidelity == 1:
        return inverted
    soft = replace(inverted, generator=copy.deepcopy(inverted.generator), _kept={})
    untuned, _ = loading.generator(inverted.project.fact("settings", "generator"), inverted.generator.w_avg.device)
    with torch.no_grad():
        pairs = zip(soft.generator.named_parameters(), untuned.parameters(), strict=True)
        for (name, parameter), start in pairs:
            if soft.generator.layer_px(name) <= COARSE_PX:
                parameter.lerp_(start, 1 - fidelity)
    return soft
