"""A project folder that an earlier commit made is opened, edited and evaluated: nothing of it is done again."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from command_line import ROOT, run
from PIL import Image

from stitchedit.config import EditConfig, StitchConfig
from stitchedit.errors import ProjectError
from stitchedit.pipeline.edit_clip import edit
from stitchedit.pipeline.edit_plan import plan_edit
from stitchedit.pipeline.invert_plan import _on_record
from stitchedit.project.folder import INVERT_STAGES, Project, relocate
from stitchedit.video import open_video

OLD = ROOT / "tests" / "data" / "project_3b83b58"
AS_IT_WAS = StitchConfig(steps=2, first_steps=25, border_threshold=0.004, held_px=0)  # of `fast`


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy to work in."""
    return Path(shutil.copytree(OLD, tmp_path / "old"))


def test_an_old_project_names_its_clip_beside_it(old: Path) -> None:
    project = Project.open(old / "project")
    assert project.source == old / "clip.mp4"
    assert all(project.records.fingerprint(stage) for stage in INVERT_STAGES)


def test_of_a_clip_in_another_container_is_said_what_is_true(old: Path) -> None:
    with av.open(old / "clip.mp4") as source, av.open(old / "clip.mkv", "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    with pytest.raises(ProjectError, match="cannot be told, for the version that inverted it kept no hash") as told:
        relocate(old / "project", old / "clip.mkv")
    assert "that very file with --source" in told.value.hint
    stages, (note,) = _on_record(old / "project" / "project.toml", old / "clip.mkv")
    assert not stages
    assert note.endswith("everything is done again")
    assert _on_record(old / "project" / "project.toml", old / "clip.mp4") == (INVERT_STAGES, ())


@pytest.mark.slow
def test_an_old_project_is_inverted_edited_and_evaluated_without_doing_its_work_again(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = {"STITCHEDIT_HOME": old / "home"}
    given = ("--generator", "tiny", "--preset", "fast", "--seed", 1, "--device", "cpu", "--json")
    inverted = json.loads(run("invert", "clip.mp4", "--project", "project", *given, cwd=old, env=home).stdout)
    assert inverted["seconds"] == dict.fromkeys(INVERT_STAGES, 0.0)

    monkeypatch.setenv("STITCHEDIT_HOME", str(home["STITCHEDIT_HOME"]))
    config = EditConfig(edits=((str(old / "push.npy"), 1.5),), device="cpu", lossless=True, blender="multiband")
    edited = edit(
        Project.open(old / "project"), replace(config, stitch=AS_IT_WAS), old / "edited.mkv", layers=old / "apart"
    )
    assert edited.layers is not None
    assert edited.layers.edited_frames == len(list((old / "apart").glob("layers.*.exr"))) == 6
    assert edited.seconds["stitch"] == 0, "made by 3b83b58"
    assert edited.seconds["video"] > 0, "which wrote it elsewhere"
    again = replace(config, stitch=replace(AS_IT_WAS, held_px=16))
    (face,) = plan_edit(Project.open(old / "project"), again, old / "other.mkv").faces
    assert "held_px" in (face.why_stitch() or "")
    picture = list(open_video(old / "edited.mkv"))[3].rgb()
    before = np.asarray(Image.open(old / "frame_3.png"))
    off = np.abs(picture.astype(int) - before)
    assert (off.max(-1) <= 1).mean() > 0.8, "the picture that 3b83b58 wrote, but for how light fades in"
    assert off.mean() < 2

    facts = json.loads(
        run("evaluate", "edited.mkv", "--project", "project", "--no-ceiling", "--json", cwd=old, env=home).stdout
    )
    assert (facts["frames"], facts["edited_frames"], facts["asked"]) == (6, 6, ["push"])
    assert facts["figures"]["outside_max"]["value"] == 0
    assert 5 < facts["figures"]["inversion_psnr"]["value"] < 50
