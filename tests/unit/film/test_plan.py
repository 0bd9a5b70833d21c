"""plan.toml: read as it was written, changed by hand, refused in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from films import PLAN

from stitchedit.errors import ConfigError, ProjectError
from stitchedit.film.plan import FilmSettings, read_plan, write_plan


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_plan(tmp_path / "plan.toml", PLAN, {"shots": 4})
    assert read_plan(tmp_path / "plan.toml") == PLAN


def test_who_is_edited_where() -> None:
    assert [(p.shot.number, faces) for p, faces in PLAN.edited()] == [(1, [(1, 1)]), (2, [(1, 3), (2, 1)])]
    assert PLAN.frames_of(1) == [(1, 1), (2, 2)]
    assert PLAN.person(3).edits == (("smile", "0s:0,2s:1"),)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("schema = 2", "schema = 9", "schema 9"),
        ('kind = "clip"', 'kind = "reel"', "kind = 'reel'"),
        ("clip = 1", "clip = 2", "do not follow each other"),
        ('rate = "24000/1001"', 'rate = "1/0"', "rate is no number"),
        ("threads = 2", 'threads = "2"', "threads = '2'"),
        ("threads = 2", "threads = 0", "out of range"),
        ("threads = 2", "thread = 2", "which is no setting"),
        ('preset = "balanced"', 'preset = "slow"', "unknown preset"),
        ("first = 10", "first = 11", "do not follow each other"),
        ("last = 9", "last = -1", "ends before it begins"),
        ("edit = false", 'edit = "no"', "edit = 'no'"),
    ],
)
def test_what_is_changed_for_the_worse_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "plan.toml"
    write_plan(path, PLAN)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises((ProjectError, ConfigError), match=said):
        read_plan(path)


def test_settings_make_those_of_the_stages() -> None:
    settings = replace(FilmSettings(), preset="fast", steps=30, encode_steps=5, stitch_steps=1)
    config = settings.invert()
    assert (config.tune.steps, config.tune.most_steps, config.encode.steps) == (30, 30, 5)
    edit = settings.edit()
    assert (edit.stitch.steps, edit.lossless, edit.calibrated, edit.metadata_only) == (1, True, False, True)
    assert FilmSettings().invert().tune.steps == 680
