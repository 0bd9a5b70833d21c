"""Edits of a project, found again by whatever names them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from prepared import prepared_project

from stitchedit.errors import ProjectError
from stitchedit.pipeline.done_edit import find_edit, load_edit
from stitchedit.project.folder import Project
from stitchedit.project.outputs import note_output
from stitchedit.project.records import Records
from stitchedit.video import write_video


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.open(prepared_project(tmp_path) / "clip.mp4.stitch")


def written(project: Project) -> Path:
    """The edit's video, and on record as such."""
    done = load_edit(project, "push+1.5")
    video = project.root.parent / "edited.mkv"
    write_video(video, done.source, (frame.edited for frame in done.composited()), lossless=True)
    records = Records.read(done.faces[0].folder / "edit.toml")
    records.data["stages"]["video"]["inputs"]["output"] = str(video.resolve())
    note_output(records, video)
    return video


def test_an_edit_is_known_by_its_name_its_folder_and_its_video(project: Project) -> None:
    video = written(project)
    folder = project.edit_folder("push+1.5")
    assert {find_edit(project, each) for each in (None, "push+1.5", str(folder), str(video))} == {"push+1.5"}


def test_a_name_that_is_none_is_told_with_those_that_are(project: Project) -> None:
    with pytest.raises(ProjectError, match="has no edit 'psuh\\+1'") as told:
        find_edit(project, "psuh+1")
    assert told.value.hint == "there are push+1.5"
    shutil.copytree(project.edit_folder("push+1.5"), project.edit_folder("push+2"))
    with pytest.raises(ProjectError, match="has 2 edits") as told:
        find_edit(project, None)
    assert told.value.hint == "name one of push+1.5, push+2"
    shutil.rmtree(project.root / "edits")
    with pytest.raises(ProjectError, match="has no edit"):
        find_edit(project, None)


def test_of_a_video_that_the_edit_would_not_write_again_is_said_so(project: Project) -> None:
    video = written(project)
    records = Records.read(project.edit_folder("push+1.5") / "edit.toml")
    records.data["stages"]["stitch"]["inputs"]["steps"] = "3"
    records.save()
    with pytest.raises(ProjectError, match="stitched with other settings since"):
        find_edit(project, str(video))


def test_an_edit_is_put_over_its_clip_as_it_was(project: Project) -> None:
    done = load_edit(project, "push+1.5")
    assert (done.put["blender"], done.border_px, done.regions) == ("multiband", 50, ("face",))
    frames = list(done.composited())
    assert len(frames) == 6
    for frame in frames:
        change = np.abs(frame.edited.rgb_float() - frame.source.rgb_float()).max(-1)
        assert change.max() > 5
        assert (change == 0).mean() > 0.3


@pytest.mark.parametrize("gone", ["clip", "pictures", "stage", "video"])
def test_what_is_missing_is_told_in_one_line(project: Project, gone: str) -> None:
    folder = project.edit_folder("push+1.5")
    if gone == "clip":
        project.source.unlink()
        match = "clip of this project, .*, is not there any more"
    elif gone == "pictures":
        shutil.rmtree(folder / "stitched")
        match = "has no stitched pictures any more"
    else:
        records = Records.read(folder / "edit.toml")
        records.forget("stitch" if gone == "stage" else "video")
        match = "did not come to its end"
    with pytest.raises(ProjectError, match=match) as told:
        load_edit(project, "push+1.5")
    assert told.value.hint
