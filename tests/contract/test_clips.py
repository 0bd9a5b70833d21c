"""What every kind of clip keeps: what is written is read back, with the same count, times and size."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import OpenEXR
import pytest

from stitchedit.types import ByteArray
from stitchedit.video import VideoSource, open_video, try_writing, write_video
from stitchedit.video.encoder_choice import CONTAINERS
from stitchedit.video.gif_writer import SUFFIX as GIF
from stitchedit.video.sequence_names import SUFFIXES

COUNT, WIDTH, HEIGHT, RATE = 5, 48, 32, 20  # a rate that a hundredth of a second, GIF's tick, divides

FILES = [*((suffix, False) for suffix in (*CONTAINERS, GIF)), (".mkv", True)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures whose brightness rises from frame to frame, H.264 in MP4."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt, stream.options = WIDTH, HEIGHT, "yuv420p", {"crf": "4"}
        for index in range(COUNT):
            picture = np.full((HEIGHT, WIDTH, 3), 40 + 40 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def assert_same(back: VideoSource, source: VideoSource) -> None:
    """The same pictures in size, number, time and, nearly, brightness; twice, as a clip can be gone through again."""
    assert (back.info.width, back.info.height, back.info.rate) == (source.info.width, source.info.height, RATE)
    assert back.count() == source.count() == COUNT
    for _ in "ab":
        frames = list(back)
        assert [frame.index for frame in frames] == list(range(COUNT))
        assert [frame.time - frames[0].time for frame in frames] == [Fraction(k, RATE) for k in range(COUNT)]
        for frame, own in zip(frames, source, strict=True):
            assert frame.size == own.size
            assert np.abs(frame.rgb().astype(int) - own.rgb()).mean() < 3
    assert back.damage == []


@pytest.mark.parametrize(("suffix", "lossless"), FILES)
class TestFiles:
    def test_what_is_written_is_read_back(self, suffix: str, lossless: bool, clip: Path, tmp_path: Path) -> None:
        source, path = open_video(clip), tmp_path / f"out{suffix}"
        try_writing(path, source, lossless=lossless)
        assert list(tmp_path.iterdir()) == [], "trying leaves nothing"
        done = write_video(path, source, source, lossless=lossless)
        assert (done.path, done.frames) == (path, COUNT)
        assert list(tmp_path.iterdir()) == [path], "and writing one file"
        assert_same(open_video(path), source)


def write_picture(path: Path, rgb: ByteArray) -> None:
    """By another program than ours."""
    if path.suffix == ".exr":
        linear = (rgb.astype(np.float32) / 255) ** 2.2
        OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION}, {"RGB": linear}).write(str(path))
    else:
        assert cv2.imwrite(str(path), rgb[..., ::-1])


@pytest.mark.parametrize("suffix", SUFFIXES)
class TestPictures:
    def test_what_is_written_is_read_back(self, suffix: str, tmp_path: Path) -> None:
        folder, again = tmp_path / "shot", tmp_path / "again"
        folder.mkdir()
        for index in range(COUNT):
            picture = np.full((HEIGHT, WIDTH, 3), 40 + 40 * index, np.uint8)
            write_picture(folder / f"frame.{index + 7:04d}{suffix}", picture)
        shot = open_video(folder, Fraction(RATE))
        try_writing(again, shot)
        assert not again.exists(), "trying leaves nothing"
        assert write_video(again, shot, shot).frames == COUNT
        assert sorted(p.name for p in again.iterdir()) == sorted(p.name for p in folder.iterdir())
        assert_same(open_video(again, Fraction(RATE)), shot)


def test_a_video_is_written_as_pictures(clip: Path, tmp_path: Path) -> None:
    source, folder = open_video(clip), tmp_path / "shot"
    assert write_video(folder / "frame.%04d.png", source, source).frames == COUNT
    assert sorted(p.name for p in folder.iterdir()) == [f"frame.{k:04d}.png" for k in range(1, COUNT + 1)]
    assert_same(open_video(folder, Fraction(RATE)), source)
