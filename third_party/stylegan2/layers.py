"""The layers of StyleGAN2. Names of parameters and buffers are those of NVIDIA's G_ema."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stitchedit.cuda_ops import ACTIVATIONS, bias_act, setup_filter
from stitchedit.stylegan2.conv import conv2d_resample, modulated_conv2d
from stitchedit.stylegan2.styled_conv import StyledConv, styled_conv
from stitchedit.stylegan3.mapping import FullyConnected


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, activation; optionally twice the size.

    Args:
        resolution: pixels of the output's side.
        conv_clamp: limit of the output's absolute value, None for none.
        use_noise: whether the layer has noise at all.
    """

    noise_const: Tensor
    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        *,
        up: int = 1,
        activation: str = "lrelu",
        resample_filter: Sequence[float] = (1, 3, 3, 1),
        conv_clamp: float | None = None,
        use_noise: bool = True,
    ) -> None:
        super().__init__()
        self.resolution, self.up, self.activation, self.conv_clamp = resolution, up, activation, conv_clamp
        self.use_noise = use_noise
        self.affine = FullyConnected(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("resample_filter", setup_filter(resample_filter))
        if use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros([]))

    def forward(
        self, x: Tensor, styles: Tensor, noise: Tensor | None, *, gain: float = 1.0, fused: bool = True
    ) -> Tensor:
        """x [B, Cin, r, r], styles [B, Cin], noise [r, r] or [B or 1, 1, r, r] before its strength, None for none."""
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        total = ACTIVATIONS[self.activation].gain * gain
        if self.activation == "lrelu" and _has_own_form(x):
            spec = StyledConv(self.up, total, ACTIVATIONS["lrelu"].alpha, clamp)
            if noise is not None and noise.ndim == 2:
                noise = noise[None, None]
            strength = None if noise is None else self.noise_strength
            return styled_conv(x, self.weight, styles, self.bias, noise, strength, self.resample_filter, spec)
        x = modulated_conv2d(
            x,
            self.weight,
            styles,
            up=self.up,
            padding=1,
            resample_filter=self.resample_filter,
            flip_weight=self.up == 1,
            fused=fused,
        )
        if noise is not None:
            x = x + (noise * self.noise_strength).to(x.dtype)
        return bias_act(x, self.bias.to(x.dtype), act=self.activation, gain=total, clamp=clamp)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to the picture's channels; no demodulation, noise or activation."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, *, conv_clamp: float | None = None) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = FullyConnected(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.weight_gain = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, styles: Tensor) -> Tensor:
        """x [B, C, r, r], styles [B, C] as the affine layer gives them -> [B, 3, r, r]."""
        batch, channels, height, width = x.shape
        # One small matrix a sample: a 1x1 convolution to three channels is badly served by convolution kernels.
        w = self.weight[:, :, 0, 0] * (styles * self.weight_gain)[:, None, :]  # [B, 3, C]
        y = torch.bmm(w.to(x.dtype), x.reshape(batch, channels, height * width)).reshape(batch, -1, height, width)
        return bias_act(y, self.bias.to(x.dtype), clamp=self.conv_clamp)


class SkipConv(nn.Module):
    """1x1 convolution to twice the size, beside a block of the resnet architecture."""

    resample_filter: Tensor

    def __init__(self, in_channels: int, out_channels: int, *, resample_filter: Sequence[float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.register_buffer("resample_filter", setup_filter(resample_filter))
        self.weight_gain = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, *, gain: float = 1.0) -> Tensor:
        """[B, Cin, r, r] -> [B, Cout, 2r, 2r]."""
        w = (self.weight * (self.weight_gain * gain)).to(x.dtype)
        return conv2d_resample(x, w, self.resample_filter, up=2, flip_weight=False)


def _has_own_form(x: Tensor) -> bool:
    """Whether `styled_conv` is for such a picture."""
    return x.device.type == "cpu"
