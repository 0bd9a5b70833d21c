"""Which file each clip goes to, what is told before, and what of a film has a hole."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from films import PLAN

from stitchedit.errors import ConfigError
from stitchedit.film.clips import FOLDER, Clip
from stitchedit.film.given import Given
from stitchedit.film.join import Output, places, said_of, usual_film, without_hole
from stitchedit.film.outcome import DONE, FAILED, SKIPPED, Outcome
from stitchedit.film.plan import PlannedShot
from stitchedit.film.shots import Shot

CLIPS = tuple(Clip(Path(f"/films/{name}"), name, Fraction(24)) for name in ("a.mp4", "b.avi", "c.mov"))
SHOTS = (
    PlannedShot(Shot(1, 0, 9, 1), (1,)),
    PlannedShot(Shot(2, 10, 19, 1), (0,)),
    PlannedShot(Shot(3, 0, 9, 2), (3,)),
    PlannedShot(Shot(4, 0, 9, 3), (0,)),
)
MANY = replace(PLAN, given=Path("/films"), kind=FOLDER, clips=CLIPS, shots=SHOTS)


def test_each_clip_with_somebody_edited_has_its_file() -> None:
    assert places(PLAN, Output(Path("out.mp4"))) == {1: Path("out.mp4")}
    assert places(MANY, Output(Path("out"))) == {1: Path("out/a.mp4"), 2: Path("out/b.mkv")}
    assert places(MANY, Output(Path("out"), codec="prores"))[2] == Path("out/b.mov")
    same = replace(MANY, clips=(CLIPS[0], Clip(Path("/films/a.mov"), "x", Fraction(24)), CLIPS[2]))
    with pytest.raises(ConfigError, match=r"two clips would be written to out/a.mkv"):
        places(same, Output(Path("out"), lossless=True))


def test_a_folder_of_clips_has_its_place(tmp_path: Path) -> None:
    assert usual_film(Given(tmp_path), False, "h264") == tmp_path.with_name(tmp_path.name + ".edited")
    assert usual_film(Given(tmp_path / "a.mp4"), True, "h264") == tmp_path / "a.film.mkv"
    with pytest.raises(ConfigError, match="is the folder of the clips"):
        places(replace(MANY, given=tmp_path), Output(tmp_path))


def test_a_clip_with_a_shot_that_failed_has_a_hole() -> None:
    good = [Outcome("edit/0001", DONE), Outcome("edit/0003", DONE)]
    assert without_hole(MANY, good) == [1, 2]
    bad = [Outcome("tune/0001", FAILED), Outcome("edit/0001", SKIPPED), good[1]]
    assert without_hole(MANY, bad) == [2]


def test_the_notice_names_everybody_of_the_clip() -> None:
    assert said_of(PLAN, 1) == "age -2 (person 1), smile +0@0s+1@2s (person 3), region:head"
    assert said_of(MANY, 2) == "smile +0@0s+1@2s (person 3), region:head"
