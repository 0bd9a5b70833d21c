"""The ops in plain torch, on any device: the definition of correct, and the fast form on the CPU.

`upfirdn2d` never builds the enlarged picture. Of the samples under the filter only every up-th is not zero, so the
outputs fall into phases, each a small strided depthwise convolution of the picture as it is ("polyphase"). A filter
that is an outer product of longer ones is run along x and then along y.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from stitchedit.cuda_ops._spec import SELU_ALPHA, SELU_SCALE, BiasActSpec, Resampling

_SEPARATE_FROM = 5  # taps; below, one 2-D pass costs less memory traffic than two

Taps = tuple[tuple[float, ...], ...]


def upfirdn2d(x: Tensor, f: Tensor, spec: Resampling) -> Tensor:
    """Enlarge by zero insertion, pad or crop, filter, keep every down-th sample. Keeps no graph.

    Args:
        x: [N, C, H, W] floating point; half precision is computed in float32.
        f: [fh, fw], or [taps] for a filter applied along x and then along y; float32, any device.
    Returns: [N, C, H', W'] of x's type, H' = (H * up + pad - fh) // down + 1.
    """
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    if f.ndim == 1:
        row: Taps = (tuple(f.tolist()),)
        column: Taps | None = _transpose(row)
        factor = math.sqrt(spec.gain)
    else:
        row, column, factor = _split(tuple(map(tuple, f.tolist())), spec.gain)
    row = _as_correlation(row, factor, spec.flip_filter)
    if column is None:
        return _polyphase(wide, row, spec.up, spec.down, spec.pad).to(x.dtype)
    column = _as_correlation(column, factor, spec.flip_filter)
    px0, px1, py0, py1 = spec.pad
    wide = _polyphase(wide, row, (spec.up[0], 1), (spec.down[0], 1), (px0, px1, 0, 0))
    return _polyphase(wide, column, (1, spec.up[1]), (1, spec.down[1]), (0, 0, py0, py1)).to(x.dtype)


def upfirdn2d_by_definition(x: Tensor, f: Tensor, spec: Resampling) -> Tensor:
    """The same by the book: insert the zeros, pad, convolve everything, throw away. For checks; slow and large."""
    if f.ndim == 1:
        f = torch.outer(f.double(), f.double())  # in float32 it would be less exact than the two passes are
    n, c, h, w = x.shape
    (ux, uy), (dx, dy) = spec.up, spec.down
    big = x.new_zeros(n, c, h, uy, w, ux)
    big[:, :, :, 0, :, 0] = x
    big = padded(big.reshape(n, c, h * uy, w * ux), spec.pad)
    f = f.to(x) * spec.gain
    if not spec.flip_filter:
        f = f.flip([0, 1])
    return F.conv2d(big, f.expand(c, 1, *f.shape), groups=c)[:, :, ::dy, ::dx]


def bias_act(x: Tensor, b: Tensor | None, spec: BiasActSpec) -> Tensor:
    """clamp(activation(x + b) * gain), plainly; differentiable to any order by autograd."""
    y = x if b is None else x + _along(b, x, spec.dim)
    y = _activate(y, spec)
    if spec.gain != 1:
        y = y * spec.gain
    return y if spec.clamp is None else y.clamp(-spec.clamp, spec.clamp)


def bias_act_forward(x: Tensor, b: Tensor | None, spec: BiasActSpec) -> Tensor:
    """`bias_act` in as few passes over memory as torch has, for use without a graph."""
    if spec.act.name not in ("linear", "relu", "lrelu") or spec.gain < 0:
        return bias_act(x, b, spec)
    # These three are positively homogeneous, so the gain can go first and the rest is done in place.
    y = x * spec.gain if b is None else torch.add(_along(b * spec.gain, x, spec.dim), x, alpha=spec.gain)
    if spec.act.name == "relu":
        y = y.relu_()
    elif spec.act.name == "lrelu":
        y = F.leaky_relu_(y, spec.alpha)
    return y if spec.clamp is None else y.clamp_(-spec.clamp, spec.clamp)


def bias_act_grad(dy: Tensor, x: Tensor | None, b: Tensor | None, y: Tensor | None, spec: BiasActSpec) -> Tensor:
    """dy times the first derivative of `bias_act` at x. x or y is given as the activation's `keeps` says, y if clamped.

    For use without a graph.
    """
    name = spec.act.name
    if name in ("relu", "lrelu"):
        assert y is not None
        # The sign of y is that of x + b, turned round by a negative gain.
        slope = spec.alpha if name == "lrelu" else 0.0
        g = torch.ops.aten.leaky_relu_backward(dy, y if spec.gain > 0 else -y, slope, False).mul_(spec.gain)
        return _unclamped(g, y, spec)
    g = dy * spec.gain if spec.gain != 1 else dy
    if name != "linear":
        assert x is not None
        g = g * _first_derivative(x if b is None else x + _along(b, x, spec.dim), spec)
    return _unclamped(g, y, spec)


def bias_act_grad2(ddx: Tensor, dy: Tensor, x: Tensor, b: Tensor | None, y: Tensor | None, spec: BiasActSpec) -> Tensor:
    """ddx times dy times the second derivative at x, for the activations that are curved."""
    v = x if b is None else x + _along(b, x, spec.dim)
    return _unclamped(ddx * dy * spec.gain * _second_derivative(v, spec), y, spec)


def _along(b: Tensor, x: Tensor, dim: int) -> Tensor:
    return b.reshape([-1 if i == dim else 1 for i in range(x.ndim)])


def _unclamped(g: Tensor, y: Tensor | None, spec: BiasActSpec) -> Tensor:
    if spec.clamp is None:
        return g
    assert y is not None
    return torch.where(y.abs() < spec.clamp, g, torch.zeros_like(g))


def _activate(v: Tensor, spec: BiasActSpec) -> Tensor:
    match spec.act.name:
        case "linear":
            return v
        case "relu":
            return F.relu(v)
        case "lrelu":
            return F.leaky_relu(v, spec.alpha)
        case "tanh":
            return v.tanh()
        case "sigmoid":
            return v.sigmoid()
        case "elu":
            return F.elu(v)
        case "selu":
            return F.selu(v)
        case "softplus":
            return F.softplus(v)
        case "swish":
            return v.sigmoid() * v
    raise AssertionError(spec.act.name)


def _first_derivative(v: Tensor, spec: BiasActSpec) -> Tensor:
    match spec.act.name:
        case "tanh":
            return 1 - v.tanh().square()
        case "sigmoid":
            s = v.sigmoid()
            return s * (1 - s)
        case "elu":
            return v.clamp(max=0).exp()
        case "selu":
            return torch.where(v > 0, SELU_SCALE, SELU_SCALE * SELU_ALPHA * v.clamp(max=0).exp())
        case "softplus":
            return v.sigmoid()
        case "swish":
            s = v.sigmoid()
            return s * (1 + v * (1 - s))
    raise AssertionError(spec.act.name)


def _second_derivative(v: Tensor, spec: BiasActSpec) -> Tensor:
    match spec.act.name:
        case "tanh":
            t = v.tanh()
            return -2 * t * (1 - t.square())
        case "sigmoid":
            s = v.sigmoid()
            return s * (1 - s) * (1 - 2 * s)
        case "elu":
            return torch.where(v > 0, 0.0, v.clamp(max=0).exp())
        case "selu":
            return torch.where(v > 0, 0.0, SELU_SCALE * SELU_ALPHA * v.clamp(max=0).exp())
        case "softplus":
            s = v.sigmoid()
            return s * (1 - s)
        case "swish":
            s = v.sigmoid()
            return s * (1 - s) * (2 + v * (1 - 2 * s))
    raise AssertionError(spec.act.name)


def _transpose(taps: Taps) -> Taps:
    return tuple(zip(*taps, strict=True))


def _as_correlation(taps: Taps, factor: float, flip_filter: bool) -> Taps:
    """The taps in the order in which they meet the samples, times factor."""
    rows = taps if flip_filter else tuple(row[::-1] for row in taps[::-1])
    return tuple(tuple(factor * v for v in row) for row in rows)


@functools.lru_cache(maxsize=64)
def _split(taps: Taps, gain: float) -> tuple[Taps, Taps | None, float]:
    """Taps -> (row, column, factor of each), where they are long and an outer product, else (taps, None, gain)."""
    height, width = len(taps), len(taps[0])
    if min(height, width) < _SEPARATE_FROM or gain <= 0:
        return taps, None, gain
    _, i, j = max((abs(taps[i][j]), i, j) for i in range(height) for j in range(width))
    peak = taps[i][j]
    if peak == 0:
        return taps, None, gain
    row, column = taps[i], tuple(taps[k][j] / peak for k in range(height))
    worst = max(abs(column[k] * row[m] - taps[k][m]) for k in range(height) for m in range(width))
    if worst > 2e-7 * abs(peak):
        return taps, None, gain
    return (row,), _transpose((column,)), math.sqrt(gain)


def _phases(taps: int, up: int, down: int, before: int, outputs: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Of one axis: (first output, outputs, first tap, input sample under it, taps) of every phase that has outputs.

    A phase holds every (up / gcd)-th output; its taps are every up-th, its stride in the input is down / gcd.
    """
    step = up // math.gcd(up, down)
    for first in range(min(step, outputs)):
        at = first * down - before  # enlarged sample under tap 0
        tap = -at % up
        yield first, -(-(outputs - first) // step), tap, (at + tap) // up, max(0, -(-(taps - tap) // up))


@functools.lru_cache(maxsize=64)
def _kernel(taps: Taps, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # kept for callers of both modes
        return torch.tensor(taps, dtype=dtype, device=device)


def _polyphase(
    x: Tensor, taps: Taps, up: tuple[int, int], down: tuple[int, int], pad: tuple[int, int, int, int]
) -> Tensor:
    """Correlation of the enlarged and padded x with taps, every down-th sample of it."""
    n, c, h, w = x.shape
    fh, fw = len(taps), len(taps[0])
    out_h, out_w = Resampling(up, down, pad, True, 1.0).output_size(h, w, fh, fw)
    kernel = _kernel(taps, x.dtype, x.device)
    steps = tuple(u // math.gcd(u, d) for u, d in zip(up, down, strict=True))
    strides = tuple(d // math.gcd(u, d) for u, d in zip(up, down, strict=True))
    rows = list(_phases(fh, up[1], down[1], pad[2], out_h))
    columns = list(_phases(fw, up[0], down[0], pad[0], out_w))
    if steps == (1, 1):
        return _phase(x, kernel, rows[0], columns[0], up, strides)
    y = x.new_empty(n, c, out_h, out_w)
    if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
        y = y.contiguous(memory_format=torch.channels_last)
    for row in rows:
        for column in columns:
            y[:, :, row[0] :: steps[1], column[0] :: steps[0]] = _phase(x, kernel, row, column, up, strides)
    return y


def _phase(
    x: Tensor,
    kernel: Tensor,
    row: tuple[int, int, int, int, int],
    column: tuple[int, int, int, int, int],
    up: tuple[int, int],
    strides: tuple[int, ...],
) -> Tensor:
    c, h, w = x.shape[1:]
    _, out_h, tap_y, y0, fh = row
    _, out_w, tap_x, x0, fw = column
    if fh == 0 or fw == 0:  # the filter is shorter than the factor: these samples see only inserted zeros
        return x.new_zeros(x.shape[0], c, out_h, out_w)
    y1 = y0 + (out_h - 1) * strides[1] + fh  # samples y0..y1 and x0..x1 of x are read, outside of it are zeros
    x1 = x0 + (out_w - 1) * strides[0] + fw
    weight = kernel[tap_y :: up[1], tap_x :: up[0]].expand(c, 1, fh, fw)
    pad_y, pad_x = _even(y0, y1, h), _even(x0, x1, w)
    if pad_y is None or pad_x is None:
        x = padded(x, (-x0, x1 - w, -y0, y1 - h))
        pad_y = pad_x = 0
    return F.conv2d(x, weight, padding=(pad_y, pad_x), stride=(strides[1], strides[0]), groups=c)


def _even(start: int, stop: int, size: int) -> int | None:
    """The padding, if it is the same on both sides, so that the convolution can do it without a copy."""
    return -start if start <= 0 and stop - size == -start else None


def padded(x: Tensor, pad: tuple[int, int, int, int]) -> Tensor:
    """Zeros around x, (x0, x1, y0, y1); negative numbers crop, also zeros just added on the other side."""
    if any(p > 0 for p in pad):
        x = F.pad(x, [max(0, p) for p in pad])
    x0, x1, y0, y1 = (max(0, -p) for p in pad)
    return x[:, :, y0 : x.shape[2] - y1, x0 : x.shape[3] - x1]
