"""What every encoder is, and encoders that are one network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from stitchedit.config import EncodeConfig
from stitchedit.errors import ConfigError
from stitchedit.inversion.crop_batches import Batches
from stitchedit.models.generator import Generator
from stitchedit.models.perceptual import Perceptual
from stitchedit.progress import Progress, silent
from stitchedit.stylegan2.encoder import PICTURE_SIZE, GradualStyleEncoder
from stitchedit.types import Latents

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
        give = network if config.space == "W+" else network.one_row
        found: list[Tensor] = []
        for start in range(0, len(batches), PICTURES_AT_ONCE):
            picks = range(start, min(start + PICTURES_AT_ONCE, len(batches)))
            with torch.no_grad():
                found.append(give(batches.images(picks, PICTURE_SIZE)).cpu())
            progress("encode", picks.stop, len(batches), "")
        return Latents(torch.cat(found).numpy().astype(np.float32))

    return encode


def check_fit(network: GradualStyleEncoder, generator: Generator, name: str, space: str) -> None:
    """Raises ConfigError, unless the network's codes are some that the generator takes."""
    if network.w_dim != generator.w_dim:
        raise ConfigError(
            f"encoder '{name}' gives codes of {network.w_dim} numbers, the generator takes {generator.w_dim}",
            "choose the generator that the encoder was trained for, or leave --encoder out",
        )
    if space == "W+" and network.num_styles != generator.num_ws:
        raise ConfigError(
            f"encoder '{name}' gives {network.num_styles} rows of W+, the generator takes {generator.num_ws}",
            "--space W takes one row for all; or choose the --generator that the encoder was trained for",
        )
