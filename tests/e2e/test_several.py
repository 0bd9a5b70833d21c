"""Several faces of one clip: inverted in one run, edited into one video, by a generator of 64 px and few steps."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "unit" / "pipeline")]
from killed_runs import INVERT
from test_multi_face import FRAMES, twins

from stitchedit.config import EditConfig, StitchConfig
from stitchedit.evaluation.edit_origin import find_subject
from stitchedit.evaluation.run import evaluate
from stitchedit.pipeline import edit_clip, invert_clip
from stitchedit.pipeline.multi_face import open_faces
from stitchedit.pipeline.options import edit_only, whose_face
from stitchedit.project import cleanup
from stitchedit.project.folder import Project
from stitchedit.provenance.manifest import read_back
from stitchedit.types import ByteArray
from stitchedit.video import open_video

MIDDLE = 345  # between both faces


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    np.save(folder / "push.npy", np.random.default_rng(0).normal(size=64).astype(np.float32))
    np.save(folder / "pull.npy", np.random.default_rng(1).normal(size=64).astype(np.float32))
    summary = invert_clip.invert(twins(folder), None, whose_face(INVERT, ["1", "2"]))
    assert [other.edited_frames for other in summary.others] == [FRAMES]
    assert any(line.startswith("face 2: inversion: PSNR") for line in summary.lines())
    return folder


def edit(folder: Path, directions: list[str], only: list[str], output: str) -> list[ByteArray]:
    """The frames of an edit."""
    edits = tuple((str(folder / f"{name}.npy"), 2.0) for name in directions)
    config = EditConfig(
        edits=edits, lossless=True, stitch=StitchConfig(steps=1, first_steps=2, border_threshold=0), blender="feather"
    )
    summary = edit_clip.edit(
        Project.open(folder / "clip.mp4.stitch"), edit_only(config, only), folder / output if output else None
    )
    assert summary.frames == FRAMES
    return [frame.rgb() for frame in open_video(summary.output)]


def changed(pictures: list[ByteArray], others: list[ByteArray]) -> tuple[bool, bool]:
    """Whether anything differs on the left, on the right."""
    gaps = [np.abs(a.astype(int) - b).max(axis=2) for a, b in zip(pictures, others, strict=True)]
    return any(g[:, :MIDDLE].any() for g in gaps), any(g[:, MIDDLE:].any() for g in gaps)


@pytest.mark.slow
def test_faces_are_edited_in_one_pass_together_or_each_in_its_own_way(folder: Path) -> None:
    source = [frame.rgb() for frame in open_video(folder / "clip.mp4")]
    both = edit(folder, ["push"], [], "both.mkv")
    assert len(both) == FRAMES
    assert changed(both, source) == (True, True)
    second = edit(folder, ["push"], ["2"], "")
    assert (folder / "clip.push+2.face2.mkv").is_file()
    assert changed(second, source) == (False, True)
    assert changed(second, both) == (True, False), "with the other or without it, a face comes out the same"
    mixed = edit(folder, ["push", "pull"], ["1", "2"], "mixed.mkv")
    assert changed(mixed, both) == (False, True)
    assert read_back(folder / "mixed.mkv").edits == ("push +2 (face 1), pull +2 (face 2)",)


@pytest.mark.slow
def test_an_edit_of_several_is_measured_face_by_face(folder: Path) -> None:
    edit(folder, ["push", "pull"], ["1", "2"], "mixed.mkv")
    first = find_subject(folder / "mixed.mkv", None, None)
    assert (first.face, first.directions) == (1, ("push",))
    second = find_subject(folder / "mixed.mkv", folder / "clip.mp4.stitch" / "persons" / "2", None)
    assert (second.face, second.directions) == (2, ("pull",))
    edit(folder, ["push"], ["2"], "")
    only = find_subject(folder / "clip.push+2.face2.mkv", None, None)
    assert (only.face, only.records is not None) == (2, True)
    found, _ = evaluate(folder / "mixed.mkv", ceiling=False)
    assert any("face 1 alone" in note for note in found.notes)
    assert found.figure("outside_max").value == 0
    assert any("other faces of the clip" in gap for gap in found.gaps)


@pytest.mark.slow
def test_a_finished_edit_is_kept_and_what_was_cleaned_is_made_again(folder: Path) -> None:
    edit(folder, ["push"], [], "both.mkv")
    before = (folder / "both.mkv").read_bytes()
    for project in open_faces(Project.open(folder / "clip.mp4.stitch")):
        assert cleanup.clean(project) > 0
        assert not list(project.root.glob("crops/*.png"))
    (folder / "both.mkv").unlink()
    edit(folder, ["push"], [], "both.mkv")
    assert (folder / "both.mkv").read_bytes() == before
