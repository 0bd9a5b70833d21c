"""Who is chosen, which plan holds, and what is not put together."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from films import PLAN

from stitchedit.errors import ConfigError, ProjectError
from stitchedit.film import folder as names
from stitchedit.film.analysis import Analysis
from stitchedit.film.clips import CLIP, Clip, Film
from stitchedit.film.folder import FilmFolder
from stitchedit.film.make import Choice, choose, machines_note, make_plan, require_good
from stitchedit.film.outcome import DONE, FAILED, SKIPPED, Outcome
from stitchedit.film.people_table import PersonRow, read_table
from stitchedit.film.plan import FilmSettings, read_plan
from stitchedit.film.shots import Shot

ROWS = (PersonRow(1, "Anna", 0, (), (), ((1, 1),)), PersonRow(2, "", 0, (), (), ((2, 1),)))
FILM = Film(PLAN.given, CLIP, (Clip(PLAN.given, "ab", Fraction(24)),), (Shot(1, 0, 23), Shot(2, 24, 47)))
FOUND = Analysis(FILM, (), (), ROWS, (), None)
OLDER = (("age", 2.0),)


def test_who_is_chosen_goes_into_the_table(tmp_path: Path) -> None:
    folder = FilmFolder(tmp_path)
    people = choose(FOUND, folder, Choice(("Anna",), OLDER))
    assert [row.edits for row in people] == [(("age", "2"),), ()]
    assert read_table(folder.at(names.TABLE)) == people
    kept = replace(FOUND, rows=tuple(people))
    assert choose(kept, folder, Choice()) == people, "without a choice the table says it"


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice((), OLDER), "not said who is meant"),
        (Choice(("9",), OLDER), "'9' is nobody"),
        (Choice(("1",)), "without an edit"),
        (Choice(), "nobody is edited"),
    ],
)
def test_a_choice_that_means_nothing_is_refused(tmp_path: Path, choice: Choice, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        choose(FOUND, FilmFolder(tmp_path), choice)
    with pytest.raises(ConfigError, match="no face was found"):
        choose(replace(FOUND, rows=()), FilmFolder(tmp_path), choice)


def test_a_plan_that_was_changed_by_hand_holds_until_the_options_change(tmp_path: Path) -> None:
    folder = FilmFolder(tmp_path)
    people = choose(FOUND, folder, Choice(("1",), OLDER))
    plan = make_plan(FOUND, folder, people, FilmSettings(threads=2))
    path = folder.at(names.PLAN)
    path.write_text(path.read_text().replace("edit = true", "edit = false"))
    again = make_plan(FOUND, folder, people, FilmSettings(threads=1))
    assert not any(shot.edit for shot in again.shots)
    assert again.settings.threads == 2, "as it was first planned: results depend on it"
    other = make_plan(FOUND, folder, people, FilmSettings(threads=1, seed=3))
    assert all(shot.edit for shot in other.shots)
    assert not any(shot.edit for shot in read_plan(folder.at("plan.old.toml")).shots)
    assert plan.made_of != other.made_of


def test_a_film_with_a_hole_is_not_put_together() -> None:
    require_good([Outcome("edit/0001", DONE)])
    bad = [Outcome("tune/0002", FAILED, said="no space left", exit_code=9), Outcome("edit/0002", SKIPPED)]
    with pytest.raises(ProjectError, match=r"1 shot is not edited, .* tune/0002: no space left") as caught:
        require_good(bad)
    assert caught.value.exit_code == 9


def test_machines_of_several_kinds_are_told() -> None:
    one, other = Outcome("a", DONE, machine="AVX2"), Outcome("b", DONE, machine="AVX512")
    assert machines_note([one, one]) == []
    assert "AVX2; AVX512" in machines_note([one, other])[0]
