"""`stitchedit layers` and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

from command_line import error, run
from prepared import prepared_project


def test_layers_are_written_and_what_is_wrong_is_told(tmp_path: Path) -> None:
    place = prepared_project(tmp_path)
    found = json.loads(run("layers", "clip.mp4", "push+1.5", "--scale", 0.5, "--json", cwd=place).stdout)
    assert (found["folder"], found["frames"], found["scale"]) == (str(Path("clip.push+1.5.x0.5.layers")), 6, 0.5)
    assert len(list((place / "clip.push+1.5.x0.5.layers").glob("layers.*.exr"))) == 6
    assert "has no edit 'push+1'" in error(run("layers", "clip.mp4", "push+1", cwd=place, expect=3))
    assert "--scale is -1" in error(run("layers", "clip.mp4", "--scale", -1, cwd=place, expect=2))
    (place / "clip.mp4").rename(place / "elsewhere.mp4")
    assert "is not there any more" in error(run("layers", "clip.mp4.stitch", cwd=place, expect=3))
    assert len(list(place.glob("*.layers"))) == 1
