"""Crops -> Latents, the quick way: a trained network guesses, a short search refines. For the default generator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from stitchedit.config import EncodeConfig
from stitchedit.errors import ConfigError
from stitchedit.inversion.crop_batches import Batches
from stitchedit.inversion.encoder import Encoder
from stitchedit.inversion.latent_optimization import Prior, Start, scores_of, search
from stitchedit.models.generator import Generator
from stitchedit.models.perceptual import Perceptual
from stitchedit.models.w_encoder import MADE_FOR, WEncoder
from stitchedit.progress import Progress, silent
from stitchedit.types import FloatArray, Latents

PICTURE_SIZE = 256  # pixels of the crops that the network is shown
FRAMES_GUESSED = 64  # of a clip, at most, are shown to it
DOUBT = 0.3  # ridge penalty of the fit to its codes, in variances of each score
LEAST = 1e-3  # of a variance: directions absent from the shown frames are not fitted
# Tuning can only tell frames apart whose codes lie apart, and a network tells them apart less than they are, the fit
# to it once more. So offsets are made larger, and in the end those that are smaller than the median are lifted to it:
# of what is rare in a clip, such as a mouth that opens once, network and fit know least.
SPREAD = 3.0
LIFT = 2.0  # by no more than this: a frame like the mean one lies in no direction of its own


def from_guess(load: Callable[[], WEncoder], name: str = "network") -> Encoder:
    """The encoder that begins `optimize`'s search at what a trained network makes of the frames.

    The clip's code is the mean of its frames' codes, strange ones left out; how codes differ from it is fitted to what
    sets the frames apart. From there `config.started_share` of the steps are enough, each on one frame. Raises
    ConfigError, when the network was trained for another generator.

    Args:
        load: gives the network in eval mode, on the batches' device; called once a run.
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
        check_made_for(generator, name)
        network = load()
        scores = scores_of(batches).to(network.mean.device)
        seen = np.unique(np.linspace(0, len(batches) - 1, FRAMES_GUESSED).round().astype(int)).tolist()
        with torch.no_grad():
            u = torch.cat([network.whitened(batches.images([index], PICTURE_SIZE)) for index in seen])
        clip = _typical(u)
        few = scores[seen]  # [M, K]
        ridge = few.T @ few + DOUBT * torch.diag(few.square().sum(0).clamp_min(LEAST * len(seen)))
        shared = SPREAD * torch.linalg.solve(ridge, few.T @ (u - clip))
        start = Start(Prior(network.mean, network.color), scores, clip, shared, alone=0.0)
        steps = max(1, round(config.steps * config.started_share))
        short = replace(
            config,
            steps=steps,
            frames_per_step=1,
            lr_clip=config.started_lr_clip,
            lr_frame=config.started_lr_frame,
        )
        return Latents(set_apart(search(start, batches, generator, perceptual, short, seed, progress).ws))

    return encode


def set_apart(ws: FloatArray) -> FloatArray:
    """Codes [N, L, w_dim], those nearer to the mean code than the median one is moved out toward that distance."""
    mean = ws.mean(0, keepdims=True)
    away: FloatArray = ws - mean
    distance = np.sqrt(np.einsum("nld,nld->n", away, away))
    lift = np.clip(np.median(distance) / np.maximum(distance, 1e-12), 1, LIFT).astype(np.float32)
    away *= lift[:, None, None]
    away += mean
    return away


def fits(generator: Generator) -> bool:
    """Whether the generator is the one that the network of `from_guess` was trained for."""
    return (generator.architecture, generator.made_for) == MADE_FOR


def check_made_for(generator: Generator, name: str) -> None:
    """Raises ConfigError, unless it `fits`."""
    if not fits(generator):
        raise ConfigError(
            f"encoder '{name}' was trained for the default generator, not for {generator.made_for}",
            "leave --encoder out, or take --encoder optimize",
        )


def _typical(u: Tensor) -> Tensor:
    """The mean [D] of codes [M, D] without the fifth that lies farthest from their median."""
    away = (u - u.median(0).values).square().sum(1)
    return u[away.argsort()[: len(u) - len(u) // 5]].mean(0)
