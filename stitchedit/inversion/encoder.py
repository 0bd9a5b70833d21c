"""What every encoder is, and encoders that are one network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from stitchedit.config import EncodeConfig
from stitchedit.errors import ConfigError
from stitchedit.inversion.crop_batches import Batches
from stitchedit.models.generator import Generator
from stitchedit.models.perceptual import Perceptual
from stitchedit.progress import Progress, silent
from stitchedit.stylegan2.encoder import PICTURE_SIZE, GradualStyleEncoder, RestyleEncoder
from stitchedit.types import Latents

RESTYLE_STEPS = 5  # looks at the picture of an iterative encoder, as ReStyle takes
PICTURES_AT_ONCE = 4  # of a network; more are no faster on a CPU


class Encoder(Protocol):
    """Finds the codes of a clip's crops. `ws` comes back as [N, 1, w_dim] (W) or [N, num_ws, w_dim] (W+)."""

    def __call__(
        self,
        batches: Batches,
        generator: Generator,
        perceptual: Perceptual,
        config: EncodeConfig,
        *,
        seed: int = 0,
        progress: Progress = silent,
    ) -> Latents: ...


def by_network(load: Callable[[], GradualStyleEncoder], name: str) -> Encoder:
    """The encoder that asks a trained network for each frame's code.

    In W e4e gives the row that the others depart from, pSp the mean of its rows. Of the settings only `config.space`
    matters to what comes back. Whether the codes fit the generator, `check_fit` has told.

    Args:
        load: gives the network in eval mode, on the batches' device; called once a run, so that its weights are in
            memory only while codes are found.
        name: what the user calls it.
    """

    def encode(
        batches: Batches,
        generator: Generator,
        perceptual: Perceptual,
        config: EncodeConfig,
        *,
        seed: int = 0,
        progress: Progress = silent,
    ) -> Latents:
        network = load()
        found: list[Tensor] = []
        for start in range(0, len(batches), PICTURES_AT_ONCE):
            picks = range(start, min(start + PICTURES_AT_ONCE, len(batches)))
            with torch.no_grad():
                images = batches.images(picks, PICTURE_SIZE)
                found.append(codes_of(network, generator, images, config.space).cpu())
            progress("encode", picks.stop, len(batches), "")
        return Latents(torch.cat(found).numpy().astype(np.float32))

    return encode


def codes_of(network: GradualStyleEncoder, generator: Generator, images: Tensor, space: str) -> Tensor:
    """RGB [B, 3, 256, 256] in [-1, 1] -> codes [B, num_ws, w_dim], or [B, 1, w_dim] in W.

    An iterative encoder starts from the mean face and looks at what the generator draws of its codes, again and again.
    """
    if not isinstance(network, RestyleEncoder):
        found: Tensor = network(images) if space == "W+" else network.one_row(images)
        return found
    assert network.latent_avg is not None  # seen to where it was read
    ws = network.latent_avg.to(images).expand(len(images), -1, -1)
    for _ in range(RESTYLE_STEPS):
        drawn = adaptive_avg_pool2d(generator.synthesis(ws), PICTURE_SIZE)
        ws = ws + network(torch.cat([images, drawn], dim=1))
    return ws if space == "W+" else network.nearest_row(ws)


def check_fit(network: GradualStyleEncoder, generator: Generator, name: str, space: str) -> None:
    """Raises ConfigError, unless the network's codes are some that the generator takes."""
    if network.w_dim != generator.w_dim:
        raise ConfigError(
            f"encoder '{name}' gives codes of {network.w_dim} numbers, the generator takes {generator.w_dim}",
            "choose the generator that the encoder was trained for, or leave --encoder out",
        )
    rows_count = space == "W+" or isinstance(network, RestyleEncoder)  # which has the generator draw all its rows
    if rows_count and network.num_styles != generator.num_ws:
        raise ConfigError(
            f"encoder '{name}' gives {network.num_styles} rows of W+, the generator takes {generator.num_ws}",
            "choose the --generator that the encoder was trained for"
            + ("" if isinstance(network, RestyleEncoder) else "; or --space W, which takes one row for all"),
        )
