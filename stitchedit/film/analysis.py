"""A film looked through: its shots, who is seen in each, and who is who. What is found is kept in the film's folder."""

from __future__ import annotations

import logging
import shutil
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
from stitchedit.files.atomic import make_folder
from stitchedit.files.disk_space import require_disk_space
from stitchedit.files.image_folder import save_png
from stitchedit.film import folder as names
from stitchedit.film.faces import ShotFace, read_faces
from stitchedit.film.folder import FilmFolder
from stitchedit.film.graph import Film, Task, face_tasks
from stitchedit.film.outcome import Outcome
from stitchedit.film.people import SAME_PERSON, Person, doubts, find_people
from stitchedit.film.people_table import PersonRow, read_table, table_of, write_table
from stitchedit.film.shot_files import cut_out
from stitchedit.film.shots import find_shots
from stitchedit.image.contact_sheet import contact_sheet, spread
from stitchedit.progress import Progress, silent
from stitchedit.video import means_pictures, open_video
from stitchedit.video.clip_hash import clip_sha256

log = logging.getLogger(__name__)

Run = Callable[[Sequence[Task]], list[Outcome]]  # carries tasks out, see `film.local` and `film.on_ray`
OLD_TABLE = "people.old.toml"
FACES_A_ROW = 8
LOSSLESS_PART = 0.5  # of a shot's raw samples that FFV1 takes, at most as a rule


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is known of a film before it is planned."""

    film: Film
    faces: tuple[ShotFace, ...]
    people: tuple[Person, ...]  # as they were found
    rows: tuple[PersonRow, ...]  # as people.toml has them
    notes: tuple[str, ...]  # what to look at, and shots that could not be looked through
    sheet: Path | None  # None: nobody is in it


def read_film(clip: Path, folder: FilmFolder, progress: Progress = silent) -> Film:
    """The film's shots, found once. Raises CannotOpen, ConfigError."""
    if means_pictures(clip):
        raise ConfigError(f"{clip} is a shot of pictures", "a film is a file of video, or a folder of them")
    record = folder.at(names.RECORD)
    sha, source = clip_sha256(clip), open_video(clip)
    if record.exists():
        known = Film.read(record)
        if known.sha256 == sha:
            return known
        log.warning("%s is another film than that of %s: all is done again", clip, folder.root)
        _forget(folder)
    film = Film(clip.resolve(), sha, str(source.info.rate), tuple(find_shots(source, progress)))
    make_folder(folder.root)
    film.write(record)
    return film


def _forget(folder: FilmFolder) -> None:
    """Take away what was made of another film; its table is kept beside the new one. Raises NotWritable."""
    folder.at(names.RECORD).unlink()
    for name in ("shots", "people", "tasks"):
        shutil.rmtree(folder.at(name), ignore_errors=True)
    if folder.at(names.TABLE).exists():
        folder.at(names.TABLE).replace(folder.at(OLD_TABLE))


def cut_film(film: Film, folder: FilmFolder, progress: Progress = silent) -> None:
    """Cut out the shots whose files are not there. Raises what `cut_out` raises, and TooLittleRoom."""
    missing = [shot for shot in film.shots if not folder.at(names.shot(shot.number)).exists()]
    if not missing:
        return
    info = open_video(film.path).info
    frames = sum(shot.frames for shot in missing)
    make_folder(folder.at("shots"))
    require_disk_space(folder.root, cut_bytes(frames, info.stored_width, info.stored_height, info.depth))
    cut_out(film.path, {folder.at(names.shot(shot.number)): shot for shot in missing}, progress)


def cut_bytes(frames: int, width: int, height: int, depth: int) -> int:
    """About what lossless shots take."""
    return round(LOSSLESS_PART * frames * width * height * 1.5 * (1 if depth <= 8 else 2))


def analyse(clip: Path, folder: FilmFolder, run: Run, progress: Progress = silent) -> Analysis:
    """Shots, faces and people of a film; what is there already is not done again.

    Raises: CannotOpen, CannotDecode, CannotEncode, DiskFull; ProjectError, for a people.toml that is none.
    """
    film = read_film(clip, folder, progress)
    cut_film(film, folder, progress)
    outcomes = run(face_tasks(film))
    failed = [outcome for outcome in outcomes if not outcome.good]
    notes = [f"shot {_number(outcome)} could not be looked through: {outcome.said}" for outcome in failed]
    bad = {_number(outcome) for outcome in failed}
    good = [shot.number for shot in film.shots if shot.number not in bad]
    faces = [face for number in good for face in read_faces(folder.at(names.faces(number)), number)]
    people = find_people(faces)
    notes += doubts(people)
    rows = _table(folder, people, film)
    sheet = _sheet(folder, people, rows, Fraction(film.rate), film) if people else None
    return Analysis(film, tuple(faces), tuple(people), tuple(rows), tuple(notes), sheet)


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
    rate = Fraction(film.rate)
    shots = sorted({face.shot for face in faces})
    if not shots:
        return "in no shot"
    listed = ", ".join(map(str, shots[:12])) + (" ..." if len(shots) > 12 else "")
    seconds = float(sum(face.frames for face in faces) / rate)
    first = timecode(film.shots[shots[0] - 1].first, rate)
    return f"in {counted(len(shots), 'shot')}, {seconds:.1f} s, first at {first} ({listed})"


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


def _sheet(folder: FilmFolder, people: Sequence[Person], rows: Sequence[PersonRow], rate: Fraction, film: Film) -> Path:
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
        at = [f"shot {f.shot}, {timecode(film.shots[f.shot - 1].first, rate)}" for f in shown]
        seconds = float(sum(face.frames for face in faces) / rate)
        label = (
            f"{row.number} {row.name}".strip() + f" ({counted(len({f.shot for f in faces}), 'shot')}, {seconds:.1f} s)"
        )
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


def _number(outcome: Outcome) -> int:
    return int(outcome.name.partition("/")[2])


def shots_of(rows: Sequence[PersonRow], film: Film, faces: Sequence[ShotFace]) -> list[tuple[int, ...]]:
    """The person of each face, shot by shot; 0: nobody of the table."""
    whose = {face: row.number for row in rows for face in row.faces}
    count = Counter(face.shot for face in faces)
    return [tuple(whose.get((s.number, n), 0) for n in range(1, count[s.number] + 1)) for s in film.shots]
