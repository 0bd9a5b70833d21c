"""`stitchedit queue` and `batch`: what they say, also as JSON, and what they refuse before anything is queued."""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from stitchedit.cli.main import app
from stitchedit.errors import ConfigError, StitcheditError, UnknownDirection
from stitchedit.queue import worker
from stitchedit.video import open_video, write_video

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"
PROGRAM = "import sys; print('{\"done\": 1}'); sys.exit(5 * ('bad.mp4' in sys.argv))"


@pytest.fixture(autouse=True)
def _own_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STITCHEDIT_HOME", str(tmp_path))
    monkeypatch.setattr(worker, "PROGRAM", (sys.executable, "-c", PROGRAM))


def call(*words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def told(*words: object, code: int = 0) -> Any:
    return json.loads(call(*words, "--json", code=code).stdout)


def test_a_job_is_added_listed_done_shown_retried_and_removed() -> None:
    assert call("queue", "list").stdout == "the queue is empty\n"
    assert call("queue", "add", "--", "edit", "a b.mp4", "--years", "+20").stdout == (
        "1 waiting: edit 'a b.mp4' --years +20\n"
    )
    assert told("queue", "add", "--json", "--after", 1, "--", "edit", "bad.mp4", "--years", "+20")["after"] == 1
    assert "2 waiting after 1:" in call("queue", "list").stdout
    said = call("queue", "run", code=5).stdout.splitlines()
    assert [line.split(":")[0] for line in said] == ["1 begins", "1 done", "2 begins", "2 failed"]
    assert [job["state"] for job in told("queue", "list")] == ["done", "failed"]
    shown = told("queue", "show", 1)
    assert shown["result"] == {"done": 1}
    assert "try 1" in shown["log_end"][0]
    assert "state: done" in call("queue", "show", 1).stdout
    assert told("queue", "retry", 1)[0]["state"] == "waiting"
    assert [job["number"] for job in told("queue", "run")] == [1]
    assert call("queue", "run").stdout == "nothing is to be done\n"
    assert told("queue", "remove", 1, 2) == {"removed": [1, 2]}
    assert told("queue", "list") == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["doctor"], ConfigError),
        (["edit", "clip.mp4", "--direction", "smle"], UnknownDirection),
        (["edit", "clip.mp4", "--direction", "smile", "--strength", "0:0,x"], ConfigError),
        (["edit", "clip.mp4", "--years", "+900"], ConfigError),
        (["edit", "clip.mp4", "--years", "+20", "--dry-run"], ConfigError),
    ],
)
def test_what_would_be_refused_then_is_refused_now(words: list[str], error: type[StitcheditError]) -> None:
    with pytest.raises(error):
        call("queue", "add", "--", *words)
    assert told("queue", "list") == []


def test_an_unknown_option_is_refused_now() -> None:
    assert "No such option" in call("queue", "add", "--", "edit", "clip.mp4", "--yeers", "+20", code=2).output


@pytest.mark.parametrize("words", [["show", 4], ["stop", 4], ["retry", 4], ["remove", 4]])
def test_a_number_that_is_none_is_told(words: list[object]) -> None:
    with pytest.raises(ConfigError, match="there is no job 4"):
        call("queue", *words)


def test_a_folder_becomes_jobs(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    source = open_video(CLIP)
    write_video(folder / "a.mp4", source, islice(source, 2))
    (folder / "b.mp4").write_text("no video")
    with pytest.raises(UnknownDirection):
        call("batch", folder, "--direction", "agee")
    words = ["batch", folder, "--direction", "age", "--strength", "0:0,9:2", "--preset", "fast", "-o", tmp_path / "out"]
    found = json.loads(call(*words, "--json", "--", "--blender", "poisson").stdout)
    assert [job["command"][0] for job in found["jobs"]] == ["invert", "edit"]
    edit = found["jobs"][1]["command"]
    assert edit[:6] == ["edit", str(folder / "a.mp4"), "--direction", "age", "--strength", "0:0,9:2"]
    assert edit[-4:] == ["--blender", "poisson", "-o", str(tmp_path / "out" / "a.mp4")]
    assert "b.mp4" in found["skipped"][0]
