"""What the W encoder learns from: samples of the generator with known w, and photo-like faces; spoilt as video spoils.

Pictures are uint8 [256, 256, 3] RGB, aligned as FFHQ is. Used by train_encoder.py and report_encoder.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator as Random
from torch import Tensor

from stitchedit.files.array_files import save_arrays
from stitchedit.learning.generator_samples import PICTURE_PX, draw_ws, render
from stitchedit.models.generator import Generator
from stitchedit.types import ByteArray, FloatArray

CHUNK = 250  # samples a file
SAMPLE_SEED = 7
HELD_OUT, HOLD_SEED = 50, 2026  # faces that are never trained on


@dataclass(frozen=True)
class Samples:
    """Samples of the generator."""

    w: FloatArray  # [N, w_dim]
    pictures: ByteArray  # [N, 256, 256, 3]


def sample(folder: Path, generator: Generator, count: int, tick: Callable[[int], None]) -> Samples:
    """`count` samples at psi 0.5 to 1, drawn at the 256 px exit; finished files in the folder are used again."""
    parts = []
    for index in range(-(-count // CHUNK)):
        path = folder / f"{index:04d}.npz"
        if not path.exists():
            psi = np.random.default_rng([SAMPLE_SEED, index]).uniform(0.5, 1, CHUNK).astype(np.float32)
            w = draw_ws(generator, CHUNK, [index, SAMPLE_SEED], psi)
            save_arrays(path, {"w": w, "pictures": render(generator, w, PICTURE_PX)})
            tick((index + 1) * CHUNK)
        with np.load(path, allow_pickle=False) as chunk:
            parts.append((chunk["w"], chunk["pictures"]))
    return Samples(np.concatenate([w for w, _ in parts]), np.concatenate([p for _, p in parts]))


def face_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folder's pictures: those to train on, and the `HELD_OUT` that are kept out, chosen by a fixed seed."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))
    if len(files) < 4 * HELD_OUT:
        raise SystemExit(f"{folder} holds {len(files)} .jpg and .png files; at least {4 * HELD_OUT} faces are needed")
    kept = set(np.random.default_rng(HOLD_SEED).permutation(len(files))[:HELD_OUT].tolist())
    return [f for i, f in enumerate(files) if i not in kept], [f for i, f in enumerate(files) if i in kept]


def read_picture(path: Path) -> ByteArray:
    """A face's picture at 256 px. Raises SystemExit, when it cannot be read."""
    found = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if found is None:
        raise SystemExit(f"{path} is no picture that can be read")
    size = (PICTURE_PX, PICTURE_PX)
    return np.asarray(cv2.resize(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), size, interpolation=cv2.INTER_AREA))


def face_weight(size: int = PICTURE_PX) -> FloatArray:
    """Where an aligned face lies, [size, size] of mean 1: an ellipse around face and hairline, the rest a seventh."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    away = np.hypot((x - 0.5) / 0.344, (y - 0.547) / 0.422)
    weight = 0.15 + 1 / (1 + np.exp(12 * (away - 1)))
    return np.asarray(weight / weight.mean(), np.float32)


def as_images(pictures: ByteArray) -> Tensor:
    """uint8 [B, S, S, 3] -> [B, 3, S, S] in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def spoil(picture: ByteArray, random: Random) -> ByteArray:
    """The picture a little misplaced, then with light, blur, noise and compression, each more or less or not at all."""
    side = picture.shape[0]
    middle = (side - 1) / 2
    place = cv2.getRotationMatrix2D((middle, middle), random.normal(0, 1.2), 1 + random.normal(0, 0.012))
    place[:, 2] += random.normal(0, 1.5, 2)
    spoilt = cv2.warpAffine(picture, place, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    if random.random() < 0.7:  # light, and the colour of it
        gain = (1 + random.normal(0, 0.05)) * (1 + random.normal(0, 0.02, 3))
        curve = np.linspace(0, 1, 256)[:, None] ** np.exp(random.normal(0, 0.08))
        table = np.clip(255 * curve * gain, 0, 255).round().astype(np.uint8)[None]
        spoilt = cv2.LUT(spoilt, table)
    if random.random() < 0.3:  # a face of few pixels
        small = int(random.uniform(64, 200))
        spoilt = cv2.resize(spoilt, (small, small), interpolation=cv2.INTER_AREA)
        spoilt = cv2.resize(spoilt, (side, side), interpolation=cv2.INTER_CUBIC)
    elif random.random() < 0.4:
        spoilt = cv2.GaussianBlur(spoilt, (0, 0), random.uniform(0.3, 1.8))
    if random.random() < 0.4:
        noise = random.normal(0, random.uniform(1, 8), spoilt.shape).astype(np.float32)
        spoilt = np.clip(spoilt + noise, 0, 255).round().astype(np.uint8)
    if random.random() < 0.5:
        bgr = cv2.cvtColor(spoilt, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(random.uniform(35, 95))])
        spoilt = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return np.asarray(spoilt)
