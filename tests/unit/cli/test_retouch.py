"""`stitchedit retouch`, and what `edit --retouch` refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import error, run
from prepared import prepared_project

from stitchedit.errors import ConfigError
from stitchedit.pipeline.options import asked_retouches
from stitchedit.video.still_files import read_still


def test_a_frame_is_given_and_what_is_wrong_is_told(tmp_path: Path) -> None:
    place = prepared_project(tmp_path)
    told = json.loads(run("retouch", "clip.mp4", "--frame", 2, "-o", "f.exr", "--json", cwd=place).stdout)
    assert told == {"frame": 2, "picture": "f.exr"}
    assert read_still(place / "f.exr").shape == (240, 240, 3)
    edit = ("edit", "clip.mp4", "--direction", "push.npy", "--strength", 1.5, "--retouch", "3=f.exr")
    other = error(run(*edit, cwd=place, env={"STITCHEDIT_HOME": place / "home"}, expect=2))
    assert "says that it is frame 2" in other
    assert "no picture to paint on" in error(run("retouch", "clip.mp4", "-o", "f.jpg", cwd=place, expect=4))


def test_retouches_are_asked_by_frame() -> None:
    assert asked_retouches(["60=b.exr", "24=a=1.exr"]) == ((24, "a=1.exr"), (60, "b.exr"))
    for text in ("a.exr", "=a.exr", "x=a.exr", "-1=a.exr", "3="):
        with pytest.raises(ConfigError, match="--retouch is"):
            asked_retouches([text])
