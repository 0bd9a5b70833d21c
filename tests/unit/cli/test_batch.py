"""`stitchedit batch` of a time line: what it says and what it refuses before anything is queued."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("opentimelineio")

from cut_lists import shot, span, timeline

from stitchedit.cli.batch import edit_name
from stitchedit.cli.main import app
from stitchedit.errors import CannotOpen, QueueError
from stitchedit.queue.folder import Queue

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"


def call(*words: object) -> str:
    result = CliRunner().invoke(app, ["batch", *(str(word) for word in words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_time_line_becomes_jobs_and_a_time_line(tmp_path: Path) -> None:
    gone = shot("gone", "gone.mp4", span(0, 5))
    cut, queue = timeline(tmp_path / "cut.otio", shot("one", str(CLIP), span(10, 4)), gone), tmp_path / "queue"
    asked = (cut, "--direction", "smile", "--strength", "1", "--handles", 1, "--queue", queue)
    with pytest.raises(CannotOpen, match=r"'gone' \(gone.mp4\)"):
        call(*asked)
    assert Queue(queue).jobs() == []
    told = json.loads(call(*asked, "--skip", "gone", "--json"))
    assert told["kept"] == ["shot 'gone' stays as it is: left out as asked"]
    assert told["timelines"] == [str(tmp_path / "cut.smile+1.otio")]
    assert [job["command"][:2] for job in told["jobs"]] == [
        [what, str(tmp_path / "cut.shots" / "001_one.mkv")] for what in ("invert", "edit")
    ]
    assert "complete when they are done" in call(*asked, "--skip", "gone")


def test_options_of_time_lines_are_for_time_lines(tmp_path: Path) -> None:
    for words in (("--fps", "25"), ("--media", tmp_path), ("--skip", "a")):
        with pytest.raises(QueueError, match="no time line"):
            call(tmp_path, "--direction", "smile", "--strength", "1", "--queue", tmp_path / "queue", *words)


def test_an_edit_has_a_name_for_files() -> None:
    assert edit_name([("age", 2.0), ("smile", -1.5)]) == "age+2.smile-1.5"
    assert edit_name([]) == "edit"
