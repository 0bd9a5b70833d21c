"""A film looked through: its shots, who is seen in each, and who is who. What is found is kept in the film's folder."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from stitchedit.errors import ConfigError, FaceError
from stitchedit.faces import detectors
from stitchedit.faces.photo import read_portrait
from stitchedit.files.image_folder import save_png
from stitchedit.film import folder as names
from stitchedit.film.clips import Film
from stitchedit.film.faces import ShotFace, read_faces
from stitchedit.film.folder import FilmFolder
from stitchedit.film.given import OLD_TABLE, Given, cut_film, read_film
from stitchedit.film.graph import Task, face_tasks
from stitchedit.film.outcome import Outcome, error_of
from stitchedit.film.people import SAME_PERSON, Person, doubts, find_people
from stitchedit.film.people_table import PersonRow, read_table, table_of, write_table
from stitchedit.image.contact_sheet import contact_sheet, spread
from stitchedit.progress import Progress, silent

log = logging.getLogger(__name__)

Run = Callable[[Sequence[Task]], list[Outcome]]  # carries tasks out, see `film.local` and `film.on_ray`
FACES_A_ROW = 8


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is known of a film before it is planned."""

    film: Film
    faces: tuple[ShotFace, ...]
    people: tuple[Person, ...]  # as they were found
    rows: tuple[PersonRow, ...]  # as people.toml has them
    notes: tuple[str, ...]  # what to look at, and what is left as it is
    sheet: Path | None  # None: nobody is in it


def analyse(given: Given, folder: FilmFolder, run: Run, progress: Progress = silent) -> Analysis:
    """Shots, faces and people of a film; what is there already is not done again.

    Raises: what `read_film` and `cut_film` raise; ProjectError, for a people.toml that is none, and with the exit code
        of the cause for shots that could not be looked through: who is in them would be missing for good.
    """
    film, left = read_film(given, folder, progress)
    cut_film(film, folder, progress)
    require_looked(run(face_tasks(film)))
    faces = [face for shot in film.shots for face in read_faces(folder.at(names.faces(shot.number)), shot.number)]
    people = find_people(faces)
    rows = _table(folder, people, film)
    sheet = _sheet(folder, people, rows, film) if people else None
    doubtful = [f"{line}: {sheet}" for line in doubts(people)]
    return Analysis(film, tuple(faces), tuple(people), tuple(rows), (*left, *doubtful), sheet)


def require_looked(outcomes: Sequence[Outcome]) -> None:
    """Raises ProjectError, where shots were not looked through."""
    failed = [outcome for outcome in outcomes if not outcome.good]
    if failed:
        shots = counted(len(failed), "shot")
        raise error_of(failed[0], f"{shots} could not be looked through", "the same command tries again")


def like(analysis: Analysis, picture: Path) -> int:
    """The number of the person who looks like a picture. Raises ConfigError, FaceError."""
    rgb, points = read_portrait(picture)
    if points is None:
        raise ConfigError(f"no face found in {picture}", "give a picture with a face at least 40 pixels wide")
    wanted = detectors.embed(rgb, points)
    known = {(face.shot, face.number): face.identity for face in analysis.faces}
    gaps = {
        row.number: float(np.linalg.norm(np.mean([known[face] for face in row.faces], axis=0) - wanted))
        for row in analysis.rows
        if row.faces
    }
    nearest = min(gaps, key=gaps.__getitem__, default=0)
    if not nearest or gaps[nearest] > SAME_PERSON + 0.1:  # a photograph is further from a film than its own frames
        told = f", the nearest is person {nearest} at {gaps[nearest]:.2f}" if nearest else ""
        raise FaceError(
            f"nobody in the film looks like {picture}{told}; up to {SAME_PERSON + 0.1:.2f} is one person",
            "look at people.png and give a number with --who",
        )
    return nearest


def timecode(frame: int, rate: Fraction) -> str:
    """A frame's time as people read it: 0:01:02.5."""
    seconds = float(frame / rate)
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes) // 60}:{int(minutes) % 60:02d}:{rest:04.1f}"


