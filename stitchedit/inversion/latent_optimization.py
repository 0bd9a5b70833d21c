"""Crops -> Latents: where in W each frame lies.

An encoder is a function of the `Encoder` signature in `ENCODERS`. `optimize` needs no training and works with every
generator: it searches for the codes of all frames together (`guess` does the same from where a trained network points
to, in far fewer steps). `by_network` makes one of a network that is taken at its word, e4e or pSp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stitchedit.config import EncodeConfig
from stitchedit.image.arrays import resize, shrink
from stitchedit.inversion.crop_batches import Batches, shuffled
from stitchedit.models.generator import Generator, lowest_exit
from stitchedit.models.perceptual import Perceptual
from stitchedit.progress import Progress, silent
from stitchedit.types import FloatArray, Latents

SCORE_SIZE = 64  # pixels of the pictures that these are taken from
SCORED = 1000  # frames of a clip that the components are taken from, at most
PRIOR_SAMPLES = 10_000  # w samples that the distribution is estimated from
COMPONENTS = 16  # principal components of the clip's pictures that share one linear map into W


@dataclass(frozen=True, slots=True)
class Prior:
    """The distribution of W as a Gaussian, w = mean + whiten @ u with u of unit variance."""

    mean: Tensor  # [D]
    color: Tensor  # [D, D] symmetric square root of the covariance

    def w(self, u: Tensor) -> Tensor:
        """Whitened codes [..., D] -> w [..., D]."""
        return self.mean + u @ self.color


def w_prior(generator: Generator, seed: int = 0) -> Prior:
    """Mean and spread of the generator's W, from mapped samples."""
    device = generator.w_avg.device
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        z = torch.randn(PRIOR_SAMPLES, generator.z_dim, generator=random)
        w = torch.cat([generator.mapping(part.to(device))[:, 0] for part in torch.split(z, 1000)]).double()
    mean = w.mean(0)
    values, vectors = torch.linalg.eigh((w - mean).T @ (w - mean) / (len(w) - 1))
    color = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    return Prior(mean.float(), color.float())


