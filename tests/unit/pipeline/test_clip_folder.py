"""Which clips of a folder are taken."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from stitchedit.errors import ConfigError
from stitchedit.pipeline import clip_folder
from stitchedit.pipeline.clip_folder import find_clips
from stitchedit.video import open_video, write_video

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips, a file that is no video and a hidden one."""
    folder = tmp_path_factory.mktemp("clips")
    source = open_video(DATA / "demo.mp4")
    for name in ("b.mp4", "a.mkv"):
        write_video(folder / name, source, islice(source, 2))
    (folder / "c.mov").write_text("no video")
    (folder / ".d.mp4").write_text("hidden")
    return folder


def test_edits_and_what_cannot_be_opened_are_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips, skipped = find_clips(folder)
    assert [clip.name for clip in clips] == ["a.mkv", "b.mp4"]
    assert [line for line in skipped if "c.mov" in line]
    real = clip_folder.notice_text
    told = '{"edit": "age +2"}'
    monkeypatch.setattr(clip_folder, "notice_text", lambda path: told if path.name == "b.mp4" else real(path))
    clips, skipped = find_clips(folder)
    assert "b.mp4" not in {clip.name for clip in clips}
    assert [line for line in skipped if "an edit already (age +2)" in line]


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no video"):
        find_clips(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        find_clips(tmp_path / "absent")
