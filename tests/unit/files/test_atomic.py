from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stitchedit.errors import DiskFull, NotWritable, WouldReplace
from stitchedit.files import atomic
from stitchedit.files.atomic import PartFile, disk_error, make_folder, require_own, require_place
from stitchedit.files.image_folder import save_png


@pytest.fixture(params=["nameless", "hidden"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "hidden":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)


@pytest.mark.usefixtures("_way")
def test_it_appears_when_committed(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    part = PartFile(path)
    part.file.write(b"new")
    part.file.flush()
    assert path.read_bytes() == b"old"
    part.commit()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o600 == 0o600
    part.discard()
    assert path.exists()


@pytest.mark.usefixtures("_way")
def test_nothing_is_left_when_discarded(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "out.mp4")
    part.file.write(b"new")
    part.discard()
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("_way")
def test_what_a_killed_process_left_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out[1].mp4"
    left = tmp_path / ".out[1].mp4.0123abcd.part"
    others = [tmp_path / name for name in (".out[1].mp4.part", ".other.mp4.0123abcd.part", ".out1.mp4.0123abcd.part")]
    for file in (left, *others):
        file.write_bytes(b"half")
    PartFile(path).discard()
    assert not left.exists()
    assert all(file.exists() for file in others)


def test_the_file_of_a_living_process_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    living, second = PartFile(tmp_path / "out.mp4"), PartFile(tmp_path / "out.mp4")
    living.file.write(b"first")
    second.discard()
    living.commit()
    assert (tmp_path / "out.mp4").read_bytes() == b"first"


def test_places_that_take_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    for name, why in {
        "no/out.mp4": "there is no folder",
        "file/out.mp4": "Not a directory",
        "folder.mp4": "it is a folder",
        "pipe.mp4": "not a regular file",
    }.items():
        with pytest.raises(NotWritable, match=why):
            PartFile(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(NotWritable, match="Permission denied"):
        PartFile(tmp_path / "out.mp4")


@pytest.mark.usefixtures("_way")
def test_a_full_disk_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = PartFile(tmp_path / "out.mp4")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(DiskFull):
        part.commit()
    assert not list(tmp_path.iterdir())


def test_errors_have_their_class() -> None:
    assert isinstance(disk_error(Path("x"), OSError(errno.EDQUOT, "")), DiskFull)
    assert isinstance(disk_error(Path("x"), OSError(errno.EROFS, "Read-only file system")), NotWritable)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no /proc")
def test_a_folder_that_is_there_and_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for make in (PartFile, make_folder, require_place):
        with pytest.raises(NotWritable, match="/proc takes no new files"):
            make(Path("/proc/x"))
    with pytest.raises(NotWritable, match="cannot write /proc: /proc takes"):
        raise disk_error(Path("/proc"), OSError(errno.ENOENT, ""))
    for missing in ("/proc/a/b/x", str(tmp_path / "file/b/x")):
        with pytest.raises(NotWritable, match=r"takes no new files|file is no folder"):
            require_place(Path(missing))
    require_place(tmp_path / "a/b/x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_limit_on_the_size_of_files_is_no_full_disk(tmp_path: Path) -> None:
    code = f"""import resource, pathlib
from stitchedit.files.atomic import write_file
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    write_file(pathlib.Path({str(tmp_path / "out.mp4")!r}), lambda temp: temp.write_bytes(bytes(50_000)))
except Exception as exc:
    print(type(exc).__name__, exc, exc.hint, exc.exit_code)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("FileTooLarge")
    assert "files may have 20 kB (`ulimit -f`)" in said
    assert said.endswith(" 9\n")
    assert not list(tmp_path.iterdir())
    told = disk_error(tmp_path, OSError(errno.EFBIG, ""))  # without a limit, as on FAT
    assert "the file system takes no more" in str(told)
    assert "another disk" in told.hint


def test_a_sheet_replaces_only_what_was_written_here(tmp_path: Path) -> None:
    save_png(np.zeros((4, 4, 3), np.uint8), tmp_path / "sheet.png")
    require_own(tmp_path / "sheet.png")
    require_own(tmp_path / "missing.png")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG of a camera")
    with pytest.raises(WouldReplace, match="not written by stitchedit") as told:
        require_own(tmp_path / "photo.png")
    assert "--overwrite" not in told.value.hint
