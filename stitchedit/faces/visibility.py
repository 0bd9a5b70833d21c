"""Frames whose face was found but cannot be edited well: covered, hardly to be seen, or mostly out of the picture.

Two readers that know nothing of each other say where eyes, nose and mouth are: landmarks from the whole picture, the
mesh from the crop. On a whole face they keep their distances; over a hand before the mouth, and in profile, they part.
Measured as the largest change of these distances, in crop sides, against the frames of which the detector is sure:
at most 0.028 on ordinary clips (rendered and filmed, with blinks, grins and turned heads), 0.05 under a bar before the
eyes, 0.09 under a painted hand, 0.05 in a head turned by 65 degrees and 0.1 from 75 on. The detector's score on the
same: at least 1.4 on ordinary faces, 0 to 0.5 in profile, -0.3 and -0.7 on the covered ones, which count as faces only
because one was there.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, label, median_filter

from stitchedit.faces.alignment import to_crop, to_source
from stitchedit.faces.mesh_topology import face_outline
from stitchedit.types import ByteArray, Crops, FacePoints, FaceState, FloatArray, SkippedRange, Tracks

PARTED = 0.035  # of the crop's side: readings of one face that differ more from what is usual in the clip
SURE = 0.5  # of the clip's best score: frames that reach it say what is usual
WEAK = 0.0  # score: the detector's own threshold
BEYOND = 0.4  # of the outline's points: so many outside of the picture are too many
_BRIDGED_S = 0.2  # good frames between two bad stretches that are too few to come and go
_MESH = (33, 133, 362, 263, 1, 61, 291)  # corners of the eyes, tip of the nose, corners of the mouth: in the mesh
_MARKS = (36, 39, 42, 45, 30, 48, 54)  # the same in the landmarks


class Why(IntEnum):
    """What is wrong with a frame."""

    NOTHING = 0
    COVERED = 1
    WEAK = 2
    BEYOND = 3


WORDS = {
    Why.COVERED: "the face is covered or turned far away",
    Why.WEAK: "the face is hardly to be seen",
    Why.BEYOND: "much of the face is out of the picture",
}


def visibility_flags(tracks: Tracks, crops: Crops, points: FacePoints) -> ByteArray:
    """What is wrong with each edited frame, [N] values of `Why`; single odd frames are let pass.

    Args:
        points: the face meshes seen in the crops.
    """
    frames, count = crops.frames, len(crops.frames)
    found = np.full(count, Why.NOTHING, np.uint8)
    found[_parted(tracks, crops, points) > PARTED] = Why.COVERED
    found[np.nan_to_num(tracks.score_of(frames), nan=np.inf) < WEAK] = Why.WEAK
    found[_beyond(tracks, crops, points) > BEYOND] = Why.BEYOND
    for run in tracks.runs:
        bad = median_filter((found[run] > 0).astype(np.uint8), 3, mode="nearest") > 0
        bridge = max(1, round(_BRIDGED_S * float(tracks.rate)))
        padded = np.pad(bad, bridge)  # closing must not reach beyond the run
        bad = binary_closing(padded, np.ones(bridge + 1, bool))[bridge : len(padded) - bridge]
        found[run] = _one_reason(found[run], bad)
    return found


def doubtful_runs(tracks: Tracks, crops: Crops, found: ByteArray) -> list[SkippedRange]:
    """The stretches of doubtful frames with their times and reasons, for the summary."""
    runs: list[SkippedRange] = []
    rate = float(tracks.rate)
    for frame, why in zip(crops.frames.tolist(), found.tolist(), strict=True):
        if why == Why.NOTHING:
            continue
        words = WORDS[Why(why)]
        if runs and runs[-1].last == frame - 1 and runs[-1].why == words:
            runs[-1] = SkippedRange(runs[-1].first, frame, runs[-1].start_s, (frame + 1) / rate, words)
        else:
            runs.append(SkippedRange(frame, frame, frame / rate, (frame + 1) / rate, words))
    return runs


def absent_runs(tracks: Tracks) -> list[SkippedRange]:
    """The runs of frames that no face was found in."""
    absent = np.flatnonzero(tracks.state == FaceState.ABSENT)
    runs = np.split(absent, np.flatnonzero(np.diff(absent) > 1) + 1) if len(absent) else []
    rate = float(tracks.rate)
    return [SkippedRange(int(r[0]), int(r[-1]), int(r[0]) / rate, (int(r[-1]) + 1) / rate) for r in runs]


def _parted(tracks: Tracks, crops: Crops, points: FacePoints) -> FloatArray:
    """How far both readings are from their usual distance, at most over the seven places, [N] in crop sides.

    Usual is what frames of good scores show: a clip may be mostly profile.
    """
    marks = np.stack([to_crop(tracks.landmarks[f], q) for f, q in zip(crops.frames, crops.quads, strict=True)])
    gaps = points.points[:, list(_MESH)] - marks[:, list(_MARKS)]
    scores = np.nan_to_num(tracks.score_of(crops.frames), nan=WEAK)
    best = scores.max()
    gaps = gaps - np.median(gaps[scores >= SURE * best] if best > WEAK else gaps, axis=0)
    parted: FloatArray = np.hypot(gaps[..., 0], gaps[..., 1]).max(axis=1)
    return parted


def _beyond(tracks: Tracks, crops: Crops, points: FacePoints) -> FloatArray:
    """The share of the outline's points outside of the picture, [N]."""
    outlines = np.stack([to_source(face_outline(p), q) for p, q in zip(points.points, crops.quads, strict=True)])
    outside = ((outlines < 0) | (outlines > np.array(tracks.frame_size))).any(axis=-1)
    share: FloatArray = outside.mean(axis=1).astype(np.float32)
    return share


def _one_reason(found: ByteArray, bad: NDArray[np.bool_]) -> ByteArray:
    """Each stretch of bad frames under the reason that most of its frames have."""
    reasons = np.zeros_like(found)
    stretches, count = label(bad)
    for number in range(1, count + 1):
        here = stretches == number
        reasons[here] = np.bincount(found[here & (found > 0)]).argmax()
    return reasons
