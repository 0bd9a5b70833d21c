"""A step that does what was asked of it: worked out by linear readings, measured on people, asked again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a step is to move and what it is to hold, by numbers of the readings."""

    taught: Sequence[int]  # whose mean is to move by 1 SD
    held: Sequence[int]
    goal: Floats  # [len(held)] SD by which they are to move, 0 for most
    response: Floats  # [len(held)] how far a reading follows when it is asked, 0..1: its held-out correlation


def asked_step(
    asked: Asked,
    step_of: Callable[[Floats], Floats],
    effect_of: Callable[[Floats], Floats],
    rounds: int,
    tell: Callable[[int, Floats], None] = lambda turn, effect: None,
) -> Floats:
    """The step [w_dim] of the best round; with no round the one that the readings say.

    Args:
        step_of: the step for what is asked, [1 + len(held)] SD: of what is taught, then of those held.
        effect_of: what a step does at strength 1, median over people, SD of every reading.
        rounds: of asking again after the first.
        tell: called with each round and what its step does once scaled.
    """
    wanted = np.concatenate([[1.0], asked.goal])
    best: tuple[float, Floats] | None = None
    taught, held = list(asked.taught), list(asked.held)
    for turn in range(rounds + 1):
        step = step_of(wanted)
        if not rounds:
            return step
        effect = effect_of(step)
        scale = float(np.clip(1 / max(effect[taught].mean(), 0.05), 0.4, 2.5))
        tell(turn, scale * effect)
        miss = float(np.abs(asked.goal - scale * effect[held]).max(initial=0))
        if best is None or miss < best[0]:
            best = miss, scale * step
        wanted[0] *= scale
        wanted[1:] += 0.8 * np.minimum(1, 1.1 * asked.response) * (asked.goal - effect[held])
    assert best is not None
    return best[1]
