"""Tables that people change: what is wrong is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from stitchedit.errors import ProjectError
from stitchedit.film.toml_files import read_toml, tables_of, value_of, write_toml


def test_what_is_written_is_read_with_its_comment(tmp_path: Path) -> None:
    write_toml(tmp_path / "a.toml", {"n": 1}, "first\nsecond")
    assert (tmp_path / "a.toml").read_text().startswith("# first\n# second\n")
    assert read_toml(tmp_path / "a.toml") == {"n": 1}


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="cannot be read"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = [" * 100_000)
    with pytest.raises(ProjectError, match="is no TOML"):
        read_toml(tmp_path / "bad.toml")


def test_entries_have_their_kind() -> None:
    assert value_of({"n": 3}, "n", int, "here") == 3
    assert value_of({}, "n", int, "here", 4) == 4
    for wrong in ({"n": "3"}, {"n": True}, {}):
        with pytest.raises(ProjectError, match="here has n ="):
            value_of(wrong, "n", int, "here")
    with pytest.raises(ProjectError, match="are no tables"):
        tables_of({"shot": [1]}, "shot", "here")
