"""One level of the 2-D Haar wavelet as plain sums.

Convention: features are channels last, [B, H, W, C]. Bands are [B, H, W, 4 * C]: first the C channels of the low band,
then those of the differences down the rows, along the rows, and of both.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


def inverse_haar(bands: Tensor) -> Tensor:
    """Doubles height and width: bands [B, H, W, 4 * C] -> [B, 2 * H, 2 * W, C]. Differentiable once."""
    return _Synthesis.apply(bands * 0.5)  # type: ignore[no-untyped-call, no-any-return]


def unscaled_inverse_haar(bands: Tensor) -> Tensor:
    """Twice `inverse_haar`: for callers that have a factor to spare on the way in."""
    return _Synthesis.apply(bands)  # type: ignore[no-untyped-call, no-any-return]


def haar(image: Tensor) -> Tensor:
    """Halves height and width, the inverse of `inverse_haar`: [B, 2 * H, 2 * W, C] -> bands [B, H, W, 4 * C]."""
    return _sums_of_pixels(image) * 0.5


class _Synthesis(Function):
    """Sums and differences straight into the result. Autograd's own way would copy every feature twice more."""

    @staticmethod
    def forward(ctx: Any, bands: Tensor) -> Tensor:
        batch, height, width, channels = bands.shape
        low, rows, columns, both = bands.view(batch, height, width, 4, channels // 4).unbind(3)
        out = bands.new_empty(batch, height, 2, width, 2, channels // 4)
        level, across = low + rows, columns + both
        torch.add(level, across, out=out[:, :, 0, :, 0])
        torch.sub(level, across, out=out[:, :, 0, :, 1])
        torch.sub(low, rows, out=level)
        torch.sub(columns, both, out=across)
        torch.add(level, across, out=out[:, :, 1, :, 0])
        torch.sub(level, across, out=out[:, :, 1, :, 1])
        return out.view(batch, 2 * height, 2 * width, channels // 4)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _sums_of_pixels(grad)  # the matrix is symmetric up to its scale


def _sums_of_pixels(image: Tensor) -> Tensor:
    """[B, 2 * H, 2 * W, C] -> twice the bands, [B, H, W, 4 * C]."""
    batch, height, width, channels = image.shape
    pixels = image.contiguous().view(batch, height // 2, 2, width // 2, 2, channels)
    left_top, right_top = pixels[:, :, 0, :, 0], pixels[:, :, 0, :, 1]
    left_bottom, right_bottom = pixels[:, :, 1, :, 0], pixels[:, :, 1, :, 1]
    out = image.new_empty(batch, height // 2, width // 2, 4, channels)
    top, bottom = left_top + right_top, left_bottom + right_bottom
    torch.add(top, bottom, out=out[:, :, :, 0])
    torch.sub(top, bottom, out=out[:, :, :, 1])
    torch.sub(left_top, right_top, out=top)
    torch.sub(left_bottom, right_bottom, out=bottom)
    torch.add(top, bottom, out=out[:, :, :, 2])
    torch.sub(top, bottom, out=out[:, :, :, 3])
    return out.view(batch, height // 2, width // 2, 4 * channels)
