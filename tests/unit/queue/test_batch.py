"""By which jobs clips are edited."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stitchedit.errors import QueueError
from stitchedit.queue import batch
from stitchedit.queue.batch import add_clips
from stitchedit.queue.folder import Queue

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with a project."""
    folder = tmp_path_factory.mktemp("batch") / "clips"
    shutil.copytree(DATA / "project_3b83b58", folder)
    return folder


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
