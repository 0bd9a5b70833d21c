from pathlib import Path

import numpy as np
import pytest

from stitchedit.cli import asked
from stitchedit.cli.asked import by_text
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


def test_texts_need_each_other_and_a_table(tmp_path: Path) -> None:
    np.save(tmp_path / "fs3.npy", np.ones((200, 8), np.float32))
    np.save(tmp_path / "v.npy", np.ones(8, np.float32))
    table, other = str(tmp_path / "fs3.npy"), str(tmp_path / "v.npy")
    assert by_text(((other, 2.0),), (None, None), 0.2, "x") == ((other, 2.0),)
    with pytest.raises(ConfigError, match="--from and --to go together"):
        by_text(((table, 2.0),), ("face", None), 0.2, "x")
    with pytest.raises(ConfigError, match="none of --direction is a StyleCLIP table"):
        by_text(((other, 2.0), ("age", 1.0)), ("face", "beard"), 0.2, "x")


def test_the_table_becomes_a_direction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "fs3.npy", np.ones((200, 8), np.float32))
    table, calls = str(tmp_path / "fs3.npy"), []

    def made(*args: object, **more: object) -> str:
        calls.append((args, more))
        return "made"

    monkeypatch.setattr("stitchedit.editing.text_direction.text_direction", made)
    found = by_text((("age", 1.0), (table, 2.0)), ("face", "beard"), 0.1, "here")
    assert found == (("age", 1.0), ("made", 2.0))
    assert calls == [((Path(table), "face", "beard"), {"beta": 0.1, "clip": "here"})]
