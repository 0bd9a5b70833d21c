"""The state of an Adam optimiser as named tensors, as checkpoints hold it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

Named = Iterable[tuple[str, Tensor]]  # what the optimiser moves, by the names that the checkpoint has for it


def adam_state(optimizer: torch.optim.Adam, named: Named) -> dict[str, Tensor]:
    """`exp_avg.NAME`, `exp_avg_sq.NAME` and `adam_step.NAME` [1], float, of every tensor that was moved already.

    The moments are the optimiser's own tensors, no copies.
    """
    state = {}
    for name, parameter in named:
        moments = optimizer.state.get(parameter)
        if moments:  # none before a tensor's first gradient
            state[f"exp_avg.{name}"], state[f"exp_avg_sq.{name}"] = moments["exp_avg"], moments["exp_avg_sq"]
            state[f"adam_step.{name}"] = moments["step"].reshape(1).float()
    return state


def restore_adam(optimizer: torch.optim.Adam, named: Named, state: Mapping[str, Tensor]) -> None:
    """Take over what `adam_state` gave; tensors that it does not name keep what they have."""
    for name, parameter in named:
        if f"exp_avg.{name}" in state:
            optimizer.state[parameter] = {  # a fused one counts where the parameter is
                "step": state[f"adam_step.{name}"].reshape(()).to(parameter.device),
                "exp_avg": state[f"exp_avg.{name}"].to(parameter.device),
                "exp_avg_sq": state[f"exp_avg_sq.{name}"].to(parameter.device),
            }
