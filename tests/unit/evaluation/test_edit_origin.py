"""Which project an edit came from."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from stitchedit.errors import NotAProject, ProjectError, StageMissing
from stitchedit.evaluation.edit_origin import asked_of, find_subject
from stitchedit.project.folder import Project
from stitchedit.project.outputs import note_output
from stitchedit.project.records import Records
from stitchedit.provenance.manifest import notice
from stitchedit.video import open_video, write_video

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """A clip, its project, and an edit of it, as `edit` leaves them."""
    source = open_video(CLIP)
    write_video(tmp_path / "clip.mp4", source, islice(source, 2))
    output = tmp_path / "clip.age+2.mp4"
    write_video(output, source, islice(source, 2), metadata=notice("age +2, my face -1.5"))
    project = Project.create(tmp_path / "clip.mp4.stitch")
    project.take_source(tmp_path / "clip.mp4", preset="fast", generator="default")
    folder = project.edit_folder("age+2")
    folder.mkdir(parents=True)
    records = Records.open_or_create(folder / "edit.toml")
    records.finish("stitch", {"border_px": "40"})
    records.finish("video", {"output": str(output), "blender": "feather"})
    note_output(records, output)
    return output


def test_an_edit_beside_its_project_is_known(edited: Path) -> None:
    found = find_subject(edited, None, None)
    assert found.project is not None
    assert found.project.root == edited.parent / "clip.mp4.stitch"
    assert found.source == edited.parent / "clip.mp4"
    assert found.records is not None
    assert found.records.inputs("stitch") == {"border_px": "40"}
    assert found.directions == ("age", "my face")


def test_an_edit_is_known_by_its_content_wherever_it_lies(edited: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "renamed.mp4"
    moved.parent.mkdir()
    edited.rename(moved)
    with pytest.raises(ProjectError, match="no project behind"):
        find_subject(moved, None, None)
    assert find_subject(moved, tmp_path / "clip.mp4.stitch", None).records is not None
    assert find_subject(moved, None, tmp_path / "clip.mp4").records is not None


def test_an_edit_that_was_changed_since_is_not_taken_for_what_the_project_wrote(edited: Path) -> None:
    with edited.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ProjectError) as told:
        find_subject(edited, None, None)
    assert "--source" in told.value.hint
    found = find_subject(edited, edited.parent / "clip.mp4.stitch", None)
    assert found.records is None
    assert found.project is not None


def test_projects_from_before_hashes_were_kept_go_by_the_name(edited: Path) -> None:
    path = edited.parent / "clip.mp4.stitch" / "edits" / "age+2" / "edit.toml"
    records = Records.read(path)
    del records.data["stages"]["video"]["sha256"], records.data["outputs"]
    records.save()
    assert find_subject(edited, None, None).records is not None


def test_folders(edited: Path, tmp_path: Path) -> None:
    root = tmp_path / "clip.mp4.stitch"
    assert find_subject(root, None, None).video is None
    assert find_subject(root / "edits" / "age+2", None, None).video == edited
    with pytest.raises(NotAProject):
        find_subject(tmp_path, None, None)
    records = Records.read(root / "edits" / "age+2" / "edit.toml")
    records.forget("video")
    with pytest.raises(StageMissing):
        find_subject(root / "edits" / "age+2", None, None)


def test_only_a_source(edited: Path, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    clip = edited.rename(tmp_path / "alone" / "edit.mp4")
    source = (tmp_path / "clip.mp4").rename(tmp_path / "alone" / "clip.mp4")
    found = find_subject(clip, None, source)
    assert (found.project, found.source) == (None, source)


def test_clips_without_a_notice_ask_for_nothing(tmp_path: Path) -> None:
    assert asked_of(CLIP) == ()
    assert asked_of(tmp_path / "missing.mp4") == ()
