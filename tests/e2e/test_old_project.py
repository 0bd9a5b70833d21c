"""A project folder that an earlier commit made is opened, edited and evaluated: nothing of it is done again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import ROOT, run
from PIL import Image

from stitchedit.project.folder import INVERT_STAGES, Project
from stitchedit.video import open_video

OLD = ROOT / "tests" / "data" / "project_3b83b58"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy to work in."""
    return Path(shutil.copytree(OLD, tmp_path / "old"))


def test_an_old_project_names_its_clip_beside_it(old: Path) -> None:
    project = Project.open(old / "project")
    assert project.source == old / "clip.mp4"
    assert all(project.records.fingerprint(stage) for stage in INVERT_STAGES)


@pytest.mark.slow
def test_an_old_project_is_inverted_edited_and_evaluated_without_doing_its_work_again(old: Path) -> None:
    home = {"STITCHEDIT_HOME": old / "home"}
    given = ("--generator", "tiny", "--preset", "fast", "--seed", 1, "--device", "cpu", "--json")
    inverted = json.loads(run("invert", "clip.mp4", "--project", "project", *given, cwd=old, env=home).stdout)
    assert inverted["seconds"] == dict.fromkeys(INVERT_STAGES, 0.0)

    edit = ("edit", "project", "--direction", "push.npy", "--strength", 1.5, "--lossless", "-o", "edited.mkv")
    edited = json.loads(run(*edit, "--device", "cpu", "--json", cwd=old, env=home).stdout)
    assert edited["seconds"]["stitch"] == 0, "made by 3b83b58"
    assert edited["seconds"]["video"] > 0, "which wrote it elsewhere"
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
