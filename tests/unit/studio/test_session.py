"""What the page is answered by the library, and which files it may name."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stitchedit.errors import ConfigError, StitcheditError, WouldReplace
from stitchedit.files.locks import Lock
from stitchedit.studio.session import KEPT, WHOLE, Session, View
from stitchedit.studio.setting import Setting


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.mp4", "..", "~/x.mp4", "out.mp4"])
def test_nothing_outside_of_the_folders_is_opened(path: str, session: Session, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "x.mp4").touch()
    (folder / "out.mp4").symlink_to(tmp_path / "x.mp4")
    with pytest.raises(ConfigError, match="outside of the folders"):
        session.open(path)
    with pytest.raises(ConfigError, match="outside of the folders"):
        session.add_vector(path)


def test_a_project_whose_clip_lies_outside_is_not_opened(folder: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    shutil.move(folder / "clip.mp4.stitch", inner / "clip.mp4.stitch")
    shutil.move(folder / "clip.mp4", tmp_path / "clip.mp4")
    text = (inner / "clip.mp4.stitch" / "project.toml").read_text()
    (inner / "clip.mp4.stitch" / "project.toml").write_text(text.replace('"../clip.mp4"', '"../../clip.mp4"'))
    with pytest.raises(StitcheditError, match="outside of the folders"):
        Session([inner]).open("clip.mp4.stitch")


def test_what_a_strangers_project_sets_reads_no_file_elsewhere(session: Session, folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "push.npy", tmp_path / "push.npy")
    there = str(tmp_path / "push.npy")
    Setting({there: 1.0, "gone": 1.0}, {there: {0: 1.0}}, (), (there,)).save(folder / "clip.mp4.stitch")
    session.open("clip.mp4")
    assert session.setting == Setting()
    assert session.setting.edits() == ()


def test_a_moved_slider_changes_the_face_and_is_there_at_the_next_opening(session: Session, folder: Path) -> None:
    dial = session.add_vector("push.npy")
    assert (dial.low, dial.high, dial.unit) == (-3, 3, 1)
    before, after = session.pair(View(3))
    np.testing.assert_array_equal(before, after)
    session.move(dial.name, 1.5, 3)
    before, after = session.pair(View(3))
    assert (before != after).any()
    assert before.shape == after.shape
    assert before.shape[0] < 240
    assert session.pair(View(3, WHOLE))[0].shape == (240, 240, 3)
    assert session.line().endswith("push.npy --strength=1.5")
    again = Session([folder], "cpu")
    again.open("clip.mp4.stitch")
    assert [d.name for d in again.dials if d.name == dial.name]
    assert again.setting == session.setting
    np.testing.assert_array_equal(again.pair(View(3))[1], after)


def test_it_is_compared_with_what_was_kept(session: Session) -> None:
    dial = session.add_vector("push.npy")
    session.move(dial.name, 1.5, 0)
    _, first = session.pair(View(3))
    session.keep()
    session.move(dial.name, -1.5, 0)
    np.testing.assert_array_equal(session.pair(View(3, compared=KEPT))[0], first)
    session.change(lambda setting: replace(setting, regions=("mouth",)))
    assert (session.region(View(3)) != session.pair(View(3))[0]).any()


def test_a_draft_plays_and_an_upload_replaces_nothing(session: Session, folder: Path, tmp_path: Path) -> None:
    with Image.open(session.draft(2)) as draft:
        assert draft.n_frames == 4
    (tmp_path / "push.npy").write_bytes((folder / "push.npy").read_bytes())
    with pytest.raises(WouldReplace):
        session.take(tmp_path / "push.npy")
    (tmp_path / "push.npy").rename(tmp_path / "pull.npy")
    assert session.take(tmp_path / "pull.npy") == folder / "pull.npy"
    assert session.said(3).startswith("frame 3, 0.12 s")


def test_what_is_not_open_or_in_use_is_told(folder: Path) -> None:
    session = Session([folder])
    with pytest.raises(ConfigError, match="no clip is open"):
        session.pair(View(0))
    lock = Lock(folder / "clip.mp4.stitch", alone=True)
    with pytest.raises(StitcheditError, match="in use"):
        session.open("clip.mp4")
    lock.release()
    assert "clip.mp4" in {Path(p).name for p in session.offered()}
