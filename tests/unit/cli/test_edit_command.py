"""`stitchedit edit` as it is given: what is wrong is one line, before any work; --dry-run tells a plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import error, run
from prepared import prepared_project

PUSH = ("--direction", "push.npy", "--strength", "1.5")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--direction", "agee", "--strength", "1"), 8, "unknown direction 'agee'"),
        (("--years", "lots"), 2, "lots"),
        (("--years", "+200"), 2, "range"),
        ((*PUSH, "--preset", "slow"), 2, "unknown preset 'slow'"),
        ((*PUSH, "--region", "nose"), 2, "unknown region 'nose'"),
        ((*PUSH, "--only", "1", "--only", "2"), 2, "1 --direction but 2 --only"),
        ((*PUSH, "--steady", "11"), 2, "steady is 11"),
        ((*PUSH, "--codec", "prores", "--lossless"), 2, "beside lossless"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, options: tuple[str, ...], code: int, said: str) -> None:
    place = prepared_project(tmp_path)
    before = sorted(place.rglob("*.mp4"))
    told = run("edit", "clip.mp4", *options, cwd=place, env={"STITCHEDIT_HOME": place / "home"}, expect=code)
    assert said in error(told)
    assert sorted(place.rglob("*.mp4")) == before


def test_a_plan_is_told_and_nothing_written(tmp_path: Path) -> None:
    place = prepared_project(tmp_path)
    before = sorted(place.rglob("*.mp4"))
    options = (*PUSH, "--dry-run", "--json", "-o", "out.mp4")
    told = json.loads(run("edit", "clip.mp4", *options, cwd=place, env={"STITCHEDIT_HOME": place / "home"}).stdout)
    assert told["output"].endswith("out.mp4")
    assert sorted(place.rglob("*.mp4")) == before
