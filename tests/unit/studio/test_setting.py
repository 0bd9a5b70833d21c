"""What is set on the page: kept as it was, and said as a command line that means the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.main import get_command

from stitchedit.cli.asked import asked_edits
from stitchedit.cli.main import app
from stitchedit.errors import ConfigError
from stitchedit.strength import keyframes
from stitchedit.studio.setting import NAME, Setting, load_setting

SET = Setting({"age": -2.0, "smile": 0.5}, {"smile": {0: 0.5, 48: -1.25}}, ("head",), ("/a b/push.npy",), 7)


def test_a_setting_comes_back_as_it_was(tmp_path: Path) -> None:
    SET.save(tmp_path)
    assert load_setting(tmp_path) == SET


@pytest.mark.parametrize(
    "text",
    [
        "",
        "schema = 2",
        "schema = 1\nframe = 'x'\nregions = []\nfiles = []\n[strengths]\n[keys]",
        "schema = 1\nframe = 1\nregions = []\nfiles = []\n[strengths]\nage = nan\n[keys]",
        "schema = 1\nframe = 1\nregions = []\nfiles = []\n[strengths]\n[keys.age]\n-3 = 1.0",
        "schema = 1\nframe = 1\nregions = []\nfiles = []\nstrengths = 3\n[keys]",
        "[" * 5000,
    ],
)
def test_a_file_that_is_none_of_ours_sets_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(text)
    assert load_setting(tmp_path) == Setting()


def test_sliders_move_a_strength_or_the_key_at_the_frame() -> None:
    setting = Setting().moved("age", 2, 5)
    assert setting.edits() == (("age", 2.0),)
    keyed = setting.with_key(5).moved("age", 0, 10)
    assert keyed.edits() == (("age", keyframes({5: 2, 10: 0})),)
    assert [keyed.at("age", frame) for frame in (0, 5, 10, 99)] == [2, 2, 0, 0]
    assert 0 < keyed.at("age", 7) < 2
    gone = keyed.without_key(5).without_key(10)
    assert gone.edits() == ()
    assert keyed.without_key(10).without_key(5).edits() == (("age", 2.0),), "the strength that it had there stays"
    with pytest.raises(ConfigError):
        setting.moved("age", float("nan"), 0)


def test_the_command_line_means_the_same() -> None:
    words = SET.command(Path("/clips/a b.mp4.stitch"))
    assert words[0] == "edit"
    group = get_command(app)
    given = group.commands["edit"].make_context("edit", words[1:]).params  # type: ignore[attr-defined]
    assert given["project"] == Path("/clips/a b.mp4.stitch")
    assert given["region"] == ["head"]
    assert asked_edits(given["direction"], given["strength"], given["years"]) == SET.edits()
    assert SET.line(Path("/clips/a b")) == (
        "stitchedit edit '/clips/a b' --direction age --strength=-2 "
        "--direction smile --strength=0:0.5,48:-1.25 --region head"
    )
    with pytest.raises(ConfigError, match="nothing is set"):
        Setting().command(Path())
