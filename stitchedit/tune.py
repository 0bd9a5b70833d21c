"""Latents -> a generator tuned on the clip: pivotal tuning (PTI).

The pivots stay, the generator's weights move until every frame comes out right: one generator for the whole clip, so
that what it learns of the person serves all frames alike.
Source: Roich et al. 2021, arXiv:2106.05744; for video Tzaban et al. 2022, arXiv:2201.08361.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
    the rest at `size`. Frames come in random order, each once before any twice. The rate falls to zero over the last
    part of the budget; a plateau ends the level part early.

    Args:
        resume: a state that `save` was given earlier; the run goes on exactly from there.
        save: called every `config.checkpoint_every` steps with the whole state of the run.
    Returns: the curve of losses, in the order of the steps.
    """
    parameters = [p for _, p in _trainable(generator)]
    optimizer = torch.optim.Adam(parameters, lr=config.lr, betas=(0.9, 0.999))
    ws = torch.from_numpy(latents.ws).to(generator.w_avg.device)
    count, coarse = len(batches), _coarse_exit(generator, config, size)
    run = _Run.resume(resume, generator, optimizer) if resume else _Run()
    while run.step < run.budget(config):
        step = run.step
        for group in optimizer.param_groups:
            group["lr"] = config.lr * run.rate(config)
        picks = (
            shuffled(count, min(config.frames_per_step, count), step, seed)
            if config.shuffle
            else [(step * config.frames_per_step + i) % count for i in range(config.frames_per_step)]
        )
        now = coarse if step < config.coarse_part * config.steps else size
        target, weight = batches.images(picks, now), batches.weights(picks, now)
        image = generator.synthesis(ws[picks], resolution=now)
        l2 = (image - target).square() if weight is None else (image - target).square() * weight
        look_size = min(now, config.perceptual_size)
        with torch.no_grad():
            wanted = perceptual.features(shrink(target, look_size))
        look = perceptual.distance(
            perceptual.features(shrink(image, look_size)), wanted, None if weight is None else shrink(weight, look_size)
        )
        loss = config.l2_weight * l2.mean() + config.perceptual_weight * look.mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        run.record(loss.item(), l2.mean().item(), look.mean().item(), config)
        progress("tune", run.step, run.budget(config), f"loss {loss.item():.4f}")
        if save is not None and run.step % config.checkpoint_every == 0:
            save(run.state(generator, optimizer))
    return TuneReport(
        torch.tensor(run.curve), "budget" if run.ramp_from is None else f"plateau at step {run.ramp_from}"
    )


class _Run:
    """Where a tuning stands: its step, its curve, and where the final ramp began."""

    def __init__(self) -> None:
        self.step = 0
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

    def record(self, total: float, l2: float, look: float, config: TuneConfig) -> None:
        self.curve.append([total, l2, look])
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
        state["ramp_from"] = torch.tensor([-1 if self.ramp_from is None else self.ramp_from])
        return state

    @classmethod
    def resume(cls, state: Mapping[str, Tensor], generator: Generator, optimizer: torch.optim.Adam) -> _Run:
        prefix = "generator."
        generator.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
        for name, parameter in _trainable(generator):
            if f"exp_avg.{name}" in state:
                optimizer.state[parameter] = {
                    "step": state[f"adam_step.{name}"].reshape(()),
                    "exp_avg": state[f"exp_avg.{name}"].to(parameter.device),
                    "exp_avg_sq": state[f"exp_avg_sq.{name}"].to(parameter.device),
                }
        run = cls()
        run.curve = state["curve"].tolist()
        run.step = len(run.curve)
        ramp_from = int(state["ramp_from"].item())
        run.ramp_from = None if ramp_from < 0 else ramp_from
        return run


PLATEAU_WINDOW = 50  # steps of which the mean loss is compared with that of the 50 before


def _trainable(generator: Generator) -> list[tuple[str, torch.nn.Parameter]]:
    """All weights but the mapping's: pivots are given, so the mapping gets no gradient."""
    return [(name, p) for name, p in generator.named_parameters() if not name.startswith("mapping") and p.requires_grad]


def _coarse_exit(generator: Generator, config: TuneConfig, size: int) -> int:
    """The lowest exit of at least half the final size and `config.coarse_size`, else the final size."""
    return next((e for e in generator.exits if e >= min(config.coarse_size, size)), size)
