"""upfirdn2d, bias_act and filtered_lrelu, the ops that StyleGAN2 and 3 are made of: plain torch, or own CUDA kernels.

    y = upfirdn2d(x, setup_filter([1, 3, 3, 1]), up=2, padding=(2, 1, 2, 1), gain=4)
    y = bias_act(y, b, act="lrelu")
    y = filtered_lrelu(y, fu=fu, fd=fd, b=b, up=2, down=2, padding=(11, 10, 11, 10), clamp=256)

`impl="auto"` runs the kernels on CUDA input, built at the first such call, and `reference` on any other input or where
the build failed (one warning says why); "cuda" raises `OpsBuildError` where they cannot be had; "ref" is always there.
Meanings, argument names and default gains are those of NVIDIA stylegan2-ada-pytorch and stylegan3, `torch_utils/ops`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from stitchedit.cuda_ops import _filtered_lrelu, reference
from stitchedit.cuda_ops._autograd import Implementation, apply_bias_act, apply_upfirdn2d
from stitchedit.cuda_ops._spec import (
    ACTIVATIONS,
    IMPLEMENTATIONS,
    BiasActSpec,
    FilteredLreluSpec,
    Resampling,
    filter_size,
    parse_factor,
    parse_padding,
)
from stitchedit.errors import OpsBuildError

__all__ = [
    "ACTIVATIONS",
    "bias_act",
    "downsample2d",
    "filter2d",
    "filtered_lrelu",
    "setup_filter",
    "upfirdn2d",
    "upsample2d",
]

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_SEPARABLE_TAPS = 8  # a 1-D filter of at least so many taps stays 1-D


def setup_filter(
    f: Tensor | Sequence[float] | Sequence[Sequence[float]] | float | None,
    *,
    normalize: bool = True,
    flip_filter: bool = False,
    gain: float = 1.0,
    separable: bool | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Make a filter for `upfirdn2d`.

    Args:
        f: taps, 1-D or 2-D; a number or None is one tap.
        normalize: divide by the sum, so that the filter keeps the mean.
        flip_filter: turn it round.
        gain: of the whole filter on a picture; a 1-D filter, used twice, gets its root.
        separable: keep a 1-D filter 1-D; by default from 8 taps on.
    Returns: float32, [fh, fw], or [taps] for a filter to be run along x and then y.
    Raises: ValueError for an empty filter, more than two dimensions, or a 2-D filter called separable.
    """
    taps = torch.as_tensor(1.0 if f is None else f, dtype=torch.float32, device=device)
    if taps.ndim > 2 or taps.numel() == 0:
        raise ValueError(f"a filter has one or two dimensions and at least one tap, not shape {list(taps.shape)}")
    taps = taps.reshape(1) if taps.ndim == 0 else taps
    if separable is None:
        separable = taps.ndim == 1 and taps.numel() >= _SEPARABLE_TAPS
    if separable and taps.ndim == 2:
        raise ValueError("a separable filter is given as its one-dimensional taps")
    if taps.ndim == 1 and not separable:
        taps = torch.outer(taps, taps)
    if normalize:
        taps = taps / taps.sum()
    if flip_filter:
        taps = taps.flip(list(range(taps.ndim)))
    return taps * math.pow(gain, taps.ndim / 2)


def upfirdn2d(
    x: Tensor,
    f: Tensor | None,
    *,
    up: int | Sequence[int] = 1,
    down: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
    impl: str = "auto",
) -> Tensor:
    """Enlarge by zero insertion, pad or crop, filter with f, keep every down-th sample.

    Args:
        x: pictures, [N, C, H, W], float16, bfloat16, float32 or float64, in any layout. Differentiable to any order.
        f: from `setup_filter`, float32 on x's device; None is one tap of 1. A constant: it gets no gradient.
        up: how often a sample is repeated with zeros between, a number or (x, y).
        down: downsampling factor, a number or (x, y).
        padding: samples of the enlarged picture, a number, (x, y) or (x0, x1, y0, y1); negative numbers crop.
        flip_filter: False convolves, True correlates.
        gain: factor of the whole op.
        impl: "auto", "cuda" or "ref", see the module.
    Returns: [N, C, (H * up + pad - fh) // down + 1, likewise W] of x's type.
    Raises: ValueError for arguments that do not fit together; OpsBuildError with impl="cuda".
    """
    spec = Resampling(parse_factor("up", up), parse_factor("down", down), parse_padding(padding), flip_filter, gain)
    if x.ndim != 4:
        raise ValueError(f"x must be [N, C, H, W], not of shape {list(x.shape)}")
    if f is None:
        f = torch.ones(1, 1, device=x.device)
    if f.ndim not in (1, 2) or f.dtype != torch.float32 or f.numel() == 0:
        raise ValueError(f"f must be a float32 filter of one or two dimensions, not {f.dtype} {list(f.shape)}")
    if f.requires_grad:
        raise ValueError("f is a constant: it cannot require a gradient")
    _check(x, f, impl)
    fw, fh = filter_size(f)
    height, width = spec.output_size(x.shape[2], x.shape[3], fh, fw)
    if height < 1 or width < 1:
        raise ValueError(f"nothing is left of {list(x.shape)} with up={up}, padding={padding} and {fw}x{fh} taps")
    return apply_upfirdn2d(x, f, spec, _implementation(x, impl))


