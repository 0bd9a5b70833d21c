"""Where media lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from stitchedit.cutlist.media import by_name, last_name, names_below, url_path
from stitchedit.errors import CannotOpen


def test_urls_and_paths() -> None:
    base = Path("/cuts")
    assert url_path("file:///a%20b/c.mov", base) == Path("/a b/c.mov")
    assert url_path("file://localhost/c.mov", base) == Path("/c.mov")
    assert url_path("../c.mov", base) == Path("/cuts/../c.mov")
    assert url_path("/c.mov", base) == Path("/c.mov")
    assert url_path("file://server/c.mov", base) is None
    assert url_path("https://host/c.mov", base) is None
    assert last_name("file:///a/c%20d.mov") == "c d.mov"
    assert last_name("D:\\a\\c.mov") == "c.mov"


def test_media_are_found_by_name_once(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "A.mov").touch()
    (tmp_path / "a.mov.stitch").mkdir()
    known = names_below(tmp_path)
    assert by_name(["", "x", "a.MOV"], known, "s") == by_name(["a"], known, "s") == tmp_path / "one" / "A.mov"
    assert by_name(["x"], known, "s") is None
    (tmp_path / "a.mov").touch()
    with pytest.raises(CannotOpen, match="may also be"):
        by_name(["a"], names_below(tmp_path), "s")
    with pytest.raises(CannotOpen, match="no such folder"):
        names_below(tmp_path / "gone")