def person_line(row: PersonRow, analysis: Analysis) -> str:
    """Who it is, in how many shots and how long, and where first."""
    faces = [face for face in analysis.faces if (face.shot, face.number) in row.faces]
    return f"{row.number}{f' {row.name}' if row.name else ''}: {_seen(faces, analysis.film)}"


def _seen(faces: Sequence[ShotFace], film: Film) -> str:
    shots = sorted({face.shot for face in faces})
    if not shots:
        return "in no shot"
    listed = ", ".join(map(str, shots[:12])) + (" ..." if len(shots) > 12 else "")
    return (
        f"in {counted(len(shots), 'shot')}, {_seconds(faces, film):.1f} s, first at {_when(shots[0], film)} ({listed})"
    )


def _seconds(faces: Sequence[ShotFace], film: Film) -> float:
    """How long faces are seen."""
    return float(sum(face.frames / film.clip(film.shots[face.shot - 1]).rate for face in faces))


def _when(number: int, film: Film) -> str:
    """Where a shot begins."""
    shot = film.shots[number - 1]
    clip = film.clip(shot)
    return timecode(shot.first, clip.rate) + (f" of {clip.path.name}" if len(film.clips) > 1 else "")


def counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _table(folder: FilmFolder, people: Sequence[Person], film: Film) -> list[PersonRow]:
    """people.toml, as the user left it or new; made anew when the film shows other faces than it names."""
    path = folder.at(names.TABLE)
    found = {(face.shot, face.number) for person in people for face in person.faces}
    if path.exists():
        rows = read_table(path)
        named = {face for row in rows for face in row.faces}
        if named <= found:
            return rows
        old = folder.at(OLD_TABLE)
        log.warning("%s names faces that are not in the film any more: it is made anew, the old one is %s", path, old)
        path.replace(old)
    rows = table_of(people)
    write_table(path, rows, {p.number: _seen(p.faces, film) for p in people})
    return rows


def _sheet(folder: FilmFolder, people: Sequence[Person], rows: Sequence[PersonRow], film: Film) -> Path:
    """A row a person, of faces from shots all over the film; number, name and counts in its first cell."""
    strips = []
    by_face = {(face.shot, face.number): face for person in people for face in person.faces}
    known = [(row, [by_face[face] for face in row.faces if face in by_face]) for row in rows]
    columns = min(FACES_A_ROW, max(len(faces) for _, faces in known))
    for row, faces in known:
        if not faces:
            continue
        shown = [faces[k] for k in spread(np.arange(len(faces)), columns)]
        pictures = [_portrait(folder, face) for face in shown]
        pictures += [np.full_like(pictures[0], 24)] * (columns - len(pictures))
        at = [f"shot {f.shot}, {_when(f.shot, film)}" for f in shown]
        seen = f"{counted(len({f.shot for f in faces}), 'shot')}, {_seconds(faces, film):.1f} s"
        label = f"{row.number} {row.name}".strip() + f" ({seen})"
        strips.append(contact_sheet([pictures], [*at, *[""] * (columns - len(at))], [label], cell_px=160))
    width = max(strip.shape[1] for strip in strips)
    padded = [np.pad(s, [(0, 0), (0, width - s.shape[1]), (0, 0)]) for s in strips]
    path = folder.at(names.SHEET)
    save_png(np.concatenate(padded), path)
    return path


def _portrait(folder: FilmFolder, face: ShotFace) -> np.ndarray:
    path = folder.at(names.faces(face.shot)) / f"{face.number}.png"
    picture = cv2.imread(str(path))
    return np.full((256, 256, 3), 24, np.uint8) if picture is None else np.ascontiguousarray(picture[..., ::-1])


def shots_of(rows: Sequence[PersonRow], film: Film, faces: Sequence[ShotFace]) -> list[tuple[int, ...]]:
    """The person of each face, shot by shot; 0: nobody of the table."""
    whose = {face: row.number for row in rows for face in row.faces}
    count = Counter(face.shot for face in faces)
    return [tuple(whose.get((s.number, n), 0) for n in range(1, count[s.number] + 1)) for s in film.shots]
