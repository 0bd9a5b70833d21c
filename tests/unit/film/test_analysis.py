"""A film looked through: what is kept, said and refused."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stitchedit.errors import ProjectError
from stitchedit.files.array_files import save_arrays
from stitchedit.film import folder as names
from stitchedit.film.analysis import Analysis, Run, analyse, person_line, shots_of, timecode
from stitchedit.film.clips import CLIP as CLIP_KIND
from stitchedit.film.clips import Clip, Film
from stitchedit.film.faces import ShotFace
from stitchedit.film.folder import FilmFolder
from stitchedit.film.given import Given
from stitchedit.film.graph import Task
from stitchedit.film.outcome import DONE, FAILED, Outcome
from stitchedit.film.people_table import PersonRow
from stitchedit.film.shots import Shot

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"
FILM = Film(
    Path("clip.mp4"), CLIP_KIND, (Clip(Path("clip.mp4"), "ab", Fraction(24)),), (Shot(1, 0, 23), Shot(2, 24, 47))
)
FACES = (
    ShotFace(1, 1, np.zeros(128, np.float32), 24, 90.0, 0, 23),
    ShotFace(2, 1, np.ones(128, np.float32), 12, 90.0, 0, 11),
)
ROWS = (PersonRow(1, "Anna", 0, (), (), ((1, 1),)), PersonRow(2, "", 0, (), (), ((2, 1),)))


def test_times_are_told_as_people_read_them() -> None:
    assert timecode(24 * 3723 + 12, Fraction(24)) == "1:02:03.5"
    known = Analysis(FILM, FACES, (), ROWS, (), None)
    assert person_line(ROWS[0], known) == "1 Anna: in 1 shot, 1.0 s, first at 0:00:00.0 (1)"


def test_each_face_has_its_person() -> None:
    assert shots_of(ROWS, FILM, FACES) == [(1,), (2,)]
    assert shots_of(ROWS[:1], FILM, FACES) == [(1,), (0,)]


def test_shots_that_cannot_be_looked_through_end_it_before_anybody_is_named(tmp_path: Path) -> None:
    def fail(tasks: object) -> list[Outcome]:
        assert isinstance(tasks, list)
        assert all(isinstance(task, Task) for task in tasks)
        return [Outcome(task.name, FAILED, said="no space left", exit_code=9) for task in tasks]

    folder = FilmFolder(tmp_path / "demo.film")
    said = "1 shot could not be looked through; faces/0001: no space left"
    with pytest.raises(ProjectError, match=said) as caught:
        analyse(Given(CLIP), folder, fail)
    assert caught.value.exit_code == 9
    assert folder.at(names.shot(1)).is_file()
    assert not folder.at(names.TABLE).exists(), "who is in that shot would be missing in it for good"


def found(folder: FilmFolder, identities: np.ndarray, facts: list[list[float]]) -> Run:
    """What carries tasks out in which these faces are found in every shot."""

    def run(tasks: Sequence[Task]) -> list[Outcome]:
        for task in tasks:
            path = folder.at(task.results[0])
            path.parent.mkdir(parents=True, exist_ok=True)
            save_arrays(path, {"identities": identities, "facts": np.array(facts).reshape(-1, 4)})
        return [Outcome(task.name, DONE) for task in tasks]

    return run


def test_who_cannot_be_told_apart_is_said_with_the_sheet(tmp_path: Path) -> None:
    folder = FilmFolder(tmp_path / "demo.film")
    twins = np.zeros((2, 128), np.float32)
    twins[1, 0] = 0.2
    seen = analyse(Given(CLIP), folder, found(folder, twins, [[48, 90, 0, 47]] * 2))
    assert seen.sheet is not None
    assert seen.sheet.is_file()
    (note,) = seen.notes
    assert note.startswith("persons 1 and 2 cannot be told apart by their faces (distance 0.20 of 0.50)")
    assert note.endswith(f"look at the sheet: {seen.sheet}")


def test_a_table_of_other_faces_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    folder = FilmFolder(tmp_path / "demo.film")
    nobody = found(folder, np.zeros((0, 128), np.float32), [])
    seen = analyse(Given(CLIP), folder, nobody)
    assert (seen.people, seen.sheet, seen.notes) == ((), None, ())
    folder.at(names.TABLE).write_text("[[person]]\nnumber = 1\nfaces = [[1, 1]]\n")
    assert analyse(Given(CLIP), folder, nobody).rows == ()
    assert folder.at("people.old.toml").is_file()
    folder.at(names.TABLE).write_text("person = 1")
    with pytest.raises(ProjectError):
        analyse(Given(CLIP), folder, nobody)
