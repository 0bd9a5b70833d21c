"""The faces of a shot: tracks of everybody who is seen for a while, and by what each is known in other shots.

shots/0007.faces/  1/tracks.npz  1.png (a portrait)  faces.npz (embeddings and sizes of all)
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stitchedit.config import EVERYBODY, LARGEST, TrackConfig
from stitchedit.errors import NoFace
from stitchedit.faces import detectors
from stitchedit.faces.tracking import track_faces
from stitchedit.files.array_files import save_arrays
from stitchedit.files.atomic import make_folder
from stitchedit.files.image_folder import save_png
from stitchedit.image.contact_sheet import spread
from stitchedit.pipeline.clip_sheets import pick, portraits
from stitchedit.pipeline.multi_face import iter_rgb
from stitchedit.progress import Progress, silent
from stitchedit.project import artefacts
from stitchedit.types import FloatArray, Tracks
from stitchedit.video import open_seen

log = logging.getLogger(__name__)

_LOOKS = 5  # frames of a shot at which an identity is looked at


@dataclass(frozen=True, slots=True)
class ShotFace:
    """One face of a shot."""

    shot: int
    number: int  # in the shot, from 1
    identity: FloatArray  # [128] mean embedding
    frames: int  # in how many it is seen
    width: float  # pixels, median of the detector's box
    first: int  # frames of the shot between which it is seen
    last: int


def find_faces(
    clip: Path, folder: Path, config: TrackConfig, progress: Progress = silent, *, colourspace: str = ""
) -> int:
    """Track everybody in a shot into a folder; how many there are, which may be none."""
    source = open_seen(clip, None, colourspace or None)
    try:
        found = track_faces(
            iter_rgb(source),
            config,
            [LARGEST, EVERYBODY],
            frame_size=(source.info.width, source.info.height),
            rate=source.info.rate,
            progress=progress,
            total=round((source.info.duration or 0) * source.info.rate),
            name=str(clip),
        )
    except NoFace as exc:
        log.info("%s", exc)
        found = {}
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    tracks = list(found.values())
    for number, own in enumerate(tracks, 1):
        make_folder(folder / str(number))
        artefacts.save_tracks(folder / str(number) / "tracks.npz", own)
    for number, face in enumerate(portraits(source, tracks) if tracks else [], 1):
        save_png(face.picture, folder / f"{number}.png")
    looks = [spread(own.frames, _LOOKS) for own in tracks]
    pictures = pick(source, sorted({frame for of_face in looks for frame in of_face})) if tracks else {}
    identities = [
        np.mean([detectors.embed(pictures[f], own.landmarks[f]) for f in frames], axis=0)
        for own, frames in zip(tracks, looks, strict=True)
    ]
    facts = np.array([_facts(own) for own in tracks], np.float64).reshape(-1, 4)
    save_arrays(folder / "faces.npz", {"identities": np.array(identities, np.float32).reshape(-1, 128), "facts": facts})
    return len(tracks)


def read_faces(folder: Path, shot: int) -> list[ShotFace]:
    """What `find_faces` found. Raises ProjectError."""
    arrays = artefacts.load_arrays(folder / "faces.npz")
    pairs = zip(arrays["identities"], arrays["facts"], strict=True)
    return [
        ShotFace(shot, number, np.asarray(identity, np.float32), int(f[0]), float(f[1]), int(f[2]), int(f[3]))
        for number, (identity, f) in enumerate(pairs, 1)
    ]


def _facts(own: Tracks) -> tuple[float, float, float, float]:
    frames = own.frames
    widths = [detectors.face_box(own.landmarks[frame]).width for frame in frames]
    return len(frames), float(np.median(widths)), float(frames[0]), float(frames[-1])