def bias_act(
    x: Tensor,
    b: Tensor | None = None,
    *,
    dim: int = 1,
    act: str = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
    impl: str = "auto",
) -> Tensor:
    """clamp(act(x + b) * gain), with first and second gradients in x and b.

    Args:
        x: float16, bfloat16, float32 or float64, any shape and layout.
        b: [x.shape[dim]] of x's type, added along dim; None adds nothing.
        act: a name of `ACTIVATIONS`.
        alpha: slope of "lrelu" below zero, not negative; other activations ignore it.
        gain: after the activation; by default the root of 2 for relu, lrelu and swish, else 1.
        clamp: limits the result to [-clamp, clamp]; None does not.
        impl: "auto", "cuda" or "ref", see the module.
    Raises: ValueError for arguments that do not fit together; OpsBuildError with impl="cuda".
    """
    if act not in ACTIVATIONS:
        raise ValueError(f"unknown activation {act!r}, known are {', '.join(ACTIVATIONS)}")
    known = ACTIVATIONS[act]
    alpha = known.alpha if alpha is None else float(alpha)
    if act == "lrelu" and alpha < 0:
        raise ValueError(f"alpha must not be negative, it is {alpha}")
    if clamp is not None and clamp < 0:
        raise ValueError(f"clamp must not be negative, it is {clamp}")
    if b is not None:
        if not 0 <= dim < x.ndim or b.shape != (x.shape[dim],):
            raise ValueError(f"b of shape {list(b.shape)} does not fit dimension {dim} of {list(x.shape)}")
        if b.dtype != x.dtype:
            raise ValueError(f"x and b must have the same type, not {x.dtype} and {b.dtype}")
    _check(x, b, impl)
    spec = BiasActSpec(known, dim, alpha, known.gain if gain is None else float(gain), clamp)
    return apply_bias_act(x, b, spec, _implementation(x, impl))


def filtered_lrelu(
    x: Tensor,
    fu: Tensor | None = None,
    fd: Tensor | None = None,
    b: Tensor | None = None,
    *,
    up: int = 1,
    down: int = 1,
    padding: int | Sequence[int] = 0,
    gain: float = math.sqrt(2),
    slope: float = 0.2,
    clamp: float | None = None,
    flip_filter: bool = False,
    impl: str = "auto",
) -> Tensor:
    """Add b, enlarge with fu, leaky ReLU times gain, clamp, shrink with fd: an activation that makes no aliases.

    Args:
        x: pictures, [N, C, H, W], float16, bfloat16, float32 or float64. First and second gradients in x and b.
        fu, fd: float32 filters, [taps] or [fh, fw], for `upfirdn2d`; None is one tap of 1. Constants.
        b: [C] of x's type, added where the picture is, not to the padding; None adds nothing.
        up, down: factors of the two resamplings; the first keeps the brightness.
        padding: as for `upfirdn2d`, of the enlarged picture.
        gain: after the activation, positive. slope: of the leaky ReLU below zero, not negative.
        clamp: limits the activation to [-clamp, clamp]; None does not.
    Returns: [N, C, (H * up + pad - (fuh - 1) - (fdh - 1) + down - 1) // down, likewise W] of x's type.
    Raises: ValueError for arguments that do not fit together; OpsBuildError with impl="cuda".
    Source: filtered_lrelu of NVIDIA stylegan3, Karras et al. 2021, arXiv:2106.12423.
    """
    if x.ndim != 4:
        raise ValueError(f"x must be [N, C, H, W], not of shape {list(x.shape)}")
    if b is not None and (b.shape != (x.shape[1],) or b.dtype != x.dtype):
        raise ValueError(f"b must be {x.dtype} [{x.shape[1]}], not {b.dtype} {list(b.shape)}")
    if gain <= 0 or slope < 0 or (clamp is not None and clamp < 0):
        raise ValueError(f"gain must be positive, slope and clamp not negative: {gain}, {slope}, {clamp}")
    filters = []
    for f in (fu, fd):
        f = torch.ones(1, 1, device=x.device) if f is None else f
        if f.ndim not in (1, 2) or f.dtype != torch.float32 or f.numel() == 0 or f.requires_grad:
            raise ValueError(f"a filter must be a constant, float32 [taps] or [fh, fw], not {f.dtype} {list(f.shape)}")
        _check(x, f, impl)
        filters.append(f)
    _check(x, b, impl)
    factors = parse_factor("up", up), parse_factor("down", down)
    spec = FilteredLreluSpec(*factors, parse_padding(padding), float(slope), float(gain), clamp, flip_filter)
    large, size = spec.sizes(x, *filters)
    if min(*large, *size) < 1:
        raise ValueError(f"nothing is left of {list(x.shape)} with up={up}, down={down} and padding={padding}")
    run = _implementation(x, impl)
    own = _filtered_lrelu if run is reference else run
    return _filtered_lrelu.apply_filtered_lrelu(x, b, *filters, spec, own)


