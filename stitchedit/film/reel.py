"""A person's reel: frames from all of their shots as one clip, on which one generator learns what they look like."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from stitchedit.film.shot_files import ShotWriter
from stitchedit.image.contact_sheet import spread
from stitchedit.types import FaceState, Tracks
from stitchedit.video import open_video


def reel_frames(faces: Sequence[Tracks], most: int) -> list[list[int]]:
    """Which frames of each shot are taken: alike many of all, from found faces alone, spread over the shot.

    Args:
        faces: one person's tracks, a shot each; where they are more than `most`, some are left out evenly.
    """
    taken = set(spread(np.arange(len(faces)), most))
    each = max(1, most // max(1, len(taken)))
    found = [np.flatnonzero(own.state == FaceState.FOUND) for own in faces]
    return [sorted(set(spread(frames, each))) if k in taken else [] for k, frames in enumerate(found)]


def write_reel(path: Path, clips: Sequence[Path], faces: Sequence[Tracks], most: int) -> Tracks:
    """Write the reel; the tracks of the person in it, every frame a shot of its own: nothing is smoothed across.

    Args:
        clips: the shot of each of `faces`.
    Raises: CannotOpen, CannotDecode, CannotEncode, NotWritable, DiskFull.
    """
    points = []
    first = open_video(clips[0]).info
    with ShotWriter(path, first) as writer:
        for clip, own, chosen in zip(clips, faces, reel_frames(faces, most), strict=True):
            if not chosen:
                continue
            for frame in open_video(clip):
                if frame.index in chosen:
                    writer.write(frame)
                    points.append(own.landmarks[frame.index])
                if frame.index >= chosen[-1]:
                    break
    count = len(points)
    return Tracks(
        np.array(points, np.float32),
        np.full(count, FaceState.FOUND, np.uint8),
        faces[0].frame_size,
        Fraction(first.rate),
        np.arange(1, count, dtype=np.int64),
    )
