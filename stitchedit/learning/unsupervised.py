"""Directions that nobody labelled: the axes of W along which samples differ most, and those that weights amplify most.

Both know nothing of what they change: look at the strips.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stitchedit.errors import ConfigError
from stitchedit.models.generator import Generator

Floats = NDArray[np.float64]

SAMPLES = 20_000  # of W; nothing is drawn
AFFINE = "affine"  # what the layers from w to a style are called in every network of `GENERATORS`


def sample_w(generator: Generator, seed: int = 0, count: int = SAMPLES) -> Floats:
    """w of `count` random people at psi 1, [count, w_dim]."""
    rng = np.random.default_rng([seed, 0x9CA])
    device = generator.w_avg.device
    parts = []
    with torch.inference_mode():
        for start in range(0, count, 1000):
            z = rng.standard_normal((min(1000, count - start), generator.z_dim)).astype(np.float32)
            parts.append(generator.mapping(torch.from_numpy(z).to(device))[:, 0].cpu().numpy())
    return np.concatenate(parts).astype(np.float64)


def pca(w: Floats, count: int) -> tuple[Floats, Floats]:
    """The first principal components of samples [N, w_dim].

    Returns: steps [count, w_dim], each one standard deviation long, and the shares [count] of the variance they hold.
    Raises: ConfigError, for more components than there are numbers in w.
    Source: Harkonen et al. 2020, "GANSpace", arXiv:2004.02546.
    """
    _check(count, w.shape[1])
    values, vectors = np.linalg.eigh(np.cov(w.T))
    order = np.argsort(values)[::-1][:count]
    steps = vectors[:, order].T * np.sqrt(np.maximum(values[order], 0))[:, None]
    return _signed(steps), values[order] / values.sum()


def factorise(generator: Generator, w: Floats, count: int, layers: tuple[int, int]) -> tuple[Floats, Floats]:
    """The steps in w that change styles most: eigenvectors of A' A, A the affine weights of the rows in `layers`.

    Each style channel counts alike: its weights are brought to unit length first.

    Args:
        w: samples [N, w_dim]; each step is one standard deviation of them long.
    Returns: steps [count, w_dim] and shares [count] of the sum of eigenvalues.
    Raises: ConfigError, for more steps than there are numbers in w.
    Source: Shen and Zhou 2021, "Closed-Form Factorization of Latent Semantics in GANs" (SeFa), arXiv:2007.06600.
    """
    _check(count, generator.w_dim)
    first, end = layers
    chosen = [weight for row, weight in affine_weights(generator) if first <= row < end]
    stacked = np.concatenate(chosen)
    stacked /= np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-12)
    values, vectors = np.linalg.eigh(stacked.T @ stacked)
    order = np.argsort(values)[::-1][:count]
    axes = vectors[:, order].T
    spread = np.std(w @ axes.T, axis=0)  # [count]
    return _signed(axes * spread[:, None]), values[order] / values.sum()


def affine_weights(generator: Generator) -> list[tuple[int, Floats]]:
    """(row of W+ that it reads, weight [channels, w_dim]) of each layer from w to a style, in order of execution.

    Which row a layer reads is seen in a drawing whose rows all differ.
    """
    assert isinstance(generator, nn.Module)
    found: list[tuple[int, Floats]] = []
    hooks = []
    for name, module in generator.named_modules():
        if name.rpartition(".")[2] == AFFINE:

            def see(module: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
                row = round(float(given[0][0, 0]))
                found.append((row, module.weight.detach().cpu().numpy().astype(np.float64)))  # type: ignore[operator]

            hooks.append(module.register_forward_pre_hook(see))
    rows = torch.arange(generator.num_ws, dtype=torch.float32, device=generator.w_avg.device)
    try:
        with torch.inference_mode():
            generator.synthesis(rows[None, :, None].expand(1, -1, generator.w_dim).contiguous())
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _check(count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise ConfigError(f"{count} directions were asked for", f"this generator has 1 to {most}")


def _signed(steps: Floats) -> Floats:
    """An axis has no sign of its own: the largest number of each step is made positive, so that runs agree."""
    largest = np.take_along_axis(steps, np.abs(steps).argmax(1)[:, None], 1)
    signed: Floats = steps * np.where(largest < 0, -1.0, 1.0)
    return signed
