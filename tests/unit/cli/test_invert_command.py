"""`stitchedit invert` as it is given: what is wrong is one line, before any work; --dry-run tells a plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import CLIP, error, run


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--preset", "slow"), 2, "unknown preset 'slow'"),
        (("--space", "Z"), 2, "unknown space 'Z'"),
        (("--expand", "0.2"), 2, "has 1 numbers for an expansion"),
        (("--face", "bob"), 2, "unknown face 'bob'"),
        (("--face", "1", "--face", "largest"), 2, "a --face is given twice"),
        (("--colourspace", "acescq"), 2, "no colour space 'acescq'"),
        (("--fps", "0"), 2, "fps"),
        (("--generator", "nobody"), 6, "nobody"),
        (("--encoder", "nobody"), 6, "nobody"),
        (("--from", "model.pt", "--dry-run"), 2, "--dry-run is given beside --from"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, options: tuple[str, ...], code: int, said: str) -> None:
    assert said in error(run("invert", CLIP, "--project", tmp_path / "p", *options, cwd=tmp_path, expect=code))
    assert not (tmp_path / "p").exists()


def test_a_clip_that_is_not_there(tmp_path: Path) -> None:
    assert "nowhere.mp4" in error(run("invert", "nowhere.mp4", cwd=tmp_path, expect=4))


def test_a_plan_is_told_and_nothing_written(tmp_path: Path) -> None:
    told = json.loads(run("invert", CLIP, "--project", tmp_path / "p", "--dry-run", "--json", cwd=tmp_path).stdout)
    assert told["project"] == str(tmp_path / "p")
    assert not (tmp_path / "p").exists()
