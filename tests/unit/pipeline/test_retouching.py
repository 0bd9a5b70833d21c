"""A frame of an edit painted over and taken back: full or crop, and every way in which it may be another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prepared import prepared_project

from stitchedit.config import EditConfig
from stitchedit.errors import CannotOpen, ConfigError, WouldReplace
from stitchedit.evaluation import run as evaluation
from stitchedit.evaluation.edit_origin import find_subject
from stitchedit.files.locks import released_at_end
from stitchedit.pipeline.done_edit import DoneEdit, load_edit
from stitchedit.pipeline.edit_clip import edit
from stitchedit.pipeline.retouching import (
    Put,
    RetouchedFace,
    SomeFrames,
    carried_retouches,
    open_face,
    require_retouches,
    retouch_inputs,
    retouched,
    write_frame,
)
from stitchedit.pipeline.summaries import EditSummary
from stitchedit.progress import silent
from stitchedit.project.folder import Project
from stitchedit.provenance.manifest import notice_text
from stitchedit.types import FloatArray
from stitchedit.video import Frame, VideoSource, open_video
from stitchedit.video.still_files import read_still, write_still

EDIT = "push+1.5"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> DoneEdit:
    return load_edit(Project.open(prepared_project(tmp_path_factory.mktemp("retouch")) / "clip.mp4.stitch"), EDIT)


@pytest.fixture(scope="module")
def faces(done: DoneEdit) -> list[RetouchedFace]:
    return [open_face(done.project)]


@pytest.fixture(scope="module")
def put(done: DoneEdit) -> Put:
    def composed(source: VideoSource) -> list[Frame]:
        return [each.edited for each in replace(done, source=source).composited()]

    return lambda source: iter(composed(source))


@pytest.fixture(scope="module")
def frames(done: DoneEdit, put: Put) -> list[Frame]:
    return list(put(done.source))


def painted(path: Path, rgb: FloatArray, centre: tuple[int, int], radius: int = 6) -> FloatArray:
    """Write a picture with a bright square; gives where it is, [H, W]."""
    x, y = centre
    mask = np.zeros(rgb.shape[:2], bool)
    mask[y - radius : y + radius, x - radius : x + radius] = True
    write_still(path, np.where(mask[..., None], rgb + 40, rgb).astype(np.float32), 2, EDIT)
    return mask


def middle(faces: list[RetouchedFace], frame: int) -> tuple[int, int]:
    x, y = faces[0].crops.quads[frame].mean(axis=0)
    return round(float(x)), round(float(y))


def test_a_frame_is_given_as_the_edit_shows_it(done: DoneEdit, frames: list[Frame], tmp_path: Path) -> None:
    path = write_frame(done, 2, tmp_path / "a.exr")
    np.testing.assert_allclose(read_still(path), frames[2].rgb_float(), atol=0.01)
    with pytest.raises(WouldReplace):
        write_frame(done, 3, path)
    write_frame(done, 3, path, overwrite=True)
    usual = write_frame(done, 4, crop=True)
    assert usual == done.project.source.with_name(f"clip.{EDIT}.frame4.exr")
    assert read_still(usual).shape == (64, 64, 3)
    with pytest.raises(ConfigError, match="no frame 99 to retouch"):
        write_frame(done, 99, tmp_path / "b.exr")


@pytest.mark.parametrize("suffix", [".exr", ".png"])
def test_what_is_painted_is_there_and_carried_and_nothing_else_changes(
    done: DoneEdit, faces: list[RetouchedFace], put: Put, frames: list[Frame], tmp_path: Path, suffix: str
) -> None:
    ours = frames[2].rgb_float()
    mask = painted(tmp_path / f"a{suffix}", ours, middle(faces, 2))
    asked = [(2, str(tmp_path / f"a{suffix}"))]
    require_retouches(asked, faces)
    carried, notes = carried_retouches(asked, done.source, faces, put)
    assert notes == []
    made = list(retouched(frames, faces, carried))
    assert len(made) == len(frames)
    gained = made[2].rgb_float() - ours
    assert gained[mask].mean() == pytest.approx(40, abs=3)
    far = np.ones_like(mask)
    x, y = middle(faces, 2)
    far[y - 12 : y + 12, x - 12 : x + 12] = False
    assert np.abs(gained[far]).max() == 0
    for index in (1, 3):
        change = made[index].rgb_float() - frames[index].rgb_float()
        assert 0.5 < np.abs(change).sum() / np.abs(gained).sum() < 1.5
        assert (np.abs(change).max(axis=-1) > 20).any()


def test_a_painted_crop_is_the_same(
    done: DoneEdit, faces: list[RetouchedFace], put: Put, frames: list[Frame], tmp_path: Path
) -> None:
    path = write_frame(done, 2, tmp_path / "a.exr", crop=True)
    painted(path, read_still(path), (32, 32), 5)
    carried, notes = carried_retouches([(2, str(path))], done.source, faces, put)
    assert notes == []
    change = next(retouched([frames[2]], faces, carried)).rgb_float() - frames[2].rgb_float()
    x, y = middle(faces, 2)
    assert change[y, x].mean() == pytest.approx(40, abs=6)
    assert (np.abs(change).max(axis=-1) > 1).mean() < 0.1


def test_what_was_not_painted_over_this_frame_is_refused(
    done: DoneEdit, faces: list[RetouchedFace], put: Put, frames: list[Frame], tmp_path: Path
) -> None:
    width, height = faces[0].tracks.frame_size
    path = tmp_path / "a.png"

    def take(frame: int, own: Path) -> None:
        require_retouches([(frame, str(own))], faces)
        carried_retouches([(frame, str(own))], done.source, faces, put)

    def refused(rgb: FloatArray, frame: int = 2, suffix: str = ".png") -> str:
        own = path.with_suffix(suffix)
        write_still(own, rgb, 2, EDIT)
        with pytest.raises(ConfigError) as told:
            take(frame, own)
        assert told.value.hint
        return str(told.value)

    ours = frames[2].rgb_float()
    assert f"has 10 x 10 pixels, not {width} x {height}, nor 64 x 64 (its crop)" in refused(ours[:10, :10])
    assert "no frame 99" in refused(ours, 99)
    assert "says that it is frame 2" in refused(ours, 3, ".exr")
    assert "light where codes are wanted" in refused((255 * (ours.clip(0, 255) / 255) ** 2.2).astype(np.float32))
    assert "is not frame 2 of the edit painted over" in refused(ours[::-1])
    with pytest.raises(CannotOpen, match="no such file"):
        require_retouches([(2, str(tmp_path / "gone.exr"))], faces)


def test_frames_without_a_face_and_paint_outside_of_it_are_told(
    done: DoneEdit, faces: list[RetouchedFace], put: Put, frames: list[Frame], tmp_path: Path
) -> None:
    crops = replace(faces[0].crops, frames=faces[0].crops.frames[:4])
    with pytest.raises(ConfigError, match="frame 5 has no face to carry") as told:
        require_retouches([(5, "x.png")], [replace(faces[0], crops=crops)])
    assert "the nearest with one is 3" in told.value.hint
    painted(tmp_path / "a.png", frames[2].rgb_float(), (4, 4), 3)
    carried, notes = carried_retouches([(2, str(tmp_path / "a.png"))], done.source, faces, put)
    assert "outside of the face's crop are left out" in notes[0]
    np.testing.assert_array_equal(next(retouched([frames[2]], faces, carried)).rgb_float(), frames[2].rgb_float())
    write_still(tmp_path / "b.png", frames[2].rgb_float(), 2, EDIT)
    _, notes = carried_retouches([(2, str(tmp_path / "b.png"))], done.source, faces, put)
    assert "nothing is painted" in notes[0]


def test_a_clip_is_read_no_further_than_it_must(done: DoneEdit, tmp_path: Path) -> None:
    assert [frame.index for frame in SomeFrames(done.source, [1, 3])] == [1, 3]
    assert SomeFrames(done.source, []).info == done.source.info
    assert list(SomeFrames(done.source, [])) == []
    (tmp_path / "a.png").write_text("x")
    assert retouch_inputs([]) == {}
    assert retouch_inputs([(3, str(tmp_path / "a.png"))])["retouch"].startswith("3=2d711642b726")


@pytest.mark.slow
def test_an_edit_takes_it_and_its_video_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = prepared_project(tmp_path)
    monkeypatch.setenv("STITCHEDIT_HOME", str(place / "home"))
    config = EditConfig(
        edits=((str(place / "push.npy"), 1.5),), calibrated=False, metadata_only=True, lossless=True, device="cpu"
    )
    root = place / "clip.mp4.stitch"

    def edited(config: EditConfig) -> EditSummary:
        with released_at_end():
            return edit(Project.open(root), config, None)

    plain = edited(config)
    done = load_edit(Project.open(root), plain.folder.name)
    path = write_frame(done, 2, tmp_path / "f.exr")
    mask = painted(path, read_still(path), middle([open_face(done.project)], 2))
    made = edited(replace(config, retouch=((2, str(path)),)))
    assert made.output.name == plain.output.name.replace(".mkv", ".retouched.mkv")
    pairs = zip(open_video(plain.output), open_video(made.output), strict=True)
    changes = [np.abs(new.rgb_float() - old.rgb_float()).max(axis=-1) for old, new in pairs]
    assert all((change > 20).any() for change in changes)
    assert changes[2][mask].mean() == pytest.approx(40, abs=4)
    assert all((change == 0).mean() > 0.8 for change in changes)
    assert "retouch:2" in notice_text(made.output)
    assert edited(replace(config, retouch=((2, str(path)),))).seconds["video"] == 0
    job = evaluation._prepared(find_subject(made.output, root, None), None, False, "cpu", silent)
    seen = list(job.takes["edit"]())  # it is measured with what was painted
    assert np.array_equal(seen[2], list(open_video(made.output))[2].rgb())
