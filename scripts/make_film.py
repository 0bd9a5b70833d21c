"""Make a test film of many shots from clips of a few people: known cuts, light that changes from shot to shot, sound.

    python scripts/make_film.py FILM.mp4 --shots 40 --frames 12 CLIP [CLIP ...]

Shots take the clips in turn, each going on where it was; the frames that open a shot are printed with their clips.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from stitchedit.types import ByteArray
from stitchedit.video import open_video

SIZE = (640, 360)
RATE, SOUND_RATE = 24, 48000
WARMTH = 0.15  # by which red and blue of a shot are multiplied and divided, at most


def fitted(rgb: ByteArray) -> ByteArray:
    """As large as the film: as high, cut at the sides, or its border repeated there."""
    scale = SIZE[1] / rgb.shape[0]
    width = round(rgb.shape[1] * scale)
    whole = cv2.resize(rgb, (width, SIZE[1]), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left = (width - SIZE[0]) // 2
    if left >= 0:
        return np.asarray(whole[:, left : left + SIZE[0]])
    return np.pad(whole, [(0, 0), (-left, SIZE[0] - width + left), (0, 0)], mode="edge")


def pictures(clips: list[Path], shots: int, frames: int) -> Iterator[ByteArray]:
    """All frames of the film."""
    shown = [[fitted(frame.rgb()) for frame in open_video(clip)] for clip in clips]
    random = np.random.default_rng(0)
    for shot in range(shots):
        which, turn = shot % len(clips), shot // len(clips)
        warm = 1 + WARMTH * random.uniform(-1, 1)
        print(f"{shot * frames}\t{clips[which].name}")
        own = shown[which]
        start = turn * (frames // 2 + 3) % max(1, len(own) - frames)
        for k in range(frames):
            lit = own[(start + k) % len(own)] * np.array([warm, 1, 1 / warm])
            yield lit.clip(0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--shots", type=int, default=40)
    parser.add_argument("--frames", type=int, default=12)
    asked = parser.parse_args()
    with av.open(asked.film, "w") as output:
        video = output.add_stream("libx264", rate=RATE, options={"crf": "14"})
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        sound = output.add_stream("aac", rate=SOUND_RATE)
        for index, rgb in enumerate(pictures(asked.clips, asked.shots, asked.frames)):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts = index
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for start in range(0, SOUND_RATE * asked.shots * asked.frames // RATE, 1024):
            wave = 0.2 * np.sin(np.arange(start, start + 1024) * (2 * np.pi * 220 / SOUND_RATE))
            part = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
            part.sample_rate, part.pts = SOUND_RATE, start
            output.mux(sound.encode(part))
        output.mux(sound.encode(None))


if __name__ == "__main__":
    main()
