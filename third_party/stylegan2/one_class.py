"""A generator with labels -> the generator of one of its classes, which has none: every network here takes z alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stitchedit.errors import ConfigError
from stitchedit.stylegan2.rosinality import mean_w

if TYPE_CHECKING:
    from stitchedit.stylegan2.checkpoints import Checkpoint

_EMBED = ("mapping.embed.weight", "mapping.embed.bias")


def one_class(checkpoint: Checkpoint, label: int | None = None) -> Checkpoint:
    """The checkpoint, or of a generator with labels that of one class, exact up to rounding.

    What the embedded label gives to the first layer of the mapping network is always the same for a class: it goes into
    that layer's bias. The mean of w is then that of the class, from 10,000 samples.

    Args:
        label: the class, from 0; None: 0, where there are classes.
    Raises: ConfigError, when there is no such class.
    """
    classes = int(checkpoint.config.get("c_dim", 0)) if checkpoint.role == "generator" else 0
    if not classes:
        if label is not None:
            raise ConfigError(f"class {label} is asked for, but the file holds no generator with classes")
        return checkpoint
    chosen = label or 0
    if not 0 <= chosen < classes:
        raise ConfigError(f"class {chosen} is asked for, the generator has {classes}", f"give 0 to {classes - 1}")
    state = _without_labels(checkpoint.state, chosen)
    note = f"class {chosen} of {classes}{'' if label is not None else ': --class N takes another'}"
    config = {**checkpoint.config, "c_dim": 0}
    return replace(checkpoint, config=config, state=state, notes=(*checkpoint.notes, note))


def _without_labels(state: Mapping[str, Tensor], label: int) -> dict[str, Tensor]:
    weight, bias = state["mapping.fc0.weight"].double(), state["mapping.fc0.bias"].double()
    embed, start = (state[name].double() for name in _EMBED)
    embedded = embed[:, label] / math.sqrt(embed.shape[1]) + start
    embedded = embedded * torch.rsqrt(embedded.square().mean() + 1e-8)
    z_dim, both = weight.shape[1] - len(embedded), weight.shape[1]
    # A layer divides by the root of how many numbers come in: fewer do now.
    out = {name: tensor for name, tensor in state.items() if name not in _EMBED}
    out["mapping.fc0.weight"] = (weight[:, :z_dim] * math.sqrt(z_dim / both)).float().contiguous()
    out["mapping.fc0.bias"] = (bias + weight[:, z_dim:] @ embedded / math.sqrt(both)).float()
    out["mapping.w_avg"] = mean_w(out)
    return out
