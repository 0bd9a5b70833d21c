"""What tuning missed, carried over to the edited face: pores, single hairs, the gaze, a hand in front of the face.

The tuned generator draws a frame nearly, not wholly; the rest is known, since the frame is there to compare with. An
edit moves the face of the generator, and the rest moves along: it is carried by the optical flow from the unedited to
the edited drawing, and left out where the edit draws something else than before (teeth in a mouth that was shut). So
an edit of strength 0 gives the source back, and what does not change stays sharp and as steady as it was.
Source: the idea of giving an edited inversion its residual back is that of HFGI, Wang et al. 2022, arXiv:2109.06590,
which trains a network for it; here flow and a comparison of both drawings do, and nothing is trained.
"""

from __future__ import annotations

import numpy as np

from stitchedit.image.optical_flow import places_along, sample, smooth_flow
from stitchedit.image.similarity import OTHER, same_structure
from stitchedit.image.smoothing import luma, wide_blur
from stitchedit.types import FloatArray

OTHER_EYES = 4.0  # times that in the eyes
OWN_EYES = 0.8  # part of the eyes' look that is the source's, whatever the edit draws, but for edits of the eyes
OWN_LIPS = 0.7  # part of the lips' colour that is, where an edit is not meant to change colours
OWN_SKIN = 0.7  # likewise of the skin's colour and of the light on it
SKIN_SIGMA = 1 / 24  # of the crop's side: finer differences of colour (spots, folds) are the edit's
LIGHT_SIGMA = 1 / 12  # likewise of light (folds, a beard's shadow)


def carried(
    source: FloatArray,
    drawn: FloatArray,
    edited: FloatArray,
    inside: FloatArray | None = None,
    eyes: FloatArray | None = None,
    own_eyes: FloatArray | None = None,
    tints: FloatArray | None = None,
    skin: FloatArray | None = None,
) -> FloatArray:
    """What to add to the edited drawing.

    Convention: pictures are float32 [S, S, 3] RGB in [-1, 1].

    Args:
        source: the frame's crop; drawn: the tuned generator's picture of it; edited: the same after the edit.
        inside: [S, S], 1 where the edited drawing is taken as it is, 0 where stitching brings it back to what was
            drawn before: there all that was missed stays, at its place. None: 1 everywhere.
        eyes: [S, S], 1 in the opening of the eyes, 0 well outside: there much is kept even where the edit draws
            something else, for a generator draws the gaze worst of all. None: 0 everywhere.
        own_eyes: [S, S] in 0..1, the part of the source's own look, bent to where the edit draws it, that is put there:
            most edits make irises paler that nobody asked to change. None: 0 everywhere.
        tints: [S, S] in 0..1, the part of the source's colour, but not of its light, that is put there likewise: many
            edits turn lips grey that nobody asked to change, and irises where lids are moved. None: 0 everywhere.
        skin: [S, S] in 0..1, the same for coarse differences of colour alone, by which a face would part from its neck,
            and for still coarser ones of light, by which it would part from the light of its scene. Also where
            `inside` is 0, fading out beyond the skin.
    """
    inside = np.ones(edited.shape[:2], np.float32) if inside is None else inside
    places = places_along(smooth_flow(edited, drawn) * inside[..., None])
    here = sample(drawn, places, cubic=True)
    missed: FloatArray = sample(source - drawn, places, cubic=True)
    limit = OTHER if eyes is None else OTHER * (1 + eyes * (OTHER_EYES - 1))
    same = same_structure(edited, here, limit)
    missed *= 1 - (inside * (1 - same))[..., None]
    change = here - edited
    if own_eyes is not None:
        missed += (inside * own_eyes * same)[..., None] * change
    if tints is not None:
        missed += (inside * tints * same)[..., None] * _colour(change)
    if skin is not None:
        # Beyond `inside` and gently, for stitching to meet: else a dull ring is left there, or a line at its edge.
        weight = skin[..., None]
        light = _near(luma(change) * weight, LIGHT_SIGMA) / np.maximum(_near(weight, LIGHT_SIGMA), 1e-3)
        missed += _colour(_near(change * weight, SKIN_SIGMA)) + _near(weight, SKIN_SIGMA) * light
    return missed


def _colour(change: FloatArray) -> FloatArray:
    """[S, S, 3], what of a change is not light."""
    colour: FloatArray = change - luma(change)
    return colour


def _near(values: FloatArray, sigma: float) -> FloatArray:
    """[S, S, C] averaged over the neighbourhood of each place; sigma in crop sides."""
    return wide_blur(values, len(values) * sigma)
