from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from stitchedit.video import open_video
from stitchedit.video.container_patches import (
    describe_video,
    matroska_step_ns,
    missing_bytes,
    set_matroska_step,
    shown_size,
)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", ()),
        ("a.mov", ()),
        ("a.mp4", ("-movflags", "frag_keyframe+empty_moov")),
        ("a.mkv", ()),
        ("a.avi", ("-c:v", "ffv1")),
    ],
)
def test_a_cut_file_lacks_bytes_and_a_whole_one_none(
    ffmpeg: Callable[..., bytes], clip: Path, tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    whole, cut = tmp_path / name, tmp_path / f"cut.{name}"
    ffmpeg("-i", clip, "-c:v", "copy", "-c:a", "copy", *options, whole)
    container = open_video(whole).info.format
    assert missing_bytes(whole, container) == 0
    cut.write_bytes(whole.read_bytes()[:-1000])
    assert 0 < missing_bytes(cut, container) <= 1000
    assert missing_bytes(cut, "mpegts") == 0


@pytest.mark.parametrize("data", [b"", b"\0" * 40, b"\xff" * 40, b"RIFF", b"\x1a\x45\xdf\xa3", bytes(range(1, 200))])
@pytest.mark.parametrize("container", ["mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "gif"])
def test_no_bytes_upset_it(tmp_path: Path, data: bytes, container: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    assert missing_bytes(path, container) >= 0


@pytest.mark.parametrize(
    ("time_base", "step"),
    [
        *(("1/25", 10**6), ("1/1000", 10**6), ("1/12288", 10**4), ("1/30000", 10**4), ("1001/30000", 10**5)),
        *(("1/90000", 10**4), ("1/1000000", 10**3), ("1/1000000000", 10**3), ("1/600", 10**5)),
    ],
)
def test_a_step_tells_every_tick_from_the_next(time_base: str, step: int) -> None:
    base = Fraction(time_base)
    assert matroska_step_ns(base) == step
    if base > Fraction(1, 1_000_000):
        for ticks in (1, 2, 3, 512, 1001, 123_456_789):
            stored = round(ticks * base * 10**9 / step)
            assert round(stored * step / (base * 10**9)) == ticks


def test_a_file_without_a_step_is_refused() -> None:
    with pytest.raises(ValueError, match="no time step"):
        set_matroska_step(io.BytesIO(b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x80"), 10_000)


def test_the_size_shown_has_exactly_the_shape() -> None:
    for size, pixel in (((64, 48), Fraction(4, 3)), ((720, 576), Fraction(16, 11)), ((1440, 1080), Fraction(4, 3))):
        width, height = shown_size(size, pixel)
        assert Fraction(width, height) == size[0] * pixel / size[1]
    assert shown_size((1440, 1080), Fraction(4, 3)) == (1920, 1080)


def test_a_file_without_room_is_not_touched(ffmpeg: Callable[..., bytes], tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=16x16:r=25", "-frames:v", 1, tmp_path / "a.mkv")
    before = (tmp_path / "a.mkv").read_bytes()
    with (tmp_path / "a.mkv").open("r+b") as file, pytest.raises(ValueError, match="no track has room"):
        describe_video(file, (16, 16), Fraction(2), (b"", b""))
    assert (tmp_path / "a.mkv").read_bytes() == before
