"""How far strengths may go, whoever gives them and however."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from stitchedit.cli.asked import asked_edits, require_edits
from stitchedit.editing.direction import Direction
from stitchedit.editing.direction_catalogue import find_direction
from stitchedit.editing.strength_range import FURTHEST, check_range, refuse_far, require_near, within_range
from stitchedit.errors import ConfigError
from stitchedit.strength import parse_strength

NOSE = Direction("nose", vector=np.ones(4), range=(-1.0, 3.0))


@pytest.mark.parametrize("text", ["6.1", "-2.1", "0:0,48:1000", "0s:-3,1s:0", "9e5"])
def test_over_twice_the_range_is_refused_unless_forced(text: str, caplog: pytest.LogCaptureFixture) -> None:
    edits = [(NOSE, parse_strength(text))]
    with pytest.raises(ConfigError, match="'nose' is over twice its range") as caught:
        check_range(edits)
    assert "-2 to +6" in caught.value.hint
    with caplog.at_level(logging.WARNING):
        check_range(edits, force=True)
    assert "outside of -1 to 3" in caplog.text


def test_up_to_twice_the_range_is_warned_of_and_within_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    check_range([(NOSE, 6.0), (NOSE, -2.0)])
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    caplog.clear()
    check_range([(NOSE, 3.0), (NOSE, parse_strength("0:-1,9:3")), (Direction("bare", vector=np.ones(4)), 500.0)])
    assert not caplog.records


def test_years_are_counted_as_they_were_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"strength \+20 \(\+200 years\) of 'age'") as caught:
        refuse_far([(find_direction("age"), 20.0)])
    assert "years)" in caught.value.hint
    for years in ("200", "0:0,48:-300"):
        with pytest.raises(ConfigError, match="over twice its range"):
            require_edits(asked_edits(None, None, years), force=False)
        require_edits(asked_edits(None, None, years), force=True)


def test_previewed_strengths_lie_within_the_range_whatever_it_is() -> None:
    usual = (-2.0, -1.0, 1.0, 2.0)
    assert within_range([(find_direction("age"), 1.0)], usual) == usual
    assert within_range([(find_direction("identity"), 1.0)], usual) == (-0.5, -0.25, 0.5, 1.0)
    assert within_range([(NOSE, 1.0), (NOSE, -2.0)], usual) == (-1.0, -0.5, 0.25, 0.5)
    assert within_range([(Direction("up", vector=np.ones(4), range=(0.0, 1.0)), 1.0)], usual) == (0.5, 1.0)
    assert within_range([(Direction("bare", vector=np.ones(4)), 1.0)], usual) == usual


def test_a_step_longer_than_to_any_face_is_refused() -> None:
    require_near(FURTHEST * 9.8, 9.8)
    with pytest.raises(ConfigError, match=r"by 30; the generator's faces lie 9\.8 from"):
        require_near(30.0, 9.8)


def test_strengths_that_come_along_are_told_before_a_project_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from stitchedit.cli.main import app

    monkeypatch.chdir(tmp_path)
    for arguments in (["edit", "--direction", "age", "--strength", "1000"], ["preview", "--years", "300"]):
        result = CliRunner().invoke(app, arguments)
        assert isinstance(result.exception, ConfigError)
        assert "over twice its range" in str(result.exception)
