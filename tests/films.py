"""A small film of two people for tests, and a plan of one."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from stitchedit.film.clips import CLIP, Clip
from stitchedit.film.folder import FilmFolder
from stitchedit.film.people_table import PersonRow
from stitchedit.film.plan import FilmPlan, FilmSettings, PlannedShot
from stitchedit.film.shots import Shot
from stitchedit.types import ByteArray
from stitchedit.video import open_video

DATA = Path(__file__).parent / "data"
SIZE = (320, 240)  # width, height
FRAMES = 5  # of a shot
RATE = 12
TINY = Path(__file__).parent / "golden" / "nv_r64_w64_m4.weights.safetensors"
SETTINGS = FilmSettings(  # of a film that takes seconds
    preset="fast",
    generator=str(TINY),
    encoder="optimize",
    steps=8,
    encode_steps=4,
    stitch_steps=1,
    calibrated=False,
    reel_frames=4,
)

PLAN = FilmPlan(
    Path("/films/clip.mp4"),
    CLIP,
    (Clip(Path("/films/clip.mp4"), "ab" * 32, Fraction(24000, 1001)),),
    "cd" * 32,
    "0.1.0",
    FilmSettings(threads=2),
    (PersonRow(1, "Anna", 0, (("age", "-2"),), (), ()), PersonRow(3, "", 0, (("smile", "0s:0,2s:1"),), (), ())),
    (
        PlannedShot(Shot(1, 0, 9), (1, 2)),
        PlannedShot(Shot(2, 10, 30), (3, 1)),
        PlannedShot(Shot(3, 31, 40), (1,), edit=False),
        PlannedShot(Shot(4, 41, 50), ()),
    ),
)


def write_film(path: Path, order: str = "dpd", frames: int = FRAMES) -> Path:
    """A film with sound, a shot a letter: d, the face of the demo; p, that of the portrait; n, nobody."""
    shots = {"d": _faces("demo.mp4", frames), "p": _faces("portrait.mp4", frames), "n": _nobody(frames)}
    with av.open(path, "w") as output:
        video = output.add_stream("libx264", rate=RATE, options={"crf": "10"})
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        sound = output.add_stream("aac", rate=48000)
        for index, rgb in enumerate(rgb for letter in order for rgb in shots[letter]):
            picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            picture.pts = index
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
        for start in range(0, 48000 // RATE * frames * len(order), 1024):
            wave = np.sin(np.arange(start, start + 1024) / 20, dtype=np.float32)[None]
            part = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            part.sample_rate, part.pts = 48000, start
            output.mux(sound.encode(part))
        output.mux(sound.encode(None))
    return path


def _faces(name: str, frames: int) -> list[ByteArray]:
    pictures = [frame.rgb() for frame in islice(open_video(DATA / name), frames)]
    height, width = pictures[0].shape[:2]
    wide = min(width, height * SIZE[0] // SIZE[1])
    left, scale = (width - wide) // 2, SIZE[1] / height
    size = (min(SIZE[0], round(wide * scale)), SIZE[1])
    small = [cv2.resize(p[:, left : left + wide], size, interpolation=cv2.INTER_AREA) for p in pictures]
    return [np.pad(p, [(0, 0), (0, SIZE[0] - size[0]), (0, 0)], constant_values=90) for p in small]


def _nobody(frames: int) -> list[ByteArray]:
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    return [np.asarray(cv2.resize(noise, SIZE, interpolation=cv2.INTER_CUBIC))] * frames


def packets(path: Path) -> list[tuple[object, ...]]:
    """Every packet of a video: stream, time, content."""
    with av.open(path) as container:
        return [(p.stream_index, p.pts, p.duration, bytes(memoryview(p))) for p in container.demux() if p.size]


def folder(path: Path, parts: Sequence[str] = ()) -> FilmFolder:
    """A film's folder with empty files of these names."""
    for part in parts:
        (path / part).parent.mkdir(parents=True, exist_ok=True)
        (path / part).touch()
    return FilmFolder(path)
