"""z to w: the mapping network of StyleGAN3, and of StyleGAN2, which has more layers in it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from stitchedit.cuda_ops import bias_act


class FullyConnected(nn.Module):
    """Linear layer with weights stored at unit variance and scaled when used.

    Args:
        activation: a name of `cuda_ops.ACTIVATIONS`.
        lr_multiplier: the stored numbers are larger by its inverse, so that they learn more slowly.
        bias_init: the bias in use at the start.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: str = "linear",
        lr_multiplier: float = 1.0,
        bias_init: float = 0.0,
    ) -> None:
        super().__init__()
        self.activation = activation
        weight = torch.randn(out_features, in_features)
        if lr_multiplier != 1 and not weight.is_meta:  # arithmetic there makes torch import for seconds
            weight /= lr_multiplier
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.full([out_features], bias_init / lr_multiplier))
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """[B, in] -> [B, out]."""
        bias = self.bias if self.bias_gain == 1 else self.bias * self.bias_gain
        if self.activation == "linear":
            return torch.addmm(bias, x, self.weight.t(), alpha=self.weight_gain)
        return bias_act(torch.mm(x, self.weight.t() * self.weight_gain), bias, act=self.activation)


class MappingNetwork(nn.Module):
    """z, and a label where the network has labels, to w.

    Attributes:
        w_avg: [w_dim], mean of mapped samples; where truncation pulls to.
    """

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int,
        *,
        num_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        activation: str = "lrelu",
        lr_multiplier: float = 0.01,
        w_avg_beta: float = 0.995,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.num_ws, self.num_layers = z_dim, c_dim, num_ws, num_layers
        self.w_avg_beta = w_avg_beta
        embedded = (w_dim if embed_features is None else embed_features) if c_dim else 0
        hidden = w_dim if layer_features is None else layer_features
        widths = [z_dim + embedded, *[hidden] * (num_layers - 1), w_dim]
        if c_dim:
            self.embed = FullyConnected(c_dim, embedded)
        for i in range(num_layers):
            layer = FullyConnected(widths[i], widths[i + 1], activation=activation, lr_multiplier=lr_multiplier)
            self.add_module(f"fc{i}", layer)
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        update_w_avg: bool = False,
    ) -> Tensor:
        """z [B, z_dim] (and c [B, c_dim]) -> ws [B, num_ws, w_dim].

        Args:
            truncation_psi: 1 keeps w, 0 gives w_avg, in the first truncation_cutoff rows (all where None).
            update_w_avg: move w_avg toward this batch's mean, as training from scratch does.
        Raises: ValueError, when the label is missing or the shapes do not fit.
        """
        if z.ndim != 2 or z.shape[1] != self.z_dim:
            raise ValueError(f"z must be [B, {self.z_dim}], not {list(z.shape)}")
        x = _unit_variance(z.float())
        if self.c_dim:
            if c is None or c.shape != (z.shape[0], self.c_dim):
                raise ValueError(f"this network needs labels c of shape [{z.shape[0]}, {self.c_dim}]")
            x = torch.cat([x, _unit_variance(self.embed(c.float()))], dim=1)
        for i in range(self.num_layers):
            x = self.get_submodule(f"fc{i}")(x)
        if update_w_avg:
            self.w_avg.copy_(x.detach().mean(0).lerp(self.w_avg, self.w_avg_beta))
        ws = x[:, None].expand(-1, self.num_ws, -1)
        if truncation_psi == 1:
            return ws.contiguous()
        cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
        return torch.cat([self.w_avg.lerp(ws[:, :cutoff], truncation_psi), ws[:, cutoff:]], dim=1)


def _unit_variance(x: Tensor) -> Tensor:
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
