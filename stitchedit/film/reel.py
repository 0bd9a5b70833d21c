"""A person's reel: frames from all of their shots as pictures, on which one generator learns what they look like."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from stitchedit.config import DEFAULT_FPS
from stitchedit.files.atomic import make_folder
from stitchedit.files.image_folder import save_png
from stitchedit.image.contact_sheet import spread
from stitchedit.types import FaceState, Tracks
from stitchedit.video import open_seen


def reel_frames(faces: Sequence[Tracks], most: int) -> list[list[int]]:
    """Which frames of each shot are taken: alike many of all, from found faces alone, spread over the shot.

    Args:
        faces: one person's tracks, a shot each; where they are more than `most`, some are left out evenly.
    """
    taken = set(spread(np.arange(len(faces)), most))
    each = max(1, most // max(1, len(taken)))
    found = [np.flatnonzero(own.state == FaceState.FOUND) for own in faces]
    return [sorted(set(spread(frames, each))) if k in taken else [] for k, frames in enumerate(found)]


def write_reel(
    folder: Path, clips: Sequence[Path], faces: Sequence[Tracks], most: int, colourspace: str = ""
) -> Tracks:
    """Write the reel; the tracks of the person in it, every frame a shot of its own: nothing is smoothed across.

    Pictures are as they look, upright, as large as the largest of the shots; smaller ones lie at the upper left, with
    their border repeated.

    Args:
        folder: for the pictures; what is in it goes.
        clips: the shot of each of `faces`.
        colourspace: of the shots; empty: as their own tags say.
    Raises: CannotOpen, CannotDecode, NotWritable, DiskFull.
    """
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    points: list[np.ndarray] = []
    width, height = (max(own.frame_size[axis] for own in faces) for axis in (0, 1))
    for clip, own, chosen in zip(clips, faces, reel_frames(faces, most), strict=True):
        if not chosen:
            continue
        for frame in open_seen(clip, None, colourspace or None):
            if frame.index in chosen:
                rgb = frame.rgb()
                room = [(0, height - rgb.shape[0]), (0, width - rgb.shape[1]), (0, 0)]
                points.append(own.landmarks[frame.index])
                save_png(np.pad(rgb, room, mode="edge"), folder / f"{len(points):04d}.png")
            if frame.index >= chosen[-1]:
                break
    count = len(points)
    return Tracks(
        np.array(points, np.float32),
        np.full(count, FaceState.FOUND, np.uint8),
        (width, height),
        Fraction(DEFAULT_FPS),
        np.arange(1, count, dtype=np.int64),
    )
