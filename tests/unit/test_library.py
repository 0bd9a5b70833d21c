"""The public API: its names, and that what is wrong is said before any work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stitchedit as se
from stitchedit.errors import DirectionError, NotAProject, UnknownDirection, VideoError

VERBS = {
    "calibrate",
    "direction",
    "edit",
    "evaluate",
    "find_faces",
    "invert",
    "list_directions",
    "load_generator",
    "open_inversion",
    "preview",
}


def test_every_public_name_is_there() -> None:
    assert set(se.__all__) >= VERBS | {"Direction", "EditConfig", "Inversion", "InvertConfig", "Project"}
    assert set(se.__all__) <= set(dir(se))
    for name in se.__all__:
        assert getattr(se, name).__name__ == name
    assert all(callable(getattr(se, verb)) for verb in VERBS)
    with pytest.raises(AttributeError, match="find_nothing"):
        se.find_nothing  # noqa: B018


def test_a_verb_is_still_a_verb_after_everything_is_imported() -> None:
    code = "import stitchedit as se, stitchedit.cli.main, stitchedit.library; print(all(map(callable, (%s))))"
    verbs = ", ".join(f"se.{verb}" for verb in sorted(VERBS))
    result = subprocess.run([sys.executable, "-c", code % verbs], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "True"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"preset": "quick"}, "quick"),
        ({"device": "gpu"}, "gpu"),
        ({"space": "S"}, "'S'"),
        ({"tuning": 3}, "unknown setting 'tuning'"),
        ({"preset": "fast", "config": se.InvertConfig()}, "beside a config"),
        ({"face": ["1", "1"]}, "twice"),
        ({"fps": "many"}, "many"),
    ],
)
def test_wrong_settings_of_invert_are_refused_before_the_clip_is_looked_at(
    settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(se.ConfigError, match=said):
        se.invert(tmp_path / "absent.mp4", **settings)


def test_a_name_that_is_nearly_right_is_told(tmp_path: Path) -> None:
    with pytest.raises(se.ConfigError) as caught:
        se.evaluate(tmp_path / "absent.mp4", ceilling=False)
    assert "ceiling" in caught.value.hint


def test_edits_are_looked_at_before_the_project(tmp_path: Path) -> None:
    with pytest.raises(UnknownDirection):
        se.edit(tmp_path, ["smlie"])
    with pytest.raises(DirectionError):
        se.edit(tmp_path, tmp_path / "absent.npy")
    with pytest.raises(NotAProject):
        se.edit(tmp_path, ["smile"])
    with pytest.raises(NotAProject):
        se.open_inversion(tmp_path / "absent.stitch")


def test_a_direction_comes_with_its_vector() -> None:
    age = se.direction("age")
    assert age.vector.shape == (len(age.knots), 512)
    assert not age.vector.flags.writeable
    assert se.direction("identity").kind == "function"
    with pytest.raises(se.StitcheditError):
        se.Direction(vector=np.zeros((0, 512)))


def test_who_is_in_a_clip_is_shown_by_what_invert_takes(tmp_path: Path) -> None:
    found = se.find_faces(Path(__file__).parents[1] / "data" / "project_3b83b58" / "clip.mp4")
    assert list(found) == ["1"]
    face = found["1"]
    assert (face.picture.shape, face.frame, face.frames) == ((256, 256, 3), 3, 6)
    assert face.picture.std() > 20
    with pytest.raises(VideoError):
        se.find_faces(tmp_path / "absent.mp4")
