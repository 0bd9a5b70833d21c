"""What the page is answered by the library, and which files it may name."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stitchedit.errors import ConfigError, InUse, NotWritable, OtherGenerator, StitcheditError, WouldReplace
from stitchedit.files.locks import Lock
from stitchedit.studio import session as session_module
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


def test_what_was_set_meanwhile_is_not_said_of_another_setting(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.reading(3) == []
    name = session.add_vector("push.npy").name
    session.move(name, 1.5, 3)
    shown = session.pair(View(3, WHOLE))[1]
    given: list[Any] = []
    read = session_module.read_frame
    monkeypatch.setattr(session_module, "read_frame", lambda *asked: given.append(asked) or read(*asked))
    line, kept = session.reading(3)
    assert line.startswith("identity distance 0.")
    assert kept.startswith("of the generator's change is seen "), "a vector that nothing reads still shows"
    assert given[0][2] is shown, "what is on the page, not drawn again"

    def moved_meanwhile(*asked: Any) -> Any:
        session.move(name, 0.5, 3)
        return read(*asked)

    monkeypatch.setattr(session_module, "read_frame", moved_meanwhile)
    assert session.reading(3) == []


def test_a_draft_plays_and_an_upload_replaces_nothing(session: Session, folder: Path, tmp_path: Path) -> None:
    with Image.open(session.draft(2)) as draft:
        assert draft.n_frames == 4
    (tmp_path / "push.npy").write_bytes((folder / "push.npy").read_bytes())
    with pytest.raises(WouldReplace):
        session.take(tmp_path / "push.npy")
    (tmp_path / "push.npy").rename(tmp_path / "pull.npy")
    assert session.take(tmp_path / "pull.npy") == folder / "pull.npy"
    assert session.said(3).startswith("frame 3, 0.12 s")


def test_what_is_not_open_or_cannot_be_read_is_told(folder: Path) -> None:
    session = Session([folder])
    with pytest.raises(ConfigError, match="no clip is open"):
        session.pair(View(0))
    assert "clip.mp4" in {Path(p).name for p in session.offered()}
    (folder / "broken.mp4").write_bytes(b"no video")
    for ask in (session.open, session.faces):
        with pytest.raises(StitcheditError, match=r"broken\.mp4"):
            ask("broken.mp4")
    (folder / "clip.mp4").write_bytes(b"no video")
    with pytest.raises(StitcheditError, match=r"clip\.mp4"):
        session.open("clip.mp4.stitch")
    assert session.clip is None


def contents(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_a_project_that_another_process_has_is_looked_at_and_not_written(
    session: Session, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = folder / "clip.mp4.stitch"
    session.add_vector("push.npy")
    before = contents(project)
    lock = Lock(project, alone=True)
    session.open("clip.mp4")
    dial = session.dials[-1]
    session.move(dial.name, 1.5, 3)
    shown = session.pair(View(3))
    assert (shown[0] != shown[1]).any()
    session.calibrate()
    assert "in use by process" in session.warning()
    with pytest.raises(ConfigError, match=r"to be looked at only.* in use") as told:
        session.command()
    assert "Open again" in told.value.hint
    (project / "crops" / "000000.png").unlink()
    with pytest.raises(StitcheditError, match="nothing may be written"):
        session.open("clip.mp4")
    (project / "crops" / "000000.png").write_bytes(before["crops/000000.png"])
    assert contents(project) == before
    (project / "project.toml").write_bytes(before["project.toml"].split(b"[stages.tune]")[0])
    with pytest.raises(InUse):  # `invert` does it anew
        session.open("clip.mp4")
    (project / "project.toml").write_bytes(before["project.toml"])
    lock.release()
    session.open("clip.mp4")
    assert session.warning() == ""
    session.move(dial.name, 1.5, 3)
    assert session.command()[-1] == "--strength=1.5"

    def refuse(path: Path) -> None:
        raise NotWritable(path, "Read-only file system")

    before = contents(project)
    monkeypatch.setattr("stitchedit.studio.session.require_place", refuse)
    session.open("clip.mp4")
    session.move(dial.name, 0.5, 3)
    assert "Read-only file system" in session.warning()
    assert contents(project) == before


def test_what_another_process_does_with_the_open_project_is_noticed(session: Session, folder: Path) -> None:
    project = folder / "clip.mp4.stitch"
    dial = session.add_vector("push.npy")
    before = contents(project)
    lock = Lock(project, alone=True)
    session.move(dial.name, dial.high / 2, 3)
    assert "in use by process" in session.warning()
    assert contents(project) == before
    lock.release()
    session.open("clip.mp4")
    assert session.warning() == ""
    generator = project / "generator.safetensors"
    (project / "again").write_bytes(generator.read_bytes())
    (project / "again").replace(generator)
    assert "inverted anew" in session.warning()
    with pytest.raises(ConfigError, match="inverted anew"):
        session.command()
    session.open("clip.mp4")
    assert session.warning() == ""
    generator.unlink()
    assert "no stitchedit project" in session.warning()


def test_two_pages_on_one_project_both_work_and_what_was_set_last_is_kept(session: Session, folder: Path) -> None:
    name = session.add_vector("push.npy").name
    other = Session([folder], "cpu")
    other.open("clip.mp4")
    for strength in (0.5, 1.0):
        session.move(name, strength, 0)
        other.move(name, -strength, 0)
    np.testing.assert_array_equal(session.pair(View(3))[0], other.pair(View(3))[0])
    assert (session.pair(View(3))[1] != other.pair(View(3))[1]).any()
    third = Session([folder], "cpu")
    third.open("clip.mp4")
    assert third.setting == other.setting


def test_a_channel_of_stylespace_or_a_part_of_a_direction_gets_a_slider_too(session: Session, folder: Path) -> None:
    dial = session.add_vector("s:1:2")
    session.move(dial.name, 2.0, 3)
    assert "--direction s:1:2" in session.line()
    (folder / "age.folds").write_bytes(b"x")
    with pytest.raises(OtherGenerator):  # the small generator's own directions have no parts that fit it
        session.add_vector("age.folds")
    again = Session([folder], "cpu")
    again.open("clip.mp4")
    assert [dial.name for dial in again.dials] == ["s:1:2"]
