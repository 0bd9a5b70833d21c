"""The identity-changing step: a direction that depends on the clip and on a seed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stitchedit.errors import DirectionError
from stitchedit.types import Latents

log = logging.getLogger(__name__)


def identity_step(data: Mapping[str, NDArray[Any]], latents: Latents, seed: int) -> NDArray[np.float64]:
    """The step from the clip's person to one who does not exist, [w_dim].

    The seed draws three mixtures of two stored people; the one who is reached most easily is taken. The whole way to
    that person's code would bring hat and background along. Gone is only the likeliest step that leads toward the same
    linear reading of the identity embedding, just far enough, with pose, expression, age, gender, skin and light as
    the clip has them.

    Args:
        data: persons [P, w_dim] and their mean [w_dim]; embed [E, w_dim], the linear reading of the embedding;
            lead [w_dim, E], the step for its change; cost [E, E], that step's squared Mahalanobis length;
            enough [], how far the reading is to change; aside [w_dim], added always, against glasses.
            See `stitchedit.learning.linear_regression.likeness`.
        latents: the clip's pivots.
        seed: any integer.
    """
    here = np.asarray(latents.ws, np.float64).mean((0, 1))
    persons, mean = data["persons"].astype(np.float64), data["mean"].astype(np.float64)
    embed, lead = data["embed"].astype(np.float64), data["lead"].astype(np.float64)
    cost, enough = data["cost"].astype(np.float64), float(data["enough"])
    rng = np.random.default_rng([seed & 0xFFFFFFFF, 0x1D])
    steps, lengths = [], []
    for _ in range(3):
        first, second = rng.choice(len(persons), 2, replace=False)
        # Two deviations at right angles mix to a third of the same spread: the weights' squares sum to one.
        person = mean + 0.8 * (persons[first] - mean) + 0.6 * (persons[second] - mean)
        change = embed @ (person - here)
        step = lead @ change
        scale = enough / max(float(np.linalg.norm(embed @ step)), 1e-6)
        steps.append(scale * step)
        lengths.append(scale * float(np.sqrt(change @ cost @ change)))
    best = int(np.argmin(lengths))
    log.debug("identity: Mahalanobis lengths %s, took %d", np.round(lengths, 1), best)
    chosen: NDArray[np.float64] = steps[best] + data["aside"].astype(np.float64)
    return chosen


# direction -> what works its step out of its file's arrays, the clip's pivots and the seed
FUNCTIONS: dict[str, Callable[[Mapping[str, NDArray[Any]], Latents, int], NDArray[np.float64]]] = {
    "identity": identity_step
}


@cache
def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """What a direction's .npz holds. Raises DirectionError."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError) as exc:
        raise DirectionError(f"cannot read {path}: {exc}", "install stitchedit again") from exc
