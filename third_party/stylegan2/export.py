"""Generators back in the names of other projects' checkpoints. Both ways are exact: reading gives the same bits."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from stitchedit.errors import Refused
from stitchedit.stylegan2.layout import is_stylegan2
from stitchedit.stylegan2.rosinality import nvidia_to_rosinality


class HasState(Protocol):
    """A network; `StyleGAN2` is one."""

    def state_dict(self) -> dict[str, Tensor]: ...


def export_nvidia(generator: HasState) -> dict[str, Tensor]:
    """The state dict of NVIDIA's `G_ema`, parameters and buffers, on the CPU.

    A .pkl of theirs carries their source text beside; give these to `load_state_dict` of a network built by it.

    Raises: ValueError, for a generator that is no StyleGAN2.
    """
    state = {name: tensor.detach().cpu() for name, tensor in generator.state_dict().items()}
    if not is_stylegan2(state):
        raise ValueError("only a StyleGAN2 generator can be exported")
    return state


def export_rosinality(generator: HasState) -> dict[str, dict[str, Tensor] | Tensor]:
    """What rosinality's `convert_weight.py` writes: {"g_ema": state dict, "latent_avg": [w_dim]}, for `torch.save`.

    Raises: ValueError, for a generator that is no StyleGAN2, has labels, or has another architecture than skip.
    """
    try:
        state, mean = nvidia_to_rosinality(export_nvidia(generator))
    except Refused as exc:
        raise ValueError(str(exc)) from exc
    return {"g_ema": state, "latent_avg": mean}
