"""Tests of subtitles that must change their codec; ffmpeg makes the clips and reads what comes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stitchedit.video import open_video, write_video
from stitchedit.video.subtitles import packed, words

SRT = """1
00:00:00,100 --> 00:00:00,400
<i>Grüße</i>, 1 < 2

2
00:00:00,500 --> 00:00:00,900
two lines
of it
"""
SHOWN = ["Grüße, 1 < 2", "two lines\nof it"]
ASS_LINE = rb"3,0,Default,,0,0,0,,{\an8}Well, {\b1}yes\Nand no"


def told(ffmpeg: Callable[..., bytes], path: Path) -> list[tuple[str, str]]:
    """(times, words) of a clip's subtitles as ffmpeg shows them."""
    text = ffmpeg("-copyts", "-i", path, "-map", "0:s", "-f", "srt", "-").decode().replace("\r\n", "\n")
    blocks = [block.split("\n", 2) for block in text.strip().split("\n\n")]
    return [(times, shown.strip()) for _, times, shown in blocks]


@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [("srt", ".mkv", ".mp4"), ("srt", ".mkv", ".mov"), ("ass", ".mkv", ".mp4"), ("mov_text", ".mp4", ".mkv")],
)
def test_the_words_and_times_go_over(
    ffmpeg: Callable[..., bytes], clip: Path, tmp_path: Path, kind: str, start: str, end: str
) -> None:
    (tmp_path / "a.srt").write_text(SRT)
    source = tmp_path / f"source{start}"
    ffmpeg("-i", clip, "-i", tmp_path / "a.srt", "-map", 0, "-map", 1, "-c", "copy", "-c:s", kind, source)
    clip_in = open_video(source)
    done = write_video(tmp_path / f"out{end}", clip_in, clip_in)
    assert any("subtitles are converted" in note for note in done.notes)
    assert open_video(done.path).info.subtitle_streams == 1
    before, after = (told(ffmpeg, path) for path in (source, done.path))
    assert [times for times, _ in after] == [times for times, _ in before]
    assert [text for _, text in after] == SHOWN


def test_a_container_that_takes_them_gets_them_untouched(
    ffmpeg: Callable[..., bytes], clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.srt").write_text(SRT)
    ffmpeg("-i", clip, "-i", tmp_path / "a.srt", "-map", 0, "-map", 1, "-c", "copy", tmp_path / "in.mkv")
    source = open_video(tmp_path / "in.mkv")
    done = write_video(tmp_path / "out.mkv", source, source)
    assert done.notes == ()


def test_words_of_each_codec() -> None:
    assert words(ASS_LINE, "ass") == "Well, yes\nand no"
    assert words(b"<b>a</b> <font color=red>b</font> {\\an8}c\r\nd", "subrip") == "a b c\nd"
    assert words(b"\x00\x03abc\x00\x00\x00\x0cstyl", "mov_text") == "abc"
    assert words(b"", "mov_text") == words(b"\xff", "mov_text") == ""
    assert packed("ä", "mov_text") == b"\x00\x02\xc3\xa4"
    assert packed("a\nb", "subrip") == b"a\nb"
    long = packed("ä" * 40_000, "mov_text")
    assert len(long) == 65_536
    assert int.from_bytes(long[:2], "big") == 65_534
