"""Convolution together with resampling, and convolution whose weights follow a style."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from stitchedit.cuda_ops import upfirdn2d

DEMODULATION_EPS = 1e-8


def conv2d_resample(
    x: Tensor,
    w: Tensor,
    f: Tensor | None = None,
    *,
    up: int = 1,
    down: int = 1,
    padding: int | Sequence[int] = 0,
    groups: int = 1,
    flip_weight: bool = True,
    flip_filter: bool = False,
) -> Tensor:
    """Enlarge x with filter f, convolve with w, shrink with f; done in the cheapest order.

    Args:
        x: [N, Cin, H, W].
        w: [Cout, Cin / groups, kh, kw].
        f: float32 filter from `setup_filter`; None needs up = down = 1.
        padding: of the enlarged picture before w, a number or (x0, x1, y0, y1); negative numbers crop.
        flip_weight: True correlates (as torch), False convolves.
        flip_filter: the same for f, but False convolves.
    Returns: [N, Cout, H * up / down, likewise W] with the padding that keeps sizes.
    Source: the op of this name in NVIDIA stylegan2-ada-pytorch.
    """
    kh, kw = w.shape[2:]
    x0, x1, y0, y1 = (padding,) * 4 if isinstance(padding, int) else padding
    if f is not None:
        fh, fw = f.shape[0], f.shape[-1]
        if up > 1:
            x0, x1 = x0 + (fw + up - 1) // 2, x1 + (fw - up) // 2
            y0, y1 = y0 + (fh + up - 1) // 2, y1 + (fh - up) // 2
        if down > 1:
            x0, x1 = x0 + (fw - down + 1) // 2, x1 + (fw - down) // 2
            y0, y1 = y0 + (fh - down + 1) // 2, y1 + (fh - down) // 2
    if up > 1:
        # A transposed convolution is a full convolution of the enlarged x: only the part asked for is filtered.
        x = _conv_transpose(x, w, up, groups, flip=flip_weight)
        pad = (x0 - kw + 1, x1 - kw + up, y0 - kh + 1, y1 - kh + up)
        x = upfirdn2d(x, f, padding=pad, gain=up**2, flip_filter=flip_filter)
        return x if down == 1 else upfirdn2d(x, f, down=down, flip_filter=flip_filter)
    if not flip_weight:
        w = w.flip([2, 3])
    if down > 1 and (kh, kw) == (1, 1):
        x = upfirdn2d(x, f, down=down, padding=(x0, x1, y0, y1), flip_filter=flip_filter)
        return F.conv2d(x, w, groups=groups)
    if down > 1:
        x = upfirdn2d(x, f, padding=(x0, x1, y0, y1), flip_filter=flip_filter)
        return F.conv2d(x, w, stride=down, groups=groups)
    if x0 == x1 and y0 == y1 and x0 >= 0 and y0 >= 0:
        return F.conv2d(x, w, padding=(y0, x0), groups=groups)
    return F.conv2d(F.pad(x, (x0, x1, y0, y1)), w, groups=groups)


def _conv_transpose(x: Tensor, w: Tensor, stride: int, groups: int, flip: bool) -> Tensor:
    co, ci, kh, kw = w.shape
    w = w.reshape(groups, co // groups, ci, kh, kw).transpose(1, 2).reshape(groups * ci, co // groups, kh, kw)
    return F.conv_transpose2d(x, w.flip([2, 3]) if flip else w, stride=stride, groups=groups)


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """[B, Cout] factors that bring weight [Cout, Cin, k, k] times styles [B, Cin] back to norm 1 an output channel."""
    power = weight.square().sum([2, 3])  # [Cout, Cin]
    return (styles.square() @ power.t() + DEMODULATION_EPS).rsqrt()


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    *,
    up: int = 1,
    down: int = 1,
    padding: int = 0,
    resample_filter: Tensor | None = None,
    demodulate: bool = True,
    flip_weight: bool = True,
    fused: bool = True,
) -> Tensor:
    """Convolution with weight scaled by each sample's style, and each output channel back to norm 1.

    Args:
        x: [B, Cin, H, W].
        weight: [Cout, Cin, k, k]; styles: [B, Cin].
        fused: scale the weights, one set a sample (grouped convolution), instead of the pictures before and after.
            The results differ by rounding.
    """
    batch, cin = styles.shape
    cout = weight.shape[0]
    if x.dtype == torch.float16 and demodulate:
        # The norm is divided out again: keep squares inside of half precision's range (as NVIDIA does).
        weight = weight * (weight[0].numel() ** -0.5 / weight.norm(float("inf"), dim=[1, 2, 3], keepdim=True))
        styles = styles / styles.norm(float("inf"), dim=1, keepdim=True)
    factors = demodulation(weight, styles) if demodulate else None
    if not fused:
        x = x * styles.to(x.dtype)[:, :, None, None]
        x = conv2d_resample(
            x, weight.to(x.dtype), resample_filter, up=up, down=down, padding=padding, flip_weight=flip_weight
        )
        return x if factors is None else x * factors.to(x.dtype)[:, :, None, None]
    w = weight * styles[:, None, :, None, None]  # [B, Cout, Cin, k, k]
    if factors is not None:
        w = w * factors[:, :, None, None, None]
    x = conv2d_resample(
        x.reshape(1, batch * cin, *x.shape[2:]),
        w.reshape(batch * cout, cin, *weight.shape[2:]).to(x.dtype),
        resample_filter,
        up=up,
        down=down,
        padding=padding,
        groups=batch,
        flip_weight=flip_weight,
    )
    return x.reshape(batch, cout, *x.shape[2:])
