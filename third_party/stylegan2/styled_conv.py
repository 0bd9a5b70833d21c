"""A styled layer on the CPU: modulated 3x3 convolution, noise, bias and leaky ReLU, made to be tuned.

At 1024 px a layer's picture is 128 MiB: passes over memory and fresh memory cost as much as arithmetic. So

* weights are scaled, a set a sample, never pictures; the activation's gain goes into weights, noise and bias;
* noise, bias and activation are done in place on the convolution's result, channel by channel while it is in cache;
* between forward and backward only the layer's input and output are kept: the output's sign tells the slope;
* after a transposed convolution the filter runs as a depthwise convolution, its gradient likewise.

The formulas are those of `layers.SynthesisLayer` in its plain form, and gradients of gradients go through it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from stitchedit.cuda_ops import upfirdn2d
from stitchedit.stylegan2 import winograd
from stitchedit.stylegan2.conv import DEMODULATION_EPS, conv2d_resample

_CACHED_ELEMENTS = 1 << 20  # worked on at a time between trips to memory: 4 MiB


class StyledConv(NamedTuple):
    """What a layer is beside its tensors."""

    up: int  # 1 or 2
    gain: float  # after the activation, positive
    slope: float  # of the leaky ReLU, positive
    clamp: float | None


def styled_conv(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    bias: Tensor,
    noise: Tensor | None,
    strength: Tensor | None,
    f: Tensor,
    spec: StyledConv,
) -> Tensor:
    """clamp(leaky_relu(convolution + noise * strength + bias) * gain).

    Args:
        x: [B, Cin, r, r] on the CPU.
        weight: [Cout, Cin, 3, 3]; styles: [B, Cin]; bias: [Cout].
        noise: [B or 1, 1, r * up, r * up] or None; strength: scalar.
        f: filter after the transposed convolution where up is 2, from `setup_filter`.
    Returns: [B, Cout, r * up, r * up].
    """
    w: Tensor = _Modulate.apply(weight, styles, spec.gain)  # type: ignore[no-untyped-call]
    y: Tensor = _Layer.apply(x, w, bias, noise, strength, f, spec)  # type: ignore[no-untyped-call]
    return y


class _Modulate(Function):
    """weight [Cout, Cin, 3, 3], styles [B, Cin] -> gain * weight * style, each output channel brought to norm gain."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, styles: Tensor, gain: float) -> Tensor:
        power = weight.square().sum((2, 3))  # [Cout, Cin]
        factors = (styles.square() @ power.t() + DEMODULATION_EPS).rsqrt()  # [B, Cout]
        ctx.save_for_backward(weight, styles, power, factors)
        ctx.gain = gain
        return weight * _scales(styles, factors, gain)

    @staticmethod
    def backward(ctx: Any, gw: Tensor) -> tuple[Tensor | None, ...]:
        weight, styles, power, factors = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *_through_plain(_plain_modulate, (weight, styles), (ctx.gain,), gw, ctx.needs_input_grad), None
        # w = gain * weight * s * d, d = (s^2 . power + eps)^(-1/2); along = gain * <gw, weight> per (Cout, Cin)
        along = (gw * weight).sum((3, 4)).mul_(ctx.gain)  # [B, Cout, Cin]
        g_sum = (along * styles[:, None, :]).sum(2) * factors.pow(3) * -0.5  # [B, Cout], gradient of s^2 . power
        g_styles = (along * factors[:, :, None]).sum(1).addcmul_(styles, g_sum @ power, value=2)
        g_power = g_sum.t() @ styles.square()  # [Cout, Cin]
        g_weight = _sum_samples(gw * _scales(styles, factors, ctx.gain))
        return g_weight.addcmul_(weight, g_power[:, :, None, None], value=2), g_styles, None


def _scales(styles: Tensor, factors: Tensor, gain: float) -> Tensor:
    return (styles[:, None, :] * (factors * gain)[:, :, None])[:, :, :, None, None]  # [B, Cout, Cin, 1, 1]


def _plain_modulate(weight: Tensor, styles: Tensor, gain: float) -> Tensor:
    factors = (styles.square() @ weight.square().sum((2, 3)).t() + DEMODULATION_EPS).rsqrt()
    return weight * _scales(styles, factors, gain)