def filter2d(
    x: Tensor,
    f: Tensor,
    *,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
    impl: str = "auto",
) -> Tensor:
    """`upfirdn2d` that keeps the size: padding is on top of what the filter needs."""
    x0, x1, y0, y1 = parse_padding(padding)
    fw, fh = filter_size(f)
    pad = (x0 + fw // 2, x1 + (fw - 1) // 2, y0 + fh // 2, y1 + (fh - 1) // 2)
    return upfirdn2d(x, f, padding=pad, flip_filter=flip_filter, gain=gain, impl=impl)


def upsample2d(
    x: Tensor,
    f: Tensor,
    *,
    up: int | Sequence[int] = 2,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
    impl: str = "auto",
) -> Tensor:
    """`upfirdn2d` to up times the size, at the same brightness."""
    ux, uy = parse_factor("up", up)
    x0, x1, y0, y1 = parse_padding(padding)
    fw, fh = filter_size(f)
    pad = (x0 + (fw + ux - 1) // 2, x1 + (fw - ux) // 2, y0 + (fh + uy - 1) // 2, y1 + (fh - uy) // 2)
    return upfirdn2d(x, f, up=(ux, uy), padding=pad, flip_filter=flip_filter, gain=gain * ux * uy, impl=impl)


def downsample2d(
    x: Tensor,
    f: Tensor,
    *,
    down: int | Sequence[int] = 2,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
    impl: str = "auto",
) -> Tensor:
    """`upfirdn2d` to one down-th of the size."""
    dx, dy = parse_factor("down", down)
    x0, x1, y0, y1 = parse_padding(padding)
    fw, fh = filter_size(f)
    pad = (x0 + (fw - dx + 1) // 2, x1 + (fw - dx) // 2, y0 + (fh - dy + 1) // 2, y1 + (fh - dy) // 2)
    return upfirdn2d(x, f, down=(dx, dy), padding=pad, flip_filter=flip_filter, gain=gain, impl=impl)


def _check(x: Tensor, other: Tensor | None, impl: str) -> None:
    if impl not in IMPLEMENTATIONS:
        raise ValueError(f"impl must be one of {', '.join(IMPLEMENTATIONS)}, not {impl!r}")
    if x.dtype not in _FLOATS:
        raise ValueError(f"x must be a floating point tensor, not {x.dtype}")
    if other is not None and other.device != x.device:
        raise ValueError(f"all tensors must be on one device, not {x.device} and {other.device}")


def _implementation(x: Tensor, impl: str) -> Implementation:
    plain = cast(Implementation, reference)
    if impl == "ref" or (impl == "auto" and not x.is_cuda):
        return plain
    if not x.is_cuda:
        raise ValueError('impl="cuda" needs tensors on a CUDA device')
    from stitchedit.cuda_ops import _kernels  # a machine without CUDA never loads it

    try:
        return _kernels.load(x.device)
    except OpsBuildError as exc:
        if impl == "cuda":
            raise
        _warn_once(str(exc))
        return plain


_warned: set[str] = set()


def _warn_once(cause: str) -> None:
    if cause not in _warned:
        _warned.add(cause)
        warnings.warn(f"{cause}; plain torch is used instead, which is slower", RuntimeWarning, stacklevel=4)
