"""`stitchedit film` as it is given: what is wrong is one line, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CLIP, error, run


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--years", "lots"), 2, "lots"),
        (("--direction", "agee"), 8, "unknown direction 'agee'"),
        (("--audio", "mp3"), 2, "unknown audio"),
        (("--preset", "slow"), 2, "unknown preset"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, options: tuple[str, ...], code: int, said: str) -> None:
    assert said in error(run("film", CLIP, "--folder", tmp_path / "film", *options, cwd=tmp_path, expect=code))
    assert not (tmp_path / "film").exists()


def test_a_film_that_is_not_there(tmp_path: Path) -> None:
    assert "nowhere.mp4" in error(run("film", "nowhere.mp4", "--people", cwd=tmp_path, expect=4))


def test_a_task_of_no_plan(tmp_path: Path) -> None:
    assert "tune/1: " in error(run("film-task", tmp_path, "tune/1", cwd=tmp_path, expect=3))
