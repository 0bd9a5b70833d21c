"""Figures of a film that was edited: identity over its shots, steps of tuning a shot, and a sheet across shots.

    scripts/measure_film.py FILM.film [SHEET.png]

Prints, for each person, the mean cosine of embeddings over all pairs of frames of different shots in the source and
in the edit (dlib, source's landmarks for both), TG-ID over shots (the mean of the pairs' ratios), and a table of the
steps of tuning that each shot took. The sheet has a row of the source and one of the edit for each person.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stitchedit.faces import detectors
from stitchedit.files.image_folder import save_png
from stitchedit.film import folder as names
from stitchedit.film.folder import FilmFolder
from stitchedit.film.learning import Learned
from stitchedit.film.plan import FilmPlan, read_plan
from stitchedit.image.contact_sheet import contact_sheet, spread
from stitchedit.project import artefacts
from stitchedit.project.folder import Project, face_root
from stitchedit.types import ByteArray, FloatArray
from stitchedit.video import open_video

COLUMNS, LOOKS = 8, 4  # shots of the sheet; frames of a shot that are measured
ROOM = 1.9  # side of a cell in spans of the landmarks
Seen = tuple[FloatArray, FloatArray, ByteArray, ByteArray]  # embeddings of source and edit, a picture of each


def seen(folder: FilmFolder, shot: int, face: int) -> Seen | None:
    """One face of a shot; None, where that is not edited yet."""
    edited = folder.at(names.edited(shot))
    if not edited.is_file():
        return None
    tracks = artefacts.load_tracks(folder.at(names.faces(shot)) / str(face) / "tracks.npz")
    chosen = spread(tracks.frames, LOOKS)
    pictures = [
        [frame.rgb() for frame in open_video(path) if frame.index in chosen]
        for path in (folder.at(names.shot(shot)), edited)
    ]
    points = [tracks.landmarks[frame] for frame in sorted(set(chosen))]
    vectors = [np.array([detectors.embed(rgb, p) for rgb, p in zip(own, points, strict=True)]) for own in pictures]
    cells = [around(own[len(points) // 2], points[len(points) // 2]) for own in pictures]
    return vectors[0], vectors[1], cells[0], cells[1]


def around(rgb: ByteArray, points: FloatArray) -> ByteArray:
    """The square around a face."""
    low, high = points.min(axis=0), points.max(axis=0)
    side = ROOM * float((high - low).max())
    x, y = (low + high) / 2 - [side / 2, side * 0.6]
    left, top, size = round(float(x)), round(float(y)), round(side)
    padded = np.pad(rgb, [(size, size), (size, size), (0, 0)], mode="edge")
    return np.asarray(padded[top + size : top + 2 * size, left + size : left + 2 * size])


def cosines(shots: Sequence[FloatArray]) -> FloatArray:
    """Of all pairs of frames of different shots."""
    vectors = np.concatenate(shots).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    whose = np.repeat(np.arange(len(shots)), [len(shot) for shot in shots])
    found: FloatArray = (vectors @ vectors.T)[whose[:, None] < whose[None]]
    return found


def steps(folder: FilmFolder, shot: int, place: int) -> int:
    return Project.look(face_root(folder.at(names.shot_project(shot)), place)).tuning_steps


def measure(folder: FilmFolder, plan: FilmPlan, person: int) -> list[list[ByteArray]]:
    """Print a person's figures; the rows of the sheet."""
    known = [(shot, face, seen(folder, shot, face)) for shot, face in plan.frames_of(person)]
    done = [(shot, face, own) for shot, face, own in known if own is not None]
    if len(done) < 2:
        print(f"person {person}: {len(done)} of {len(known)} shots are edited, too few")
        return []
    source, edited = (cosines([own[k] for _, _, own in done]) for k in (0, 1))
    gap = np.mean([np.linalg.norm(own[0] - own[1], axis=1).mean() for _, _, own in done])
    shots = {p.shot.number: faces for p, faces in plan.edited()}
    tuned = [steps(folder, shot, 1 + [f for f, _ in shots[shot]].index(face)) for shot, face, _ in done]
    learned = Learned.read(folder.at(names.learned(person)))
    print(
        f"person {person}: {len(done)} of {len(known)} shots; cosine over shots {source.mean():.4f} in the source, "
        f"{edited.mean():.4f} edited; TG-ID over shots {np.mean(edited / source):.4f}; worst pair {source.min():.4f}, "
        f"{edited.min():.4f}; identity distance {gap:.3f}"
    )
    print(f"  steps: learned {learned.steps}, then {' '.join(map(str, tuned))}: {learned.steps + sum(tuned)} in all")
    shown = [done[k][2] for k in spread(np.arange(len(done)), COLUMNS)]
    return [[own[k] for own in shown] for k in (2, 3)]


def main() -> None:
    folder = FilmFolder(Path(sys.argv[1]))
    plan = read_plan(folder.at(names.PLAN))
    rows = [row for person in plan.persons for row in measure(folder, plan, person.number)]
    if len(sys.argv) > 2 and rows:
        width = max(map(len, rows))
        blank = np.full_like(rows[0][0], 24)
        full = [[*row, *[blank] * (width - len(row))] for row in rows]
        save_png(contact_sheet(full, [""] * width, ["source", "edited"] * (len(rows) // 2)), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
