"""A clip is read once for its hash, however often that is asked for, and again when it has changed."""

import hashlib
import os
from pathlib import Path

import pytest

from stitchedit.files import hashing
from stitchedit.video.clip_hash import clip_sha256


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that were read, in order."""
    found: list[str] = []
    really = hashing.file_sha256

    def counted(path: Path) -> str:
        found.append(path.name)
        return really(path)

    monkeypatch.setattr(hashing, "file_sha256", counted)
    return found


def test_a_clip_is_read_once_until_it_changes(tmp_path: Path, reads: list[str]) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"one")
    assert [clip_sha256(clip) for _ in range(3)] == [hashlib.sha256(b"one").hexdigest()] * 3
    link = tmp_path / "link.mp4"
    link.symlink_to(clip)
    clip_sha256(link)
    assert reads == ["clip.mp4"]
    clip.write_bytes(b"two")
    os.utime(clip, ns=(1, 1))
    assert clip_sha256(clip) == hashlib.sha256(b"two").hexdigest()
    other = tmp_path / "other.mp4"
    other.write_bytes(b"six")
    os.utime(other, ns=(1, 1))
    other.replace(clip)
    assert clip_sha256(clip) == hashlib.sha256(b"six").hexdigest(), "of the same size and time, but another file"
    assert len(reads) == 3


def test_of_numbered_pictures_only_the_changed_one_is_read_again(tmp_path: Path, reads: list[str]) -> None:
    for number in range(3):
        (tmp_path / f"f.{number:04d}.png").write_bytes(bytes([number]))
    shot = tmp_path / "f.%04d.png"
    first = clip_sha256(shot)
    assert clip_sha256(shot) == first
    assert len(reads) == 3
    (tmp_path / "f.0001.png").write_bytes(b"changed")
    assert clip_sha256(shot) != first
    assert reads[3:] == ["f.0001.png"]
