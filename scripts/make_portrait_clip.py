#!/usr/bin/env python3
"""Draws the clip of `make demo`: `make_portrait_clip.py [OUT.mp4]`, a portrait of nobody that looks like a filmed one.

The default generator draws a person who turns, nods, speaks and blinks by stitchedit's own directions; the person is
cut out and put before a wall of its own, a hand-held camera shakes, the sensor has grain, and H.264 does the rest. So
the clip lies in the generator's domain: it shows what edits do, and is easier than footage. Other clips are measured.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from stitchedit.editing.direction_catalogue import find_direction
from stitchedit.editing.move_latents import load_direction
from stitchedit.faces.detectors import person
from stitchedit.faces.head_segmentation import guided
from stitchedit.image.arrays import to_bytes
from stitchedit.image.smoothing import smoothstep
from stitchedit.models import loading
from stitchedit.types import ByteArray, FloatArray

CLIP = Path(__file__).resolve().parents[1] / "tests" / "data" / "portrait.mp4"
SEED, PSI = 27, 0.65  # who it is
FRAMES, RATE = 16, 16
CROP = 512  # pixels of the generator's picture in the clip, whose width is a little less: what it draws at 512 px
WIDTH, HEIGHT = 480, 576
GRAIN = 2.0  # grey levels
SHAKE = 3.0  # pixels
CRF = "20"


def acting() -> dict[str, FloatArray]:
    """Strengths of directions, [FRAMES] each."""
    time = np.arange(FRAMES, dtype=np.float32) / RATE
    words = np.sin(2 * np.pi * 2.6 * time) * np.sin(2 * np.pi * 0.7 * time + 0.4)
    blink = np.exp(-(((time - 0.68) / 0.06) ** 2))
    return {
        "yaw": 0.8 * np.sin(2 * np.pi * 0.8 * time - 0.9),
        "pitch": 0.45 * np.sin(2 * np.pi * 0.6 * time + 1.0),
        "mouth_open": 2.4 * np.clip(words, 0, 1) * smoothstep(4 * (time - 0.2)),
        "eyes_open": -2.6 * blink,
    }


def drawn() -> list[ByteArray]:
    """The generator's pictures, [CROP, CROP, 3] each."""
    generator, _ = loading.generator("default", torch.device("cpu"))
    z = torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(SEED))
    pictures = []
    with torch.inference_mode():
        pivot = generator.w_avg.lerp(generator.mapping(z)[:, :1], PSI)
        vectors = [np.float32(load_direction(find_direction(name)).vector) for name in acting()]
        steps = [torch.tensor(vector).reshape(1, -1, generator.w_dim) for vector in vectors]
        for now in zip(*acting().values(), strict=True):
            w = pivot + sum(float(part) * step for part, step in zip(now, steps, strict=True))
            picture = to_bytes(generator.synthesis(w, resolution=1024)[0])
            pictures.append(cv2.resize(picture, (CROP, CROP), interpolation=cv2.INTER_AREA))
    return pictures


def mattes(pictures: list[ByteArray]) -> list[FloatArray]:
    """How much of each pixel is the person, [CROP, CROP]; steady."""
    found = np.stack([person(picture) for picture in pictures])
    for k, one in enumerate(found.copy()):
        near = found[max(0, k - 1) : k + 2].mean(0)
        guide = cv2.cvtColor(cv2.resize(pictures[k], one.shape), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
        found[k] = smoothstep((guided(guide, near) - 0.15) / 0.7)
    return [cv2.resize(one, (CROP, CROP), interpolation=cv2.INTER_CUBIC).clip(0, 1) for one in found]


def wall(pictures: list[ByteArray], mattes: list[FloatArray]) -> FloatArray:
    """A plastered wall in the colour of the generator's own backgrounds, lit from the left: [H, W, 3] on 0..255."""
    far = np.stack(mattes[::8]) < 0.02
    colour = np.stack(pictures[::8])[far].mean(0)
    random = np.random.default_rng(SEED)
    height, width = HEIGHT + 64, WIDTH + 64
    plaster = np.zeros((height, width), np.float32)
    for cells, amount in ((5, 5.0), (17, 2.5), (60, 1.5)):
        spots = random.normal(size=(cells, cells)).astype(np.float32)
        plaster += amount * cv2.resize(spots, (width, height), interpolation=cv2.INTER_CUBIC)
    across, down = np.linspace(1.06, 0.9, width, dtype=np.float32), np.linspace(1.02, 0.97, height, dtype=np.float32)
    lit = (colour + plaster[..., None]) * np.outer(down, across)[..., None]
    return np.asarray(cv2.GaussianBlur(lit, (0, 0), 3), np.float32)


def filmed() -> list[ByteArray]:
    """The frames of the clip, [HEIGHT, WIDTH, 3] each."""
    pictures = drawn()
    alphas = mattes(pictures)
    background = wall(pictures, alphas)
    random = np.random.default_rng(SEED + 1)
    shake = cv2.GaussianBlur(random.normal(size=(FRAMES, 4)).astype(np.float32), (1, 31), 0, sigmaY=4)
    shake *= np.float32([SHAKE, SHAKE, 0.3, 0.004]) / shake.std(0)  # pixels, pixels, degrees, part of the size
    frames = []
    for picture, alpha, (dx, dy, turn, growth) in zip(pictures, alphas, shake, strict=True):
        scene = background.copy()
        top, left = scene.shape[0] - CROP - 8, (scene.shape[1] - CROP) // 2
        part = scene[top : top + CROP, left : left + CROP]
        part += alpha[..., None] * (picture - part)
        scene[top + CROP :] = scene[top + CROP - 1]  # which no frame shows
        matrix = cv2.getRotationMatrix2D((scene.shape[1] / 2, scene.shape[0] / 2), float(turn), 1 + float(growth))
        matrix[:, 2] += (WIDTH - scene.shape[1]) / 2 + dx, HEIGHT - scene.shape[0] + 22 + dy
        seen = cv2.warpAffine(scene, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        grain = cv2.GaussianBlur(random.normal(size=seen.shape[:2]).astype(np.float32), (0, 0), 0.7)
        seen += (GRAIN / grain.std()) * grain[..., None]
        frames.append(np.clip(np.rint(seen), 0, 255).astype(np.uint8))
    return frames


def main(out: Path) -> None:
    with av.open(out, "w", options={"fflags": "+bitexact", "movflags": "+faststart"}) as made:
        stream = made.add_stream("libx264", rate=RATE, options={"crf": CRF, "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for k, rgb in enumerate(filmed()):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, RATE)
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else CLIP)
