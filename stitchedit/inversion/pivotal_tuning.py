"""Latents -> a generator tuned on the clip, and its pivots: pivotal tuning (PTI).

The generator's weights move until every frame comes out right: one generator for the whole clip, so that what it
learns of the person serves all frames alike. The pivots, which stay in the reference, move along a little: what sets
one frame apart goes into its code, and the weights, left with what all frames share, change less of what an edit does.
Source: Roich et al. 2021, arXiv:2106.05744; for video Tzaban et al. 2022, arXiv:2201.08361.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from stitchedit.config import TuneConfig
from stitchedit.image.arrays import shrink
from stitchedit.inversion.crop_batches import Batches, shuffled
from stitchedit.models.generator import Generator, lowest_exit
from stitchedit.models.optimizer_state import adam_state, restore_adam
from stitchedit.models.perceptual import Perceptual
from stitchedit.models.precision import at_precision
from stitchedit.models.recorded import Recorded
from stitchedit.progress import Progress, silent
from stitchedit.types import Latents

State = dict[str, Tensor]
Save = Callable[[State], None]
Watch = Callable[[int, Sequence[Tensor]], None]  # steps done; a frame's code [L, w_dim] each, as they are now


@dataclass(frozen=True, slots=True)
class TuneReport:
    """What a tuning did, beside changing the generator."""

    curve: Tensor  # losses a step, [steps, 3]: total, L2, perceptual
    ended: str  # why
    pivots: Latents  # as they ended


def tune(
    generator: Generator,
    latents: Latents,
    batches: Batches,
    perceptual: Perceptual,
    config: TuneConfig,
    *,
    size: int,
    seed: int = 0,
    precision: str = "float32",
    resume: Mapping[str, Tensor] | None = None,
    save: Save | None = None,
    watch: Watch | None = None,
    progress: Progress = silent,
) -> TuneReport:
    """Tune `generator` in place, at its exit of `size` pixels, and move the pivots of `latents` with it.

    The first part of the steps runs at the lowest exit that still shows the face well, for a fraction of the cost;
    the rest at `size`. Frames come in random order, those that come out badly more often. The rate falls to zero
    over the last part of the budget; a plateau ends the level part early.

    Args:
        generator: untuned, also when resuming: its weights are where the anchor pulls to.
        precision: of `models.precision`, in which the generator draws for a step.
        resume: a state that `save` was given earlier; the run goes on exactly from there.
        save: called every `config.checkpoint_every` steps with the whole state of the run.
        watch: called after every step; it may draw with the generator, without gradients, and changes nothing.
    Returns: the pivots that go with the generator, and the curve of losses, in the order of the steps.
    """
    weights: list[Tensor] = [p for _, p in _trainable(generator)]
    device = generator.w_avg.device
    # A tensor a frame: the optimiser then counts the steps of each frame by itself.
    codes: list[Tensor] = [
        w.requires_grad_(config.lr_codes > 0) for w in torch.from_numpy(latents.ws.copy()).to(device)
    ]
    count, coarse = len(batches), coarse_exit(generator, config, size)
    # A frame that is drawn once or twice has learned little of where to go, and its neighbours may not be drawn at all.
    rates = [config.lr, config.lr_codes * min(1.0, config.steps / (ENOUGH_DRAWS * count))]
    groups = [{"params": weights, "lr": rates[0]}, {"params": codes, "lr": rates[1]}]
    optimizer = torch.optim.Adam(groups, fused=True)
    frozen = copy.deepcopy(generator).requires_grad_(False) if config.locality else None
    start = [p.detach().clone() for p in weights]
    recorded: dict[int, Recorded] = {}  # by size
    looks = _Looks(perceptual, config)
    run = _Run(count)
    if resume:
        run.resume(resume, generator, codes, optimizer)
    while run.step < run.budget(config):
        step = run.step
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * run.rate(config)
        pick = run.pick(config, seed)
        now = coarse if step < config.coarse_part * config.steps else size
        work = partial(_losses_and_picture, generator, now, perceptual, config)
        inputs = [codes[pick], *_targets(batches, pick, now, config)]
        optimizer.zero_grad()
        if device.type == "cuda" and frozen is None:
            if now not in recorded:
                recorded[now] = Recorded(work, weights)
            with at_precision(generator, precision):  # as it is recorded so it is played
                losses, _ = recorded[now](*inputs)
            loss = losses[0]
        else:
            with at_precision(generator, precision):
                losses, _ = work(*inputs, looks=looks(pick, inputs[1]))
            loss = losses[0]
            if frozen is not None:
                random = torch.Generator().manual_seed(seed * 1_000_003 + step)
                z = torch.randn(1, generator.z_dim, generator=random).to(device)
                loss = loss + locality_loss(generator, frozen, codes[pick].detach()[None], z, perceptual)
            loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if config.anchor > 0:
            _pull_back(weights, start, config.anchor * run.rate(config))
        run.frame_loss[pick] = losses[0].item()
        run.record([loss.item(), *losses[1:].tolist()], config)
        progress("tune", run.step, run.budget(config), f"loss {loss.item():.4f}")
        if watch is not None:
            watch(run.step, codes)
        if save is not None and run.step % config.checkpoint_every == 0:
            save(run.state(generator, codes, optimizer))
    ended = "budget" if run.ramp_from is None else f"plateau at step {run.ramp_from}"
    return TuneReport(torch.tensor(run.curve), ended, Latents(torch.stack(codes).detach().cpu().numpy()))


def _losses_and_picture(
    generator: Generator,
    size: int,
    perceptual: Perceptual,
    config: TuneConfig,
    code: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    looks: list[Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """[3]: total, L2 and perceptual loss of a frame with its code [L, w_dim]; and the picture of the code.

    `looks`: features of the target, where they are known.
    """
    image = generator.synthesis(code[None], resolution=size)
    l2 = (image - target).square() if weight is None else (image - target).square() * weight
    look_size = min(size, config.perceptual_size)
    if looks is None:
        looks = _features(target, perceptual, config)
    look = perceptual.distance(
        perceptual.features(shrink(image, look_size)), looks, None if weight is None else shrink(weight, look_size)
    )[0]
    return torch.stack([config.l2_weight * l2.mean() + config.perceptual_weight * look, l2.mean(), look]), image


def _features(target: Tensor, perceptual: Perceptual, config: TuneConfig) -> list[Tensor]:
    """Features of a frame's crop, which its picture is compared with."""
    with torch.no_grad():
        return perceptual.features(shrink(target, min(target.shape[-1], config.perceptual_size)))


