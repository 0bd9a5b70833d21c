"""A clip is read once for its hash, however often that is asked for, and again when it has changed."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stitchedit.files import hashing
from stitchedit.video.clip_hash import clip_sha256, pictures_sha256

Ffmpeg = Callable[..., bytes]


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


@pytest.mark.parametrize("name", ["out.mkv", "out.ts", "out.mov"])
def test_a_clip_in_another_container_shows_the_same(ffmpeg: Ffmpeg, clip: Path, tmp_path: Path, name: str) -> None:
    ffmpeg("-i", clip, "-c:v", "copy", "-c:a", "ac3", tmp_path / name)
    assert clip_sha256(tmp_path / name) != clip_sha256(clip)
    assert pictures_sha256(tmp_path / name) == pictures_sha256(clip)


@pytest.mark.parametrize(
    "change", [("-c:v", "libx264"), ("-c", "copy", "-t", "0.5"), ("-display_rotation", 90, "-c", "copy")]
)
def test_a_clip_that_shows_something_else_is_another(
    ffmpeg: Ffmpeg, clip: Path, tmp_path: Path, change: tuple[object, ...]
) -> None:
    before, after = (change[:2], change[2:]) if change[0] == "-display_rotation" else ((), change)
    ffmpeg(*before, "-i", clip, *after, tmp_path / "out.mp4")
    assert pictures_sha256(tmp_path / "out.mp4") != pictures_sha256(clip)
