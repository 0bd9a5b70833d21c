#!/usr/bin/env python3
"""How the readings of the default generator's people change with w: the labels from which `learn_bend.py` learns.

    scripts/reader_gradients.py FILE [--count 11200] [--device cuda]

A person is w = mean + psi (mapped - mean) + s age + t smile, so that very young and very old ones are among them. Each
is drawn at 256 px and read: age by faceres, age and smile by the fits to ratings (of the encoder's code alone). FILE
(.npz) gets each reading and its gradient in w, in four bits a number; codes are drawn again from their block's number.

A correlation over samples tells what goes along with age in FFHQ, and takes origin, complexion and glasses for age; a
gradient tells what of a face the reader looks at. 250 people a second on a GPU, 1.5 seconds a person on one core. Needs
`stitchedit weights fetch measuring`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stitchedit.editing.direction_catalogue import find_direction
from stitchedit.editing.move_latents import load_step
from stitchedit.faces.age_reader import INPUT_PX, MARGIN, AgeReader
from stitchedit.faces.age_reader import WEIGHTS as AGE_WEIGHTS
from stitchedit.faces.human_ratings import RATED, Rater
from stitchedit.files.array_files import save_arrays
from stitchedit.learning.generator_samples import draw_ws
from stitchedit.models.generator import Generator, load_default_generator
from stitchedit.models.w_encoder import load_w_encoder
from stitchedit.models.weights import measuring_path
from stitchedit.types import ByteArray, FloatArray, Latents

READ = ("age", "age_rated", "smile_rated")
MOVED = ("age", "smile")  # directions along which people are moved
SIZE = 256  # exit of the generator
LEVELS, REACH = 16, 3.0  # of four bits; how far they go, in rms of the gradient
SEED = 2211


@dataclass(frozen=True, slots=True)
class Labels:
    """N people, and how each of the K readings of `READ` changes with w."""

    w: FloatArray  # [N, w_dim]
    values: FloatArray  # [N, K] years, years, rating points; those of ratings up to a constant
    gradients: FloatArray  # [N, K, w_dim]

    @classmethod
    def load(cls, path: Path, generator: Generator) -> Self:
        with np.load(path, allow_pickle=False) as kept:
            count, steps = int(kept["batch"]), kept["steps"]
            blocks = [moved_people(generator, int(index), count, steps) for index in kept["index"][::count]]
            return cls(np.concatenate(blocks), kept["values"], unpack(kept["packed"], kept["scale"]))


def moved_people(generator: Generator, index: int, count: int, steps: FloatArray) -> FloatArray:
    """Block `index` of people [count, w_dim], moved along steps [2, w_dim], those of MOVED."""
    rng = np.random.default_rng([SEED, index, count])
    z = rng.standard_normal((count, generator.z_dim)).astype(np.float32)
    psi = np.where(rng.random(count) < 0.5, 0.7, 1.0)[:, None]
    s = np.where(rng.random(count) < 0.35, 0.0, rng.uniform(-4.5, 4.5, count))[:, None]
    t = np.where(rng.random(count) < 0.7, 0.0, rng.uniform(-4, 5, count))[:, None]
    with torch.inference_mode():
        mapped = generator.mapping(torch.from_numpy(z).to(generator.w_avg.device))[:, 0].cpu().numpy()
    mean = generator.w_avg.detach().cpu().numpy()
    return np.asarray(mean + psi * (mapped - mean) + s * steps[0] + t * steps[1], np.float32)


def pack(gradients: FloatArray) -> tuple[ByteArray, FloatArray]:
    """[N, K, w_dim] -> two numbers a byte [N, K, w_dim / 2], and the rms of each gradient [N, K].

    What is lost, a ninth of the rms, is far less than gradients of two alike people differ by.
    """
    rms = np.sqrt(np.square(gradients).mean(-1)) + 1e-12
    level = gradients / rms[..., None] * (LEVELS / (2 * REACH)) + LEVELS / 2
    levels = np.clip(np.floor(level), 0, LEVELS - 1).astype(np.uint8)
    return levels[..., 0::2] | levels[..., 1::2] << 4, rms.astype(np.float32)


def unpack(packed: ByteArray, rms: FloatArray) -> FloatArray:
    """The inverse of `pack`, to half a level."""
    levels = np.stack([packed & 15, packed >> 4], -1).reshape(*packed.shape[:-1], -1).astype(np.float32)
    found: FloatArray = (levels + 0.5 - LEVELS / 2) * np.float32(2 * REACH / LEVELS) * rms[..., None]
    return found


class Readers(torch.nn.Module):
    """Pictures -> what `READ` says of them; differentiable."""

    def __init__(self) -> None:
        super().__init__()
        self.age, self.encoder = AgeReader(Path(measuring_path(AGE_WEIGHTS))), load_w_encoder()
        names = list(RATED)
        rows = Rater().rows[[names.index(name) for name in READ[1:]], : self.encoder.w_dim]
        self.register_buffer("rows", torch.from_numpy(rows))

    def forward(self, image: Tensor) -> Tensor:
        """FFHQ-aligned faces [B, 3, S, S] in [-1, 1] -> [B, K]."""
        edge = round(MARGIN * image.shape[-1])
        inner = (image * 127.5 + 127.5)[..., edge:-edge, edge:-edge]
        inner = F.interpolate(inner, size=(INPUT_PX, INPUT_PX), mode="bicubic", antialias=True).clamp(0, 255)
        rated = self.encoder.whitened(image) @ self.get_buffer("rows").T
        return torch.cat([self.age(inner)[0][:, None], rated], 1)


def labelled(generator: Generator, readers: Readers, codes: FloatArray) -> dict[str, FloatArray | ByteArray]:
    """Of people [B, w_dim]: values [B, K], and their gradients as `pack` gives them."""
    w = torch.from_numpy(codes).to(generator.w_avg.device).requires_grad_(True)
    values = readers(generator.synthesis(w[:, None], resolution=SIZE).clamp(-1, 1))
    last = len(READ) - 1
    each = [torch.autograd.grad(values[:, k].sum(), w, retain_graph=k < last)[0] for k in range(last + 1)]
    packed, scale = pack(torch.stack(each, 1).cpu().numpy())
    return {"values": values.detach().cpu().numpy(), "packed": packed, "scale": scale}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--count", type=int, default=11200)
    parser.add_argument("--batch", type=int, default=64, help="people at once")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    generator = load_default_generator(options.device).requires_grad_(False)
    readers = Readers().eval().requires_grad_(False).to(options.device)
    nobody = Latents(draw_ws(generator, 1, [SEED])[:, None])
    steps = np.concatenate([load_step(find_direction(name), nobody, generator) for name in MOVED]).astype(np.float32)
    parts = []
    for index in range(options.count // options.batch):
        codes = moved_people(generator, index, options.batch, steps)
        found = labelled(generator, readers, codes)
        parts.append(found | {"index": np.full(options.batch, index, np.int32)})
    arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    save_arrays(options.file, arrays | {"batch": np.int32(options.batch), "steps": steps})


if __name__ == "__main__":
    main()
