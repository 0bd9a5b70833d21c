"""`stitchedit edit` as it is given: what is wrong is one line, before any work; --dry-run tells a plan."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from command_line import error, run
from prepared import prepared_project

PUSH = ("--direction", "push.npy", "--strength", "1.5")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a clip that is inverted. Nothing here writes a video."""
    return prepared_project(tmp_path_factory.mktemp("edit"))


def edit(place: Path, *options: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    before = sorted(place.rglob("*.mp4"))
    done = run("edit", "clip.mp4", *options, cwd=place, env={"STITCHEDIT_HOME": place / "home"}, expect=expect)
    assert sorted(place.rglob("*.mp4")) == before
    return done


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
def test_what_is_wrong_is_one_line(place: Path, options: tuple[str, ...], code: int, said: str) -> None:
    assert said in error(edit(place, *options, expect=code))


def test_a_plan_is_told_and_nothing_written(place: Path) -> None:
    told = json.loads(edit(place, *PUSH, "--dry-run", "--json", "-o", "out.mp4").stdout)
    assert told["output"].endswith("out.mp4")
