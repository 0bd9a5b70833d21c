"""The pieces of the synthesis network: affine styles, modulated convolutions, the wavelet step, heads.

A layer's `affine` makes its style of a row of ws; what draws takes the style, [B, channels].

Convention: features are channels last, [B, H, W, C]: on a CPU the matrix products of the pointwise convolutions, which
are most of the work, take half the time that they take channels first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stitchedit.mobilestylegan.wavelet import inverse_haar, unscaled_inverse_haar

SLOPE = 0.2  # of every leaky ReLU


def drawn_weights(*shape: int, scale: float = 1.0) -> Tensor:
    """Random numbers of a Gaussian, `scale` times the normal one; on the meta device a tensor of that shape alone.

    Arithmetic there, of numbers that nobody sees, makes torch import its decompositions: two seconds of every start.
    """
    weights = torch.empty(shape)
    return weights if weights.is_meta else weights.normal_(0.0, scale)


class Region(NamedTuple):
    """A part of a square picture or of its features, in their pixels; bottom and right are beyond the last."""

    top: int
    left: int
    bottom: int
    right: int

    def grown(self, reach: int, size: int) -> Region:
        """With `reach` pixels more on every side and to even numbers, as far as there are any."""
        low = (max(0, edge - reach) // 2 * 2 for edge in self[:2])
        high = (min(size, edge + reach + 1) // 2 * 2 for edge in self[2:])
        return Region(*low, *high)

    def halved(self) -> Region:
        """The same region at half the size; its numbers are even."""
        return Region(*(edge // 2 for edge in self))

    def of(self, x: Tensor, rows: int = 1) -> Tensor:
        """That part of features of all; `rows` is the dimension of their rows, before that of their columns."""
        return x.narrow(rows, self.top, self.bottom - self.top).narrow(rows + 1, self.left, self.right - self.left)


def cut(x: Tensor, here: Region | None, wanted: Region | None) -> Tensor:
    """Features [B, h, w, C] of the region `here`, those of `wanted` within it; None: all of them."""
    if here is None or wanted is None or here == wanted:
        return x
    top, left = here[:2]
    return Region(wanted.top - top, wanted.left - left, wanted.bottom - top, wanted.right - left).of(x)


class Affine(nn.Module):
    """w [B, w_dim] -> style [B, channels]: a linear map times a constant gain that is no parameter."""

    def __init__(self, w_dim: int, channels: int, gain: float) -> None:
        super().__init__()
        self.gain = gain
        self.weight = nn.Parameter(drawn_weights(channels, w_dim, scale=w_dim**-0.5))
        self.bias = nn.Parameter(torch.ones(channels))

    def forward(self, w: Tensor) -> Tensor:
        return F.linear(w, self.weight, self.bias) * self.gain


class StyledConv(nn.Module):
    """Style, full convolution (odd kernel), noise constant, bias, leaky ReLU: [B, S, S, C] -> [B, S, S, O]."""

    noise: Tensor

    def __init__(self, w_dim: int, channels: int, out_channels: int, size: int, kernel: int = 3) -> None:
        super().__init__()
        self.affine = Affine(w_dim, channels, (channels * kernel**2) ** -0.5)
        self.weight = nn.Parameter(drawn_weights(out_channels, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("noise", drawn_weights(1, 1, size, size, scale=0.1))

    def forward(self, x: Tensor, style: Tensor, use_noise: bool) -> Tensor:
        x = (x * style[:, None, None, :]).permute(0, 3, 1, 2)
        x = F.conv2d(x, self.weight, self.bias, padding=self.weight.shape[-1] // 2)
        return F.leaky_relu_(x.add_(self.noise) if use_noise else x, SLOPE).permute(0, 2, 3, 1)


class SeparableConv(nn.Module):
    """Style, depthwise 3x3, pointwise, noise constant, bias, leaky ReLU: [B, S, S, C] -> [B, S, S, O].

    Of a region alone, the outermost pixels come out wrong where the picture goes on: what lies beyond is taken for 0.
    """

    noise: Tensor

    def __init__(self, w_dim: int, channels: int, out_channels: int, size: int) -> None:
        super().__init__()
        self.affine = Affine(w_dim, channels, (channels * 9) ** -0.5)
        self.depthwise = nn.Parameter(drawn_weights(channels, 1, 3, 3))
        self.pointwise = nn.Parameter(drawn_weights(out_channels, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("noise", drawn_weights(1, 1, size, size, scale=0.1))

    def forward(self, x: Tensor, style: Tensor, use_noise: bool, region: Region | None = None) -> Tensor:
        batch, height, width, channels = x.shape
        x = F.conv2d(x.permute(0, 3, 1, 2), self.depthwise, padding=1, groups=channels)
        x = x.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        # A style on the channels is the same before and after a depthwise convolution; put into the pointwise
        # weights it costs no pass over the features. The product is added onto noise and bias for the same reason.
        matrix = style[:, :, None] * self.pointwise[:, :, 0, 0].T  # [B, C, O]
        if use_noise:
            noise = self.noise if region is None else region.of(self.noise, 2)
            offset = noise.reshape(1, -1, 1) + self.bias  # [1, S * S, O], new: nobody minds what happens to it
            x = offset.baddbmm_(x, matrix) if batch == 1 else torch.baddbmm(offset, x, matrix)
        else:
            x = torch.baddbmm(self.bias, x, matrix)
        return F.leaky_relu_(x, SLOPE).view(batch, height, width, -1)


class WaveletUp(nn.Module):
    """Style, then the inverse Haar wavelet: [B, S, S, C] -> [B, 2 * S, 2 * S, C / 4]."""

    def __init__(self, w_dim: int, channels: int) -> None:
        super().__init__()
        self.affine = Affine(w_dim, channels, 1.0)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        return unscaled_inverse_haar(x * (0.5 * style)[:, None, None, :])


class StyledHead(nn.Module):
    """Style, pointwise convolution to 12 wavelet channels, inverse Haar: [B, S, S, C] -> RGB [B, 3, 2 * S, 2 * S]."""

    def __init__(self, w_dim: int, channels: int) -> None:
        super().__init__()
        self.affine = Affine(w_dim, channels, channels**-0.5)
        self.weight = nn.Parameter(drawn_weights(12, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(12))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        return _image(x, style[:, :, None] * self.weight[:, :, 0, 0].T, self.bias)


class BlockExit(nn.Module):
    """A short way out of a block: separable convolutions of its own, and a styled head.

    Takes what the block's wavelet gives, [B, 2 * S, 2 * S, C / 4], and the styles of `styles`; gives RGB
    [B, 3, 4 * S, 4 * S].

    Args:
        channels: of the block's input, C.
        widths: channels that each convolution gives.
        size: pixels at which they work, 2 * S.
    """

    def __init__(self, w_dim: int, channels: int, widths: Sequence[int], size: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            SeparableConv(w_dim, taken, given, size) for taken, given in pairwise((channels // 4, *widths))
        )
        self.head = StyledHead(w_dim, widths[-1])

    def styles(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """Of one row of ws [B, w_dim] for each convolution and one for the head."""
        return [layer.affine(row) for layer, row in zip([*self.convs, self.head], rows, strict=True)]

    def forward(
        self,
        x: Tensor,
        styles: Sequence[Tensor],
        use_noise: bool,
        here: Region | None = None,
        wanted: Region | None = None,
    ) -> Tensor:
        """`here`: the region that x is of; `wanted`: that of which the image is wanted, both at 2 * S; None: all."""
        for conv, style in zip(self.convs, styles[:-1], strict=True):
            x = conv(x, style, use_noise, here)
        image: Tensor = self.head(cut(x, here, wanted), styles[-1])
        return image


def _image(x: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
    """Features [B, S, S, C] times [B, C, 12] plus [12] -> image [B, 3, 2 * S, 2 * S]."""
    bands = torch.baddbmm(bias, x.flatten(1, 2), matrix).view(*x.shape[:3], 12)
    return inverse_haar(bands).permute(0, 3, 1, 2).contiguous()
