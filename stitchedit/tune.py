"""Latents -> a generator tuned on the clip: pivotal tuning (PTI).

The pivots stay, the generator's weights move until every frame comes out right: one generator for the whole clip, so
that what it learns of the person serves all frames alike.
Source: Roich et al. 2021, arXiv:2106.05744; for video Tzaban et al. 2022, arXiv:2201.08361.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stitchedit.batches import Batches, shuffled
from stitchedit.config import TuneConfig
from stitchedit.data import Latents
from stitchedit.encode import shrink
from stitchedit.generator import Generator
from stitchedit.losses import Perceptual
from stitchedit.progress import Progress, silent

State = dict[str, Tensor]
Save = Callable[[State], None]


@dataclass(frozen=True, slots=True)
class TuneReport:
    """What a tuning did: losses a step [steps, 3] (total, L2, perceptual), and why it ended."""

    curve: Tensor
    ended: str


def tune(
    generator: Generator,
    latents: Latents,
    batches: Batches,
    perceptual: Perceptual,
    config: TuneConfig,
    *,
    size: int,
    seed: int = 0,
    resume: Mapping[str, Tensor] | None = None,
    save: Save | None = None,
    progress: Progress = silent,
) -> TuneReport:
    """Tune `generator` in place, at its exit of `size` pixels.

    The first part of the steps runs at the lowest exit that still shows the face well, for a fraction of the cost;
    the rest at `size`. Frames come in random order, those that come out badly more often. The rate falls to zero
    over the last part of the budget; a plateau ends the level part early.

    Args:
        generator: untuned, also when resuming: its weights are where the anchor pulls to.
        resume: a state that `save` was given earlier; the run goes on exactly from there.
        save: called every `config.checkpoint_every` steps with the whole state of the run.
    Returns: the curve of losses, in the order of the steps.
    """
    parameters: list[Tensor] = [p for _, p in _trainable(generator)]
    optimizer = torch.optim.Adam(parameters, lr=config.lr, betas=(0.9, 0.999))
    ws = torch.from_numpy(latents.ws).to(generator.w_avg.device)
    count, coarse = len(batches), _coarse_exit(generator, config, size)
    frozen = copy.deepcopy(generator).requires_grad_(False) if config.locality else None
    start = [p.detach().clone() for p in parameters]
    run = _Run(count)
    if resume:
        run.resume(resume, generator, optimizer)
    while run.step < run.budget(config):
        step = run.step
        for group in optimizer.param_groups:
            group["lr"] = config.lr * run.rate(config)
        picks = run.picks(config, seed)
        now = coarse if step < config.coarse_part * config.steps else size
        target, weight = batches.images(picks, now), batches.weights(picks, now) if config.weighted else None
        image = generator.synthesis(ws[picks], resolution=now)
        l2 = (image - target).square() if weight is None else (image - target).square() * weight
        l2 = l2.mean((1, 2, 3))
        look_size = min(now, config.perceptual_size)
        with torch.no_grad():
            wanted = perceptual.features(shrink(target, look_size))
        look = perceptual.distance(
            perceptual.features(shrink(image, look_size)), wanted, None if weight is None else shrink(weight, look_size)
        )
        each = config.l2_weight * l2 + config.perceptual_weight * look
        loss = each.mean()
        if frozen is not None:
            random = torch.Generator().manual_seed(seed * 1_000_003 + step)
            z = torch.randn(1, generator.z_dim, generator=random).to(ws.device)
            loss = loss + locality_loss(generator, frozen, ws[picks[:1]], z, perceptual)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if config.anchor > 0:
            _pull_back(parameters, start, config.anchor * run.rate(config))
        run.record([loss.item(), l2.mean().item(), look.mean().item()], config)
        run.frame_loss[picks] = each.detach().cpu().double()
        progress("tune", run.step, run.budget(config), f"loss {loss.item():.4f}")
        if save is not None and run.step % config.checkpoint_every == 0:
            save(run.state(generator, optimizer))
    return TuneReport(
        torch.tensor(run.curve), "budget" if run.ramp_from is None else f"plateau at step {run.ramp_from}"
    )


def locality_loss(
    generator: Generator,
    frozen: Generator,
    pivot: Tensor,
    z: Tensor,
    perceptual: Perceptual,
    *,
    distance: float = 30.0,
    truncation_psi: float = 0.5,
    l2_weight: float = 0.1,
    perceptual_weight: float = 0.1,
) -> Tensor:
    """How far tuning has changed a face that lies beside the pivot: locality regularization, a scalar.

    Args:
        pivot: [1, 1 or num_ws, w_dim].
        z: [1, z_dim], the random face toward which to step from the pivot by `distance`, measured over all of W+.
        frozen: the generator before tuning.
    Source: Roich et al. 2021, arXiv:2106.05744, with the constants of its code.
    """
    with torch.no_grad():
        there = frozen.mapping(z, truncation_psi=truncation_psi)
        beside = step_toward(pivot, there, distance)
        wanted = frozen.synthesis(beside, noise_mode="none")
        wanted_features = perceptual.features(wanted)
    image = generator.synthesis(beside, noise_mode="none")
    look = perceptual.distance(perceptual.features(image), wanted_features).mean()
    loss: Tensor = l2_weight * (image - wanted).square().mean() + perceptual_weight * look
    return loss


def step_toward(pivot: Tensor, there: Tensor, distance: float) -> Tensor:
    """The code at `distance` from the pivot on the way to another, [1, L, w_dim]."""
    way = there - pivot
    there = pivot + distance * way / way.norm()
    return there


class _Run:
    """Where a tuning stands: its step, its curve, and where the final ramp began."""

    def __init__(self, count: int) -> None:
        self.step = 0
        self.frame_loss = torch.full((count,), torch.inf, dtype=torch.float64)  # when last drawn
        self.curve: list[list[float]] = []
        self.ramp_from: int | None = None  # set when a plateau starts the ramp before its time

    def ramp_length(self, config: TuneConfig) -> int:
        return round(config.ramp_down * config.steps)

    def budget(self, config: TuneConfig) -> int:
        if self.ramp_from is None:
            return config.steps
        return min(config.steps, self.ramp_from + self.ramp_length(config))

    def rate(self, config: TuneConfig) -> float:
        """Factor of the learning rate at the present step: level, then falling linearly to near zero."""
        length = self.ramp_length(config)
        left = self.budget(config) - self.step
        return min(1.0, left / (length + 1)) if length else 1.0

    def picks(self, config: TuneConfig, seed: int) -> list[int]:
        """The frames of this step: half in shuffled order, half drawn by how badly they came out last time.

        A blink of two frames would else be drawn too rarely to be learned. Before every frame was seen, all are
        drawn in shuffled order.
        """
        count, per_step = len(self.frame_loss), config.frames_per_step
        if not config.shuffle:
            return [(self.step * per_step + i) % count for i in range(per_step)]
        drawn = shuffled(count, min(per_step, count), self.step, seed)
        hard = len(drawn) // 2
        if hard == 0 or not torch.isfinite(self.frame_loss).all():
            return drawn
        chance = self.frame_loss.square().numpy()
        chance[drawn[hard:]] = 0
        random = np.random.default_rng((seed, self.step, HARD_STREAM))
        again: list[int] = random.choice(count, hard, replace=False, p=chance / chance.sum()).tolist()
        return drawn[hard:] + again

    def record(self, losses: list[float], config: TuneConfig) -> None:
        self.curve.append(losses)
        self.step += 1
        level = config.steps - self.ramp_length(config)
        window = PLATEAU_WINDOW
        settled = self.step >= max(2 * window, config.coarse_part * config.steps + 2 * window)
        if config.plateau > 0 and self.ramp_from is None and settled and self.step < level:
            before = sum(row[0] for row in self.curve[-2 * window : -window])
            if before - sum(row[0] for row in self.curve[-window:]) < config.plateau * before:
                self.ramp_from = self.step

    def state(self, generator: Generator, optimizer: torch.optim.Adam) -> State:
        state = {f"generator.{k}": v.detach() for k, v in generator.state_dict().items()}
        for name, parameter in _trainable(generator):
            kept = optimizer.state.get(parameter)
            if kept:  # a block above the coarse exit has none yet
                state[f"exp_avg.{name}"], state[f"exp_avg_sq.{name}"] = kept["exp_avg"], kept["exp_avg_sq"]
                state[f"adam_step.{name}"] = kept["step"].reshape(1).float()
        state["curve"] = torch.tensor(self.curve, dtype=torch.float64)
        state["frame_loss"] = self.frame_loss
        state["ramp_from"] = torch.tensor([-1 if self.ramp_from is None else self.ramp_from])
        return state

    def resume(self, state: Mapping[str, Tensor], generator: Generator, optimizer: torch.optim.Adam) -> None:
        prefix = "generator."
        generator.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
        for name, parameter in _trainable(generator):
            if f"exp_avg.{name}" in state:
                optimizer.state[parameter] = {
                    "step": state[f"adam_step.{name}"].reshape(()),
                    "exp_avg": state[f"exp_avg.{name}"].to(parameter.device),
                    "exp_avg_sq": state[f"exp_avg_sq.{name}"].to(parameter.device),
                }
        self.curve = state["curve"].tolist()
        self.step = len(self.curve)
        self.frame_loss = state["frame_loss"].clone()
        ramp_from = int(state["ramp_from"].item())
        self.ramp_from = None if ramp_from < 0 else ramp_from


def _pull_back(parameters: list[Tensor], start: list[Tensor], part: float) -> None:
    """Move every weight a little of the way back: what the clip does not need stays as it was, so edits still work."""
    with torch.no_grad():
        torch._foreach_lerp_(parameters, start, part)


HARD_STREAM = 0x4A  # sets the draw of hard frames apart from that of the order
PLATEAU_WINDOW = 50  # steps of which the mean loss is compared with that of the 50 before


def _trainable(generator: Generator) -> list[tuple[str, torch.nn.Parameter]]:
    """All weights but the mapping's: pivots are given, so the mapping gets no gradient."""
    return [(name, p) for name, p in generator.named_parameters() if not name.startswith("mapping") and p.requires_grad]


def _coarse_exit(generator: Generator, config: TuneConfig, size: int) -> int:
    """The lowest exit of at least half the final size and `config.coarse_size`, else the final size."""
    return next((e for e in generator.exits if e >= min(config.coarse_size, size)), size)
