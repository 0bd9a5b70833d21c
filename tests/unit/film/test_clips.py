"""film.toml: read as it was written, refused in one line."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from stitchedit.errors import ProjectError
from stitchedit.film.clips import CUTS, FOLDER, Clip, Film
from stitchedit.film.shots import Shot

CLIPS = (Clip(Path("/films/a.mp4"), "a", Fraction(24)), Clip(Path("/films/b.mov"), "b", Fraction(30000, 1001)))
FILM = Film(Path("/films"), FOLDER, CLIPS, (Shot(1, 0, 9), Shot(2, 10, 30), Shot(3, 0, 5, 2)), "PQ")


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    cuts = replace(FILM, kind=CUTS, shots=(Shot(1, 5, 9, 2), Shot(2, 7, 30, 1), Shot(3, 7, 12, 1)))
    for film in (FILM, cuts):
        film.write(tmp_path / "film.toml")
        assert Film.read(tmp_path / "film.toml") == film
    assert FILM.clip(FILM.shots[2]) == CLIPS[1]


def test_it_is_known_wherever_its_clips_lie() -> None:
    moved = replace(FILM, given=Path("/x"), clips=(replace(CLIPS[0], path=Path("/x/a.mp4")), CLIPS[1]))
    assert moved.sha256 == FILM.sha256
    assert replace(FILM, clips=CLIPS[::-1]).sha256 != FILM.sha256
    assert replace(FILM, colourspace="").sha256 != FILM.sha256


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("schema = 2", "schema = 1", "schema 1, this stitchedit knows 2"),
        ('kind = "folder"', 'kind = "reel"', "kind = 'reel'"),
        ('rate = "24"', 'rate = "1/0"', "clip 1: rate is no number"),
        ("shots = [", "shots = [ 1,", "its shots are no triples"),
        ("        10,", "        11,", "do not follow each other"),
        ("        2,\n        0,", "        3,\n        0,", "do not follow each other"),
    ],
)
def test_what_is_damaged_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "film.toml"
    FILM.write(path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ProjectError, match=said):
        Film.read(path)
