"""What is wrong with a face for an edit, said as soon as it is followed and cut out: tuning takes minutes to hours.

Measured on frames of four filmed clips (faces of 89 to 145 grey levels), made darker or smaller, coded as H.264 at crf
23 and brought back. Darker: at a median of 30 grey levels 29 to 33 dB of the face are left, at 16 to 22 it is 28 dB and
less, and the detector begins to miss it. Smaller: dlib's identity embedding moves by .22 to .32 at a square of 100 px,
by .29 to .34 at 80 px (the least that is followed is about 70), by .38 to .43 at 64 px, another person's to dlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from stitchedit.config import InvertConfig
from stitchedit.errors import EmptyMask, NoFace
from stitchedit.faces.alignment import align, sides
from stitchedit.faces.mesh import mesh_points
from stitchedit.faces.tracking import track_faces
from stitchedit.faces.visibility import WORDS, doubtful_runs, visibility_flags
from stitchedit.image.contact_sheet import spread
from stitchedit.masks.weight_maps import face_mask
from stitchedit.pipeline.multi_face import iter_rgb
from stitchedit.progress import silent
from stitchedit.types import ByteArray, Crops, FacePoints, Tracks
from stitchedit.video import VideoSource

DARK = 25.0  # grey levels, median over the face
SMALL = 90.0  # source pixels, median side of a crop
_LOOKED_AT = 8  # crops, spread over the clip
_AHEAD = 12  # frames of a plan's look ahead: half a second each at most
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


def foretold_faces(source: VideoSource, config: InvertConfig, exits: Sequence[int]) -> list[str]:
    """What `invert` will have to say of the faces, by a few frames; empty as a rule. For plans: nothing is written.

    Args:
        exits: sizes that the generator can draw.
    Raises: NoFace, where the clip has no more frames than are looked at; ConfigError, when `--face` means nobody.
    """
    count, info = source.count(), source.info
    chosen = np.array(spread(np.arange(count), _AHEAD))
    looked_at = list(enumerate(rgb for _, rgb in iter_rgb(source, chosen)))
    size, rate = (info.width, info.height), info.rate * len(chosen) / count
    choices, whole = [config.track.face, *config.others], len(chosen) == count
    try:
        found = track_faces(
            looked_at, config.track, choices, frame_size=size, rate=rate, progress=silent, name=str(info.path)
        )
    except NoFace as exc:
        if whole:
            raise
        turned = f"; {exc.hint}" if exc.turn else ""
        return [f"no face is found in {len(chosen)} frames that were looked at{turned}"]
    told = []
    for number, followed in enumerate(found.values(), 1):
        tracks = followed if whole else replace(followed, cuts=np.arange(1, len(chosen)))  # none smooths another
        crops = align(looked_at, tracks, config.align, exits=exits, max_size=config.max_size, progress=silent)
        points = mesh_points(crops, tracks, silent, config.landmarks, config.align.inner)
        if whole:
            notes = all_warnings(tracks, crops, points)
        else:
            notes = _hard_frames(visibility_flags(tracks, crops, points)) + quality_notes(crops, points)
        told += [f"face {number}: {note}" if len(found) > 1 else note for note in notes]
    return told


def _hard_frames(flags: ByteArray) -> list[str]:
    """How many of the frames that were looked at cannot be edited well, by reason; single odd ones are let pass."""
    return [
        f"hard to edit, so edits fade out: {np.sum(flags == why)} of {len(flags)} frames looked at ({words})"
        for why, words in WORDS.items()
        if np.sum(flags == why) > 1
    ]


def brightness(crops: Crops, points: FacePoints) -> float:
    """Median grey level of the face, 0..255, over some crops; 255 where none shows it."""
    levels = []
    for index in spread(np.arange(len(crops.frames)), _LOOKED_AT):
        with suppress(EmptyMask):  # outside of the picture, which is told apart
            inside = face_mask(points.points[index], crops.size) > 0.5
            levels.append(float(np.median(crops.images[index][inside] @ _LUMA)))
    return float(np.median(levels)) if levels else 255.0
