from pathlib import Path

import pytest

from stitchedit.cli import asked
from stitchedit.errors import ConfigError


def test_directions_are_paired_with_strengths() -> None:
    assert asked.paired(["age", "smile"], [2.0, -1.0]) == (("age", 2.0), ("smile", -1.0))
    assert asked.paired(["age"], None) == (("age", 1.0),)
    for directions, strengths in (
        ([], []),
        (["age"], [1.0, 2.0]),
        (["age"], [float("nan")]),
        (["age"], [float("inf")]),
    ):
        with pytest.raises(ConfigError):
            asked.paired(directions, strengths)


def test_years_are_strengths_of_age() -> None:
    assert asked.asked_edits(None, None, "+20") == (("age", 2.0),)
    assert asked.asked_edits(["smile"], ["1"], "-5") == (("age", -0.5), ("smile", 1.0))
    ((name, curve),) = asked.asked_edits(None, None, "0:0,48:20")
    assert (name, str(curve)) == ("age", "+0@0+2@48")
    for years in ("old", "nan", "1e9"):
        with pytest.raises(ConfigError):
            asked.asked_edits(None, None, years)
    with pytest.raises(ConfigError):
        asked.asked_edits(None, ["1"], "20")


def test_years_beside_directions_are_said_once_or_refused() -> None:
    assert asked.asked_edits(["age"], None, "20") == (("age", 2.0),), "not age +2 and age +1"
    for directions, strengths in (
        (["age"], ["1"]),
        (["smile", "age"], None),
        (["smile"], None),
        (["age", "age"], None),
    ):
        with pytest.raises(ConfigError, match="--years"):
            asked.asked_edits(directions, strengths, "-20")


def test_one_direction_is_for_one_face_once() -> None:
    twice = (("age", 1.0), ("smile", 1.0), ("age", -1.0))
    for only in ((), ((), (), ()), ((1,), (), (1, 2)), ((2,), (1,), ())):
        with pytest.raises(ConfigError, match=r"'age' is given twice, with \+1 and -1"):
            asked.refuse_same(twice, only)
    asked.refuse_same(twice, ((1,), (), (2,)))
    asked.refuse_same(twice[:2], ())


def test_a_sheet_is_a_png_whatever_it_is_called(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"what is written is \.png"):
        asked.require_own_file(tmp_path / "sheet.jpg", ".png")
    asked.require_own_file(tmp_path / "sheet.PNG", ".png")
    asked.require_own_file(None, ".png")
