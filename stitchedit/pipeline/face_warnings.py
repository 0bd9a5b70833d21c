"""What is wrong with a face for an edit, said as soon as it is followed and cut out: tuning takes minutes to hours.

Measured on frames of four filmed clips (faces of 89 to 145 grey levels), made darker or smaller, coded as H.264 at crf
23 and brought back. Darker: at a median of 30 grey levels 29 to 33 dB of the face are left, at 16 to 22 it is 28 dB and
less, and the detector begins to miss it. Smaller: dlib's identity embedding moves by .22 to .32 at a square of 100 px,
by .29 to .34 at 80 px (the least that is followed is about 70), by .38 to .43 at 64 px, another person's to dlib.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from stitchedit.errors import EmptyMask
from stitchedit.faces.alignment import sides
from stitchedit.faces.visibility import doubtful_runs, visibility_flags
from stitchedit.image.contact_sheet import spread
from stitchedit.masks.weight_maps import face_mask
from stitchedit.types import Crops, FacePoints, Tracks

DARK = 25.0  # grey levels, median over the face
SMALL = 90.0  # source pixels, median side of a crop
_LOOKED_AT = 8  # crops, spread over the clip
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def all_warnings(tracks: Tracks, crops: Crops, points: FacePoints) -> list[str]:
    """Every reason for which an edit of this face will come out badly, or not at all; most clips have none."""
    runs = doubtful_runs(tracks, crops, visibility_flags(tracks, crops, points))
    hard = [f"hard to edit, so edits fade out: frames {', '.join(map(str, runs))}"] if runs else []
    return [*hard, *quality_notes(crops, points)]


def quality_notes(crops: Crops, points: FacePoints) -> list[str]:
    """What darkness and size will do to an edit."""
    told = []
    side, light = float(np.median(sides(crops.quads))), brightness(crops, points)
    if light < DARK:
        told.append(
            f"the face is very dark ({light:.0f} of 255): edits show the codec's blocks; brighten the clip first"
        )
    if side < SMALL:
        told.append(
            f"the face is very small (its square is {side:.0f} px wide): edits are a blur; give a larger picture"
        )
    return told


def brightness(crops: Crops, points: FacePoints) -> float:
    """Median grey level of the face, 0..255, over some crops; 255 where none shows it."""
    levels = []
    for index in spread(np.arange(len(crops.frames)), _LOOKED_AT):
        with suppress(EmptyMask):  # outside of the picture, which is told apart
            inside = face_mask(points.points[index], crops.size) > 0.5
            levels.append(float(np.median(crops.images[index][inside] @ _LUMA)))
    return float(np.median(levels)) if levels else 255.0