class _Looks:
    """Features of the targets. Those of the frames that were met last are kept, as they are the same at every step."""

    def __init__(self, perceptual: Perceptual, config: TuneConfig) -> None:
        self.perceptual, self.config = perceptual, config
        self.kept: OrderedDict[tuple[int, int], list[Tensor]] = OrderedDict()

    def __call__(self, index: int, target: Tensor) -> list[Tensor]:
        key = index, target.shape[-1]
        if key not in self.kept:
            # Halved, so that twice as many fit: also those of a frame that is met first, for a run to come out alike.
            self.kept[key] = [layer.half() for layer in _features(target, self.perceptual, self.config)]
            while len(self.kept) > 1 and self._bytes() > KEPT_LOOKS:
                self.kept.popitem(last=False)
        self.kept.move_to_end(key)
        return [layer.float() for layer in self.kept[key]]

    def _bytes(self) -> int:
        return sum(layer.nbytes for layers in self.kept.values() for layer in layers)


def _targets(batches: Batches, index: int, size: int, config: TuneConfig) -> list[Tensor]:
    """What a frame's picture is compared with: its crop and, where it is `weighted`, how much each pixel counts."""
    weight = batches.weights([index], size) if config.weighted else None
    return [batches.images([index], size), *([] if weight is None else [weight])]


def mean_loss(
    generator: Generator,
    latents: Latents,
    batches: Batches,
    perceptual: Perceptual,
    config: TuneConfig,
    *,
    size: int,
    frames: Sequence[int],
) -> float:
    """How badly some frames come out of their codes, by the loss that tuning works on; nothing is changed."""
    losses = []
    with torch.no_grad():
        for k in frames:
            code = torch.from_numpy(latents.ws[k]).to(generator.w_avg.device)
            targets = _targets(batches, k, size, config)
            losses.append(float(_losses_and_picture(generator, size, perceptual, config, code, *targets)[0][0]))
    return float(np.mean(losses))


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

    def pick(self, config: TuneConfig, seed: int) -> int:
        """The frame of this step: one from the shuffled order, and one drawn by how badly it came out last, in turn.

        A blink of two frames would else be drawn too rarely to be learned. Before every frame was seen, all are
        drawn in shuffled order.
        """
        count = len(self.frame_loss)
        if not config.shuffle:
            return self.step % count
        turn, hard = divmod(max(self.step - count, 0), 2)
        if not hard:
            return shuffled(count, 1, min(self.step, count) + turn, seed)[0]
        chance = self.frame_loss.square().numpy()
        random = np.random.default_rng((seed, self.step, HARD_STREAM))
        known = 0 < chance.sum() < np.inf  # false for NaN
        return int(random.choice(count, p=chance / chance.sum() if known else None))

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

    def state(self, generator: Generator, codes: Sequence[Tensor], optimizer: torch.optim.Adam) -> State:
        state = {f"generator.{k}": v.detach() for k, v in generator.state_dict().items()}
        state |= {f"codes.{k}": code.detach() for k, code in enumerate(codes)}
        # A block above the coarse exit has none yet, nor a frame that was not drawn.
        state |= adam_state(optimizer, _named(generator, codes))
        state["curve"] = torch.tensor(self.curve, dtype=torch.float64)
        state["frame_loss"] = self.frame_loss
        state["ramp_from"] = torch.tensor([-1 if self.ramp_from is None else self.ramp_from])
        return state

    def resume(
        self, state: Mapping[str, Tensor], generator: Generator, codes: Sequence[Tensor], optimizer: torch.optim.Adam
    ) -> None:
        prefix = "generator."
        generator.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
        with torch.no_grad():
            for k, code in enumerate(codes):
                code.copy_(state[f"codes.{k}"])
        restore_adam(optimizer, _named(generator, codes), state)
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
ENOUGH_DRAWS = 8  # of a frame, from which on its code moves at the full rate
KEPT_LOOKS = 96 << 20  # bytes of target features that are kept: of 26 frames of 512 px, of 100 of 256 px
PLATEAU_WINDOW = 100  # steps of which the mean loss is compared with that of as many before


def _trainable(generator: Generator) -> list[tuple[str, torch.nn.Parameter]]:
    """All weights but the mapping's: pivots are given, so the mapping gets no gradient."""
    return [(name, p) for name, p in generator.named_parameters() if not name.startswith("mapping") and p.requires_grad]


def _named(generator: Generator, codes: Sequence[Tensor]) -> list[tuple[str, Tensor]]:
    """What the optimiser moves, by the names that a checkpoint has for it; a frame's code has its number."""
    return [*_trainable(generator), *((str(k), code) for k, code in enumerate(codes))]


def coarse_exit(generator: Generator, config: TuneConfig, size: int) -> int:
    """The lowest exit of at least half the final size and `config.coarse_size`, else the final size."""
    return lowest_exit(generator, min(config.coarse_size, size))
