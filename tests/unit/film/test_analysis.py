"""A film looked through: what is kept, said and refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stitchedit.errors import ConfigError, ProjectError
from stitchedit.film import folder as names
from stitchedit.film.analysis import Analysis, analyse, cut_bytes, person_line, read_film, shots_of, timecode
from stitchedit.film.faces import ShotFace
from stitchedit.film.folder import FilmFolder
from stitchedit.film.graph import Film, Task
from stitchedit.film.outcome import FAILED, Outcome
from stitchedit.film.people_table import PersonRow
from stitchedit.film.shots import Shot

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"
FILM = Film(Path("clip.mp4"), "ab", "24", (Shot(1, 0, 23), Shot(2, 24, 47)))
FACES = (
    ShotFace(1, 1, np.zeros(128, np.float32), 24, 90.0, 0, 23),
    ShotFace(2, 1, np.ones(128, np.float32), 12, 90.0, 0, 11),
)
ROWS = (PersonRow(1, "Anna", 0, (), (), ((1, 1),)), PersonRow(2, "", 0, (), (), ((2, 1),)))


def test_times_are_told_as_people_read_them() -> None:
    assert timecode(24 * 3723 + 12, Fraction(24)) == "1:02:03.5"
    found = Analysis(FILM, FACES, (), ROWS, (), None)
    assert person_line(ROWS[0], found) == "1 Anna: in 1 shot, 1.0 s, first at 0:00:00.0 (1)"


def test_each_face_has_its_person() -> None:
    assert shots_of(ROWS, FILM, FACES) == [(1,), (2,)]
    assert shots_of(ROWS[:1], FILM, FACES) == [(1,), (0,)]


def test_a_film_is_looked_through_once(tmp_path: Path) -> None:
    folder = FilmFolder(tmp_path / "demo.film")
    first = read_film(CLIP, folder)
    assert [(shot.first, shot.last) for shot in first.shots] == [(0, 47)]
    told: list[str] = []
    assert read_film(CLIP, folder, lambda stage, done, total, note="": told.append(stage)) == first
    assert told == []
    with pytest.raises(ConfigError, match="shot of pictures"):
        read_film(tmp_path, folder)


def test_another_film_in_the_place_is_another_film(tmp_path: Path) -> None:
    folder = FilmFolder(tmp_path / "demo.film")
    Film(CLIP, "another", "24", (Shot(1, 0, 9),)).write(Path(tmp_path / "film.toml"))
    folder.root.mkdir()
    (tmp_path / "film.toml").rename(folder.at(names.RECORD))
    for name in (names.shot(1), names.record("tune/0001"), names.TABLE):
        folder.at(name).parent.mkdir(parents=True, exist_ok=True)
        folder.at(name).touch()
    assert read_film(CLIP, folder).shots == (Shot(1, 0, 47),)
    assert not folder.at(names.shot(1)).exists()
    assert not folder.at(names.record("tune/0001")).exists()
    assert folder.at("people.old.toml").is_file()


def test_a_shot_that_cannot_be_looked_through_is_said(tmp_path: Path) -> None:
    def fail(tasks: object) -> list[Outcome]:
        assert isinstance(tasks, list)
        assert all(isinstance(task, Task) for task in tasks)
        return [Outcome(task.name, FAILED, said="the disk is full") for task in tasks]

    folder = FilmFolder(tmp_path / "demo.film")
    found = analyse(CLIP, folder, fail)
    assert found.notes == ("shot 1 could not be looked through: the disk is full",)
    assert (found.people, found.sheet) == ((), None)
    assert folder.at(names.shot(1)).is_file()
    folder.at(names.TABLE).write_text("[[person]]\nnumber = 1\nfaces = [[1, 1]]\n")
    assert analyse(CLIP, folder, fail).rows == ()
    assert folder.at("people.old.toml").is_file(), "a table of other faces is kept beside the new one"
    folder.at(names.TABLE).write_text("person = 1")
    with pytest.raises(ProjectError):
        analyse(CLIP, folder, fail)


def test_room_grows_with_samples() -> None:
    assert cut_bytes(10, 1920, 1080, 10) == 2 * cut_bytes(10, 1920, 1080, 8)
