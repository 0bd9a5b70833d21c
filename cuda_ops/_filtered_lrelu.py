"""filtered_lrelu in plain torch: its definition, the form that the processor runs, and its gradients.

    y = down(clamp(leaky_relu(up(x + b)) * gain))

The activation works on the enlarged picture, four to sixteen times as large as x. Both forms of the gradient make that
picture again from x instead of keeping it, some channels at a time: at 1024 px a layer of 32 channels keeps 137 MB in
place of 690.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from stitchedit.cuda_ops import _phases, reference
from stitchedit.cuda_ops._spec import FilteredLreluSpec, Resampling, filter_size

_CACHED_ELEMENTS = 1 << 20  # of the enlarged picture, worked on at a time between trips to memory: 4 MiB


class Runs(Protocol):
    """What runs filtered_lrelu: this module or the kernels. No graph is kept; b is None where there is no bias."""

    def filtered_lrelu(self, x: Tensor, b: Tensor | None, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec) -> Tensor:
        """The op itself."""
        ...

    def filtered_lrelu_grad(
        self, dy: Tensor, x: Tensor, b: Tensor | None, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec
    ) -> Tensor:
        """dy, a gradient of the output -> that of x."""
        ...

    def filtered_lrelu_grad2(
        self, ddx: Tensor, x: Tensor, b: Tensor | None, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec
    ) -> Tensor:
        """ddx, a gradient of the first gradient -> that of dy: the op with slopes as they are at x, linear in ddx."""
        ...


def by_definition(x: Tensor, b: Tensor | None, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec) -> Tensor:
    """The op by the book, differentiable to any order by autograd. For checks; slow and large."""
    if b is not None:
        x = x + b[:, None, None]
    x = reference.upfirdn2d_by_definition(x, fu, spec.enlarge)
    x = F.leaky_relu(x, spec.slope) * spec.gain
    if spec.clamp is not None:
        x = x.clamp(-spec.clamp, spec.clamp)
    return reference.upfirdn2d_by_definition(x, fd, spec.shrink)


def filtered_lrelu(x: Tensor, b: Tensor | None, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec) -> Tensor:
    """See `Runs`."""
    if _phases.fits(x, fu, fd, spec):
        return _by_phases(x, b, fu, fd, spec, None, back=False)

    def work(x: Tensor, b: Tensor | None) -> Tensor:
        big = F.leaky_relu_(_enlarged(x, b, fu, spec), spec.slope)
        if spec.clamp is not None:
            big = big.clamp_(-spec.clamp, spec.clamp)
        return reference.upfirdn2d(big, fd, spec.shrink)

    return _by_channels(work, x, b, spec)


def filtered_lrelu_grad(
    dy: Tensor, x: Tensor, b: Tensor | None, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec
) -> Tensor:
    """See `Runs`."""
    if _phases.fits(x, fu, fd, spec):
        return _by_phases(x, b, fu, fd, spec, dy, back=True)
    back_down, back_up = transposed(x, fu, fd, spec)

    def work(x: Tensor, dy: Tensor, b: Tensor | None) -> Tensor:
        big = _sloped(reference.upfirdn2d(dy, fd, back_down), _enlarged(x, b, fu, spec), spec)
        return reference.upfirdn2d(big, fu, back_up)

    return _by_channels(work, x, b, spec, dy)


def filtered_lrelu_grad2(
    ddx: Tensor, x: Tensor, b: Tensor | None, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec
) -> Tensor:
    """See `Runs`."""
    if _phases.fits(x, fu, fd, spec):
        return _by_phases(x, b, fu, fd, spec, ddx, back=False)

    def work(x: Tensor, ddx: Tensor, b: Tensor | None) -> Tensor:
        big = _sloped(reference.upfirdn2d(ddx, fu, spec.enlarge), _enlarged(x, b, fu, spec), spec)
        return reference.upfirdn2d(big, fd, spec.shrink)

    return _by_channels(work, x, b, spec, ddx)


def transposed(x: Tensor, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec) -> tuple[Resampling, Resampling]:
    """The passes of a gradient: from the output's size to the enlarged one, and from there to that of x."""
    large, _ = spec.sizes(x, fu, fd)
    back_down = spec.shrink.transposed(*large, *filter_size(fd)[::-1])
    return back_down, spec.enlarge.transposed(x.shape[2], x.shape[3], *filter_size(fu)[::-1])