class _Layer(Function):
    """x, weights [B, Cout, Cin, 3, 3] of each sample, bias, noise and its strength -> the layer's output."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        w: Tensor,
        bias: Tensor,
        noise: Tensor | None,
        strength: Tensor | None,
        f: Tensor,
        spec: StyledConv,
    ) -> Tensor:
        samples = []
        for i in range(len(x)):
            y = _convolve(x[i : i + 1], w[i], f, spec.up)
            own = None if noise is None or strength is None else noise[i % len(noise)] * (strength * spec.gain)
            samples.append(_finish(y, own, bias * spec.gain, spec))
        y = _join(samples)
        ctx.save_for_backward(x, w, bias, noise, strength, f, y)
        ctx.spec = spec
        return y

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:
        x, w, bias, noise, strength, f, y = ctx.saved_tensors
        spec: StyledConv = ctx.spec
        need = ctx.needs_input_grad
        if torch.is_grad_enabled():
            return *_through_plain(_plain_layer, (x, w, bias, noise, strength), (f, spec), gy, need), None, None
        g_x: list[Tensor] = []
        g_w: list[Tensor] = []
        g_bias = torch.zeros_like(bias) if need[2] else None
        g_noise = torch.zeros_like(noise) if need[3] else None
        g_strength = torch.zeros_like(strength) if need[4] else None
        for i in range(len(x)):
            # The sign of y is that of what went into the leaky ReLU.
            g = torch.ops.aten.leaky_relu_backward(gy[i : i + 1], y[i : i + 1], spec.slope, False)
            if spec.clamp is not None:
                g.masked_fill_(y[i : i + 1].abs() >= spec.clamp, 0)
            if g_bias is not None:
                g_bias.add_(g.sum((0, 2, 3)), alpha=spec.gain)
            if g_strength is not None:
                own = noise[i % len(noise)].flatten()
                g_strength.add_(torch.mv(g[0].flatten(1), own).sum(), alpha=spec.gain)
            if g_noise is not None:
                g_noise[i % len(noise)].add_(g[0].sum(0, keepdim=True) * (strength * spec.gain))
            g_xi, g_wi = _convolve_back(g, x[i : i + 1], w[i], f, spec.up, need[0], need[1])
            if g_xi is not None:
                g_x.append(g_xi)
            if g_wi is not None:
                g_w.append(g_wi)
        return (
            _join(g_x) if g_x else None,
            torch.stack(g_w) if g_w else None,
            g_bias,
            g_noise,
            g_strength,
            None,
            None,
        )


def _convolve(x: Tensor, w: Tensor, f: Tensor, up: int) -> Tensor:
    """x [1, Cin, r, r], w [Cout, Cin, 3, 3] -> [1, Cout, r * up, r * up]."""
    if up == 1:
        return winograd.convolve(x, w) if winograd.pays(x, w) else F.conv2d(x, w, padding=1)
    y = F.conv_transpose2d(x, w.transpose(0, 1), stride=2)  # 2r + 1 wide
    return upfirdn2d(y, f, padding=_filter_padding(f), gain=4)


def _convolve_back(
    g: Tensor, x: Tensor, w: Tensor, f: Tensor, up: int, need_x: bool, need_w: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of `_convolve` in x and w."""
    if up == 1 and winograd.pays(x, w, backward=True):
        return winograd.gradients(g, x, w, need_x, need_w)
    need = [need_x, need_w, False]
    if up == 1:
        g_x, g_w, _ = torch.ops.aten.convolution_backward(g, x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, need)
        return g_x, g_w
    before, after = _filter_padding(f)[:2]
    taps = f.shape[-1]
    pad = (taps - 1 - before, taps - 1 - after) * 2
    g = upfirdn2d(g, f, padding=pad, flip_filter=True, gain=4)
    g_x, g_w, _ = torch.ops.aten.convolution_backward(
        g, x, w.transpose(0, 1), None, [2, 2], [0, 0], [1, 1], True, [0, 0], 1, need
    )
    return g_x, None if g_w is None else g_w.transpose(0, 1)


def _filter_padding(f: Tensor) -> tuple[int, int, int, int]:
    """What makes 2r of the 2r + 1 samples of the transposed convolution, as in `conv.conv2d_resample`."""
    taps = f.shape[-1]
    before, after = (taps + 1) // 2 - 1, (taps - 2) // 2
    return before, after, before, after


def _finish(y: Tensor, noise: Tensor | None, bias: Tensor, spec: StyledConv) -> Tensor:
    """Noise [1, r, r], bias and activation, in place on y [1, C, r, r], a few channels at a time."""
    step = max(1, _CACHED_ELEMENTS // y[0, 0].numel())
    for c in range(0, y.shape[1], step):
        part = y[0, c : c + step]
        part.add_(bias[c : c + step, None, None])
        if noise is not None:
            part.add_(noise)
        F.leaky_relu_(part, spec.slope)
        if spec.clamp is not None:
            part.clamp_(-spec.clamp, spec.clamp)
    return y


def _plain_layer(
    x: Tensor,
    w: Tensor,
    bias: Tensor,
    noise: Tensor | None,
    strength: Tensor | None,
    f: Tensor,
    spec: StyledConv,
) -> Tensor:
    """`_Layer` by ops that autograd knows."""
    flat = x.reshape(1, -1, *x.shape[2:])
    y = conv2d_resample(flat, w.flatten(0, 1), f, up=spec.up, padding=1, groups=len(x), flip_weight=spec.up == 1)
    y = y.reshape(len(x), -1, *y.shape[2:]) + bias[:, None, None] * spec.gain
    if noise is not None and strength is not None:
        y = y + noise * (strength * spec.gain)
    y = F.leaky_relu(y, spec.slope)
    return y if spec.clamp is None else y.clamp(-spec.clamp, spec.clamp)


def _through_plain(
    plain: Callable[..., Tensor],
    tensors: Sequence[Tensor | None],
    settings: tuple[object, ...],
    gy: Tensor,
    need: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """Gradients that can be differentiated again: those of the plain form."""
    wanted = [t for t, n in zip(tensors, need, strict=False) if t is not None and n]
    y = plain(*tensors, *settings)
    found = iter(torch.autograd.grad(y, wanted, gy, create_graph=True))
    return tuple(next(found) if t is not None and n else None for t, n in zip(tensors, need, strict=False))


def _join(samples: Sequence[Tensor]) -> Tensor:
    return samples[0] if len(samples) == 1 else torch.cat(list(samples))


def _sum_samples(x: Tensor) -> Tensor:
    return x[0] if len(x) == 1 else x.sum(0)
