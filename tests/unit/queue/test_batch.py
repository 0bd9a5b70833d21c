"""Which clips of a folder are edited, and by which jobs."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import pytest

from stitchedit.errors import QueueError
from stitchedit.queue import batch
from stitchedit.queue.batch import add_clips, find_clips
from stitchedit.queue.folder import Queue
from stitchedit.video import open_video, write_video

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with a project, some without, and a file that is no video."""
    folder = tmp_path_factory.mktemp("batch") / "clips"
    shutil.copytree(DATA / "project_3b83b58", folder)
    source = open_video(DATA / "demo.mp4")
    for name in ("b.mp4", "a.mkv"):
        write_video(folder / name, source, islice(source, 2))
    (folder / "c.mov").write_text("no video")
    (folder / ".d.mp4").write_text("hidden")
    return folder


def test_edits_and_what_cannot_be_opened_are_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips, skipped = find_clips(folder)
    assert [clip.name for clip in clips if clip.stem in "abcd"] == ["a.mkv", "b.mp4"]
    assert [line for line in skipped if "c.mov" in line]
    real = batch.notice_text
    told = '{"edit": "age +2"}'
    monkeypatch.setattr(batch, "notice_text", lambda path: told if path.name == "b.mp4" else real(path))
    clips, skipped = find_clips(folder)
    assert "b.mp4" not in {clip.name for clip in clips}
    assert [line for line in skipped if "an edit already (age +2)" in line]


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QueueError, match="holds no video"):
        find_clips(tmp_path)
    with pytest.raises(QueueError, match="cannot be read"):
        find_clips(tmp_path / "absent")


def test_what_is_not_inverted_is_inverted_first(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(tmp_path / "queue")
    clips = [folder / "a.mkv", folder / "b.mp4"]
    monkeypatch.setattr(batch, "_is_inverted", lambda clip: clip.name == "b.mp4")
    jobs = add_clips(queue, clips, ["--preset", "fast"], ["--years", "+20"], tmp_path / "out")
    assert [job.command[0] for job in jobs] == ["invert", "edit", "edit"]
    assert [job.after for job in jobs] == [0, 1, 0]
    assert jobs[0].command == ("invert", str(folder / "a.mkv"), "--preset", "fast")
    assert jobs[2].command == ("edit", str(folder / "b.mp4"), "--years", "+20", "-o", str(tmp_path / "out" / "b.mp4"))
    with pytest.raises(QueueError, match="the folder of the clips"):
        add_clips(queue, clips, [], [], folder)


def test_a_finished_project_is_known(folder: Path) -> None:
    shutil.copytree(folder / "project", folder / "clip.mp4.stitch", dirs_exist_ok=True)
    assert batch._is_inverted(folder / "clip.mp4")
    assert not batch._is_inverted(folder / "a.mkv")