def _by_phases(
    x: Tensor, b: Tensor | None, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec, s: Tensor | None, *, back: bool
) -> Tensor:
    """`_phases.run`, half precision computed in float32."""
    wide = torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype
    bias, gradient = (None if t is None else t.to(wide) for t in (b, s))
    return _phases.run(x.to(wide), bias, fu, fd, spec, gradient, back).to(x.dtype)


def _enlarged(x: Tensor, b: Tensor | None, fu: Tensor, spec: FilteredLreluSpec) -> Tensor:
    """up(x + b) times the activation's gain, which is positive and so may go first."""
    if b is not None:
        x = x + b[:, None, None]
    return reference.upfirdn2d(x, fu, spec.enlarge._replace(gain=spec.enlarge.gain * spec.gain))


def _sloped(g: Tensor, big: Tensor, spec: FilteredLreluSpec) -> Tensor:
    """g times the activation's derivative, `big` being what `_enlarged` gives; both may be overwritten."""
    g = torch.ops.aten.leaky_relu_backward(g, big, spec.slope, False).mul_(spec.gain)
    if spec.clamp is None:
        return g
    return g.masked_fill_((big >= spec.clamp) | (big * spec.slope <= -spec.clamp), 0)


def _by_channels(
    work: Callable[..., Tensor], x: Tensor, b: Tensor | None, spec: FilteredLreluSpec, *more: Tensor
) -> Tensor:
    """`work` on x, further pictures and the bias, a few channels at a time."""
    step = max(1, _CACHED_ELEMENTS // max(1, x.shape[0] * x.shape[2] * x.shape[3] * spec.up[0] * spec.up[1]))
    if step >= x.shape[1]:
        return work(x, *more, b)
    parts: list[Tensor] = []
    for c in range(0, x.shape[1], step):
        own = None if b is None else b[c : c + step]
        parts.append(work(*(t[:, c : c + step] for t in (x, *more)), own))
    return torch.cat(parts, 1)


class _Op(Function):
    """apply(x, b, fu, fd, spec, run). Keeps x and b."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, b: Tensor | None, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec, run: Runs
    ) -> Tensor:
        ctx.save_for_backward(x, b, fu, fd)
        ctx.spec, ctx.run = spec, run
        return run.filtered_lrelu(x, b, fu, fd, spec)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        need_x, need_b = ctx.needs_input_grad[:2]
        if not need_x and not need_b:
            return (None,) * 6
        dx = _apply_grad(dy, *ctx.saved_tensors, ctx.spec, ctx.run, True)
        return dx if need_x else None, dx.sum((0, 2, 3)) if need_b else None, None, None, None, None


class _Grad(Function):
    """apply(g, x, b, fu, fd, spec, run, back): a gradient on its way back or, without `back`, the gradient of that.

    Both are linear in g, and each is the gradient of the other. With x they change in jumps only: no gradient there.
    """

    @staticmethod
    def forward(ctx: Any, g: Tensor, *rest: Any) -> Tensor:
        *tensors, spec, run, back = rest
        ctx.save_for_backward(*tensors)
        ctx.spec, ctx.run, ctx.back = spec, run, back
        found: Tensor = (run.filtered_lrelu_grad if back else run.filtered_lrelu_grad2)(g, *tensors, spec)
        return found

    @staticmethod
    def backward(ctx: Any, h: Tensor) -> tuple[Tensor | None, ...]:
        need = ctx.needs_input_grad[0]
        return _apply_grad(h, *ctx.saved_tensors, ctx.spec, ctx.run, not ctx.back) if need else None, *(None,) * 7


# `apply` as torch declares it takes and gives anything.
apply_filtered_lrelu: Callable[..., Tensor] = _Op.apply
_apply_grad: Callable[..., Tensor] = _Grad.apply
