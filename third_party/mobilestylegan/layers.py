"""The pieces of the synthesis network: affine styles, modulated convolutions, the inverse Haar wavelet."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2  # of every leaky ReLU


def inverse_haar(bands: Tensor) -> Tensor:
    """Doubles height and width: one level of the inverse 2-D Haar transform.

    Args:
        bands: [B, 4 * C, H, W]; channels 0..C-1 are the low band, channel C + 3 * c + k is band k of channel c
            (k = 0: differences down the rows, 1: along the rows, 2: both).
    Returns: [B, C, 2 * H, 2 * W].
    """
    batch, channels, height, width = bands.shape
    low = bands[:, : channels // 4]
    rows, columns, both = bands[:, channels // 4 :].view(batch, channels // 4, 3, height, width).unbind(2)
    # The filters are [r, r] and [r, -r] with r * r = 0.5: sums and differences, halved once.
    plus, minus = (low + rows) * 0.5, (low - rows) * 0.5
    across, skew = (columns + both) * 0.5, (columns - both) * 0.5
    quads = torch.stack((plus + across, plus - across, minus + skew, minus - skew), dim=2)
    return F.pixel_shuffle(quads.flatten(1, 2), 2)


def haar(image: Tensor) -> Tensor:
    """Halves height and width: what `inverse_haar` undoes. [B, C, 2 * H, 2 * W] -> [B, 4 * C, H, W]."""
    batch, channels, height, width = image.shape
    a, b, c, d = (  # top left, top right, bottom left, bottom right of every 2 x 2 pixels
        F.pixel_unshuffle(image, 2).view(batch, channels, 4, height // 2, width // 2).unbind(2)
    )
    low, rows, columns, both = a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d
    return torch.cat((low, torch.stack((rows, columns, both), dim=2).flatten(1, 2)), dim=1) * 0.5


class Affine(nn.Module):
    """w [B, w_dim] -> style [B, channels]: a linear map times a constant gain that is no parameter."""

    def __init__(self, w_dim: int, channels: int, gain: float) -> None:
        super().__init__()
        self.gain = gain
        self.weight = nn.Parameter(torch.randn(channels, w_dim) / w_dim**0.5)
        self.bias = nn.Parameter(torch.ones(channels))

    def forward(self, w: Tensor) -> Tensor:
        style = F.linear(w, self.weight, self.bias)
        return style if self.gain == 1 else style * self.gain


class StyledConv(nn.Module):
    """Style, full convolution (odd kernel), noise constant, bias, leaky ReLU: [B, C, H, W] -> [B, O, H, W]."""

    noise: Tensor

    def __init__(self, w_dim: int, channels: int, out_channels: int, size: int, kernel: int = 3) -> None:
        super().__init__()
        self.affine = Affine(w_dim, channels, (channels * kernel**2) ** -0.5)
        self.weight = nn.Parameter(torch.randn(out_channels, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("noise", torch.randn(1, 1, size, size) * 0.1)

    def forward(self, x: Tensor, w: Tensor, use_noise: bool) -> Tensor:
        x = x * self.affine(w)[:, :, None, None]
        x = F.conv2d(x, self.weight, self.bias, padding=self.weight.shape[-1] // 2)
        return F.leaky_relu_(x.add_(self.noise) if use_noise else x, SLOPE)


class SeparableConv(nn.Module):
    """Style, depthwise 3x3, pointwise, noise constant, bias, leaky ReLU: [B, C, H, W] -> [B, O, H, W]."""

    noise: Tensor

    def __init__(self, w_dim: int, channels: int, out_channels: int, size: int) -> None:
        super().__init__()
        self.affine = Affine(w_dim, channels, (channels * 9) ** -0.5)
        self.depthwise = nn.Parameter(torch.randn(channels, 1, 3, 3))
        self.pointwise = nn.Parameter(torch.randn(out_channels, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("noise", torch.randn(1, 1, size, size) * 0.1)

    def forward(self, x: Tensor, w: Tensor, use_noise: bool) -> Tensor:
        batch, channels, height, width = x.shape
        # The style goes into the small depthwise kernels, one set a sample, so that no pass over the picture is
        # spent on it; the samples of a batch become groups.
        kernels = self.affine(w)[:, :, None, None, None] * self.depthwise  # [B, C, 1, 3, 3]
        x = x.reshape(1, batch * channels, height, width)
        x = F.conv2d(x, kernels.flatten(0, 1), padding=1, groups=batch * channels)
        x = F.conv2d(x.view(batch, channels, height, width), self.pointwise, self.bias)
        return F.leaky_relu_(x.add_(self.noise) if use_noise else x, SLOPE)


class WaveletUp(nn.Module):
    """Style, then the inverse Haar wavelet: [B, C, H, W] -> [B, C / 4, 2 * H, 2 * W]."""

    def __init__(self, w_dim: int, channels: int) -> None:
        super().__init__()
        self.affine = Affine(w_dim, channels, 1.0)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return inverse_haar(x * self.affine(w)[:, :, None, None])


class StyledHead(nn.Module):
    """Style, pointwise convolution to 12 wavelet channels, inverse Haar: [B, C, H, W] -> RGB [B, 3, 2 * H, 2 * W]."""

    def __init__(self, w_dim: int, channels: int) -> None:
        super().__init__()
        self.affine = Affine(w_dim, channels, channels**-0.5)
        self.weight = nn.Parameter(torch.randn(12, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(12))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        kernels = self.affine(w)[:, None, :] * self.weight[None, :, :, 0, 0]  # [B, 12, C]
        bands = torch.baddbmm(self.bias[:, None], kernels, x.flatten(2))
        return inverse_haar(bands.view(batch, 12, height, width))


class LinearHead(nn.Module):
    """The same without a style: pointwise convolution, inverse Haar. `w_dim` and `w` are taken and not used."""

    def __init__(self, w_dim: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(12, channels, 1, 1) / channels**0.5)
        self.bias = nn.Parameter(torch.zeros(12))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return inverse_haar(F.conv2d(x, self.weight, self.bias))
