"""Clips made by the ffmpeg command, which also reads results back: a maker and reader that is not the code tested."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from stitchedit.video import CodedFrame
from stitchedit.video.orientation import Orientation
from stitchedit.video.pixel_formats import find_layout, samples
from stitchedit.video.yuv import colour_of

Ffmpeg = Callable[..., bytes]
Listing = tuple[Fraction, list[tuple[int, int, str]]]  # seconds of a tick; PTS, duration and MD5 of each frame


def _run(*arguments: object) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="session")
def ffmpeg() -> Ffmpeg:
    """Runs the ffmpeg command and returns its standard output."""
    return _run


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of moving shapes at 24 fps with a tone, H.264 with B-frames and AAC in MP4, 128 x 96."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    _run(
        *("-f", "lavfi", "-i", "testsrc2=s=128x96:r=24", "-f", "lavfi", "-i", "sine=r=44100", "-t", 1),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-metadata", "title=A clip", path),
    )
    return path


@pytest.fixture(scope="session")
def frames_of() -> Callable[..., Listing]:
    """Lists a stream of a file as the ffmpeg command reads it: decoded pictures, or packets when `copy` is set."""

    def listing(path: Path, stream: str = "v:0", *, copy: bool = False) -> Listing:
        codec = ("-c", "copy") if copy else ("-c:v", "rawvideo", "-enc_time_base", "demux", "-fps_mode", "passthrough")
        out = _run("-noautorotate", "-copyts", "-i", path, "-map", f"0:{stream}", *codec, "-f", "framemd5", "-")
        lines = out.decode().splitlines()
        (base,) = (Fraction(line.split()[-1]) for line in lines if line.startswith("#tb"))
        rows = ([part.strip() for part in line.split(",")] for line in lines if not line.startswith("#"))
        return base, [(int(row[2]), int(row[3]), row[5]) for row in rows]

    return listing


@pytest.fixture(scope="session")
def random_frame() -> Callable[..., CodedFrame]:
    """A frame of random samples in a pixel format; every code can occur."""

    def make(
        name: str,
        width: int = 24,
        height: int = 16,
        seed: int = 0,
        *,
        matrix: int = 1,
        color_range: int = 0,
        orientation: Orientation | None = None,
    ) -> CodedFrame:
        layout, rng = find_layout(name), np.random.default_rng(seed)
        assert layout is not None
        video = av.VideoFrame(width, height, name)
        video.pts, video.time_base = 0, Fraction(1, 25)
        for component in layout.components:
            view = samples(video, layout, component)
            view[:] = rng.integers(0, 1 << layout.depth, view.shape) << component.shift
        colour = colour_of(layout, matrix, color_range, width, height)
        return CodedFrame(0, 0, 1, Fraction(1, 25), video, colour, orientation or Orientation())

    return make
