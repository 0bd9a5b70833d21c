"""people.toml: read, changed by hand, and refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from stitchedit.errors import ConfigError, ProjectError
from stitchedit.film.people_table import PersonRow, find_rows, joined, read_table, with_edits, write_table
from stitchedit.strength import parse_strength

ROWS = [
    PersonRow(1, "Anna", 0, (("age", "0s:0,12.5s:-2"),), ("head",), ((1, 1), (4, 2))),
    PersonRow(2, "", 0, (), (), ((2, 1),)),
    PersonRow(3, "", 2, (), (), ((3, 1),)),
]


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_table(tmp_path / "people.toml", ROWS, {1: "in 2 shots"})
    assert read_table(tmp_path / "people.toml") == ROWS
    assert "in 2 shots" in (tmp_path / "people.toml").read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[person]", "is no TOML"),
        ("[[person]]\nname = 'x'", "number = None"),
        ("[[person]]\nnumber = 1\n[[person]]\nnumber = 1", "twice"),
        ("[[person]]\nnumber = 1\nedits = ['age']", "edits ="),
        ("[[person]]\nnumber = 1\nedits = [['age', 'much']]", "'much' is no number"),
        ("[[person]]\nnumber = 1\nfaces = [[1, 'a']]", "faces ="),
        ("[[person]]\nnumber = 1\nfaces = [[1, 1]]\n[[person]]\nnumber = 2\nfaces = [[1, 1]]", "two persons"),
        ("[[person]]\nnumber = 1\nsame_as = 9", "same_as = 9"),
        ("person = 3", "are no tables"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "people.toml").write_text(text)
    with pytest.raises((ProjectError, ConfigError), match=said):
        read_table(tmp_path / "people.toml")


def test_two_persons_are_joined() -> None:
    people = joined(ROWS)
    assert [(row.number, row.faces) for row in people] == [(1, ((1, 1), (4, 2))), (2, ((2, 1), (3, 1)))]


def test_a_circle_is_refused() -> None:
    circle = [PersonRow(1, "", 2, (), (), ()), PersonRow(2, "", 1, (), (), ())]
    with pytest.raises(ProjectError, match="the same as itself"):
        joined(circle)


def test_persons_are_named_by_number_name_or_all() -> None:
    assert find_rows(ROWS, ["Anna", "2"]) == [1, 2]
    assert find_rows(ROWS, ["all"]) == [1, 2, 3]
    with pytest.raises(ConfigError, match="'Otto' is nobody"):
        find_rows(ROWS, ["Otto"])


def test_an_edit_is_for_those_who_are_chosen_alone() -> None:
    changed = with_edits(ROWS, [2], [("age", parse_strength("0s:0,1.5s:2"))], ("face",))
    assert [(row.edits, row.regions) for row in changed] == [((), ()), ((("age", "0s:0,1.5s:2"),), ("face",)), ((), ())]