def optimize(
    batches: Batches,
    generator: Generator,
    perceptual: Perceptual,
    config: EncodeConfig,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Latents:
    """Codes by gradient descent over all frames together.

    A frame's whitened code is one for the clip, found first, plus a linear function of what sets the frame apart from
    the others: the principal components of the clip's pictures, seen through the weight map. So one seen frame
    teaches all that resemble it, neighbours get neighbouring codes, and whatever moves in the face (gaze, lips) has a
    code of its own for tuning to work with. The pull toward the W distribution keeps faces whole; deviations from
    the clip's code, and of rows from each other, are held tighter.

    Returns: `Latents` with ws [N, 1, w_dim] for `config.space` "W", [N, num_ws, w_dim] for "W+"; float32.
    """
    prior = w_prior(generator, seed)
    scores = scores_of(batches).to(prior.mean.device)
    nothing = prior.mean.new_zeros(1 + scores.shape[1], generator.w_dim)
    start = Start(prior, scores, nothing[0], nothing[1:], alone=CLIP_ALONE)
    return search(start, batches, generator, perceptual, config, seed, progress)


@dataclass(frozen=True, slots=True)
class Start:
    """Where a search for codes begins."""

    prior: Prior
    scores: Tensor  # [N, K] what sets frames apart
    clip: Tensor  # [D] whitened code of the clip
    shared: Tensor  # [K, D] how whitened codes follow the scores
    alone: float  # first part of the steps, in which all frames share one code


def search(
    start: Start,
    batches: Batches,
    generator: Generator,
    perceptual: Perceptual,
    config: EncodeConfig,
    seed: int,
    progress: Progress,
) -> Latents:
    """What `optimize` does, from any start."""
    prior, scores, count = start.prior, start.scores, len(batches)
    device = scores.device
    rows = generator.num_ws if config.space == "W+" else 1
    clip = start.clip.reshape(1, 1, -1).clone().requires_grad_()
    shared = start.shared[:, None].clone().requires_grad_()
    by_row = torch.zeros(scores.shape[1], rows, generator.w_dim, device=device, requires_grad=rows > 1)

    def offsets(picks: list[int]) -> Tensor:
        return tame(scores, shared + by_row, picks)

    groups = [([clip], config.lr_clip), ([shared], config.lr_frame), ([by_row], config.lr_frame * ROW_RATE)]
    optimizer = torch.optim.Adam([{"params": p, "lr": lr} for p, lr in groups if p[0].requires_grad], betas=(0.9, 0.99))
    rates = [group["lr"] for group in optimizer.param_groups]
    size = lowest_exit(generator, config.size)
    look_at = min(config.size, size)  # a small generator draws fewer pixels than the losses would like
    for step in range(config.steps):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * _ramp(step / config.steps)
        picks = shuffled(count, min(config.frames_per_step, count), step, seed)
        target, weight = batches.images(picks, look_at), batches.weights(picks, look_at)
        offset = offsets(picks) if step >= start.alone * config.steps else torch.zeros(len(picks), 1, 1, device=device)
        image = generator.synthesis(prior.w(clip + offset), resolution=size)
        image = shrink(image, look_at)
        with torch.no_grad():
            wanted = perceptual.features(target)
        pixel = _mean_square(image - target, weight)
        look = perceptual.distance(perceptual.features(image), wanted, weight).mean()
        pull = clip.square().mean() + config.offset_pull * offset.square().mean()
        loss = config.perceptual_weight * look + config.pixel_weight * pixel + config.prior_weight * pull
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        progress("encode", step + 1, config.steps, f"loss {loss.item():.3f}")
    ws = np.empty((count, rows, generator.w_dim), np.float32)
    with torch.no_grad():
        for first in range(0, count, CODES_AT_ONCE):
            some = range(first, min(first + CODES_AT_ONCE, count))
            ws[some.start : some.stop] = prior.w(clip + offsets(list(some))).cpu().numpy()
    return Latents(ws)


CODES_AT_ONCE = 256  # that a search gives in the end; of all of a long clip at once they would fill the memory
CLIP_ALONE = 0.25  # first part of the steps, in which all frames share one code
FARTHEST, WIDEST = 1.5, 1.25  # times the median: how far from the clip's code, and how different by row, a frame may be
ROW_RATE = 0.5  # rows of W+ move apart more slowly than they move together


def tame(scores: Tensor, maps: Tensor, picks: Sequence[int]) -> Tensor:
    """Offsets from the clip's code of some frames, those of odd frames held back; whitened, [len(picks), L, D].

    What sets two frames of a blink apart from all others is drawn too rarely to be learned well, and its codes would
    lie far outside of what the generator knows: such a frame can be tuned, but falls to pieces when it is edited. No
    frame goes much farther than the median one, nor do its rows differ much more.

    Args:
        scores: [N, K] of all frames, whose offsets are `scores @ maps`; only those picked are ever made.
        maps: [K, L, D].
    """
    common = maps.mean(1, keepdim=True)
    rows = maps - common
    with torch.no_grad():
        size, spread = (_lengths(scores, part) for part in (common, rows))
        hold = _hold(size, FARTHEST)
        hold_rows = torch.minimum(hold, _hold(spread, WIDEST))
    chosen, kept, kept_rows = (values[list(picks)] for values in (scores, hold, hold_rows))
    return torch.einsum("nk,kld->nld", chosen * kept[:, None], common) + torch.einsum(
        "nk,kld->nld", chosen * kept_rows[:, None], rows
    )


def _lengths(scores: Tensor, maps: Tensor) -> Tensor:
    """Root mean square of each row of `scores @ maps`, [N] from [N, K] and [K, L, D], by the products of the maps."""
    flat = maps.flatten(1)
    products = flat @ flat.T / flat.shape[1]  # [K, K]
    return ((scores @ products) * scores).sum(1).clamp_min(0).sqrt()


def _hold(size: Tensor, most: float) -> Tensor:
    """Factors that bring sizes [N] to at most so many times their median."""
    return (most * size.median() / size.clamp_min(1e-12)).clamp(max=1.0).where(size.median() > 0, size.new_ones(()))


def _ramp(t: float) -> float:
    """Up over the first 5 %, level, down to zero over the last 30 %."""
    return float(min(1.0, (t + 0.01) / 0.05) * min(1.0, (1 - t) / 0.3))


def _mean_square(difference: Tensor, weight: Tensor | None) -> Tensor:
    square = difference.square()
    return square.mean() if weight is None else (square * weight).mean()


def scores_of(batches: Batches) -> Tensor:
    """What sets frames apart: principal components of small grey pictures, [N, K], the first of variance 1.

    Of long clips the components are those of `SCORED` frames evenly spread, and pictures are read one by one: memory
    does not grow with the clip.
    """
    count = len(batches)
    if count == 1:
        return torch.zeros(1, 0)
    look: FloatArray | float = 1.0
    if batches.weight is not None:
        look = np.sqrt(sum((batches.weight(i, SCORE_SIZE) / count for i in range(count)), np.float32(0)))

    def grey(index: int) -> FloatArray:
        seen: FloatArray = (resize(batches.crops.images[index], SCORE_SIZE).mean(-1, dtype=np.float32) * look).ravel()
        return seen

    chosen = np.unique(np.linspace(0, count - 1, min(count, SCORED)).round().astype(int)).tolist()
    seen = np.stack([grey(i) for i in chosen])
    mean = seen.mean(0)
    _, values, right = np.linalg.svd(seen - mean, full_matrices=False)
    if values[0] == 0:
        return torch.zeros(count, 0)
    kept = min(COMPONENTS, int((values > 0.03 * values[0]).sum()))
    # the square root lifts faint components, such as gaze, toward the strong ones, such as the turn of the head
    share = np.sqrt(values[:kept] / values[0])
    onto = right[:kept].T * (np.sqrt(len(chosen)) * share / values[:kept])  # [pixels, K]
    found = np.stack([(grey(i) - mean) @ onto for i in range(count)])
    return torch.from_numpy(found.astype(np.float32))
