"""Gradients of the ops, the same for the kernels and for plain torch.

The gradient of `upfirdn2d` is `upfirdn2d` with up and down exchanged, so any order works. `bias_act` has a first and a
second derivative of its own; a third is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor
from torch.autograd import Function

from stitchedit.cuda_ops._spec import BiasActSpec, Resampling, filter_size


class Implementation(Protocol):
    """What runs one pass: the module `reference` or the kernels."""

    def upfirdn2d(self, x: Tensor, f: Tensor, spec: Resampling) -> Tensor: ...

    def bias_act_forward(self, x: Tensor, b: Tensor | None, spec: BiasActSpec) -> Tensor: ...

    def bias_act_grad(
        self, dy: Tensor, x: Tensor | None, b: Tensor | None, y: Tensor | None, spec: BiasActSpec
    ) -> Tensor: ...

    def bias_act_grad2(
        self, ddx: Tensor, dy: Tensor, x: Tensor, b: Tensor | None, y: Tensor | None, spec: BiasActSpec
    ) -> Tensor: ...


class Upfirdn2d(Function):
    """upfirdn2d.apply(x, f, spec, implementation); f is a constant."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, f: Tensor, spec: Resampling, run: Implementation) -> Tensor:
        ctx.save_for_backward(f)
        fw, fh = filter_size(f)
        ctx.back, ctx.run = spec.transposed(x.shape[2], x.shape[3], fh, fw), run
        return run.upfirdn2d(x, f, spec)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        (f,) = ctx.saved_tensors
        dx = apply_upfirdn2d(dy, f, ctx.back, ctx.run) if ctx.needs_input_grad[0] else None
        return dx, None, None, None


class BiasAct(Function):
    """BiasAct.apply(x, b, spec, implementation). Keeps y, x and b only where the gradient asks for them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, b: Tensor | None, spec: BiasActSpec, run: Implementation) -> Tensor:
        y = run.bias_act_forward(x, b, spec)
        keep_x = spec.act.keeps == "x"
        keep_y = spec.act.keeps == "y" or spec.clamp is not None
        ctx.save_for_backward(x if keep_x else None, b if keep_x else None, y if keep_y else None)
        ctx.spec, ctx.run = spec, run
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, b, y = ctx.saved_tensors
        need_x, need_b = ctx.needs_input_grad[:2]
        if not need_x and not need_b:
            return None, None, None, None
        dx = _apply_grad(dy, x, b, y, ctx.spec, ctx.run)
        db = _sum_but(dx, ctx.spec.dim) if need_b else None
        return dx if need_x else None, db, None, None


class BiasActGrad(Function):
    """First derivative; its own gradient is that of the second derivative."""

    @staticmethod
    def forward(
        ctx: Any,
        dy: Tensor,
        x: Tensor | None,
        b: Tensor | None,
        y: Tensor | None,
        spec: BiasActSpec,
        run: Implementation,
    ) -> Tensor:
        curved = spec.act.curved
        ctx.save_for_backward(dy if curved else None, x, b, y)
        ctx.spec, ctx.run = spec, run
        return run.bias_act_grad(dy, x, b, y, spec)

    @staticmethod
    def backward(ctx: Any, ddx: Tensor) -> tuple[Tensor | None, ...]:
        dy, x, b, y = ctx.saved_tensors
        ddy = _apply_grad(ddx, x, b, y, ctx.spec, ctx.run) if ctx.needs_input_grad[0] else None
        gx = gb = None
        if ctx.spec.act.curved and (ctx.needs_input_grad[1] or ctx.needs_input_grad[2]):
            gx = _apply_grad2(ddx, dy, x, b, y, ctx.spec, ctx.run)
            gb = _sum_but(gx, ctx.spec.dim) if ctx.needs_input_grad[2] else None
        return ddy, gx, gb, None, None, None


class BiasActGrad2(Function):
    """Second derivative; the end of the line."""

    @staticmethod
    def forward(
        ctx: Any,
        ddx: Tensor,
        dy: Tensor,
        x: Tensor,
        b: Tensor | None,
        y: Tensor | None,
        spec: BiasActSpec,
        run: Implementation,
    ) -> Tensor:
        return run.bias_act_grad2(ddx, dy, x, b, y, spec)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        raise NotImplementedError("bias_act has gradients of the first and second order only")


def _sum_but(x: Tensor, dim: int) -> Tensor:
    return x.sum([i for i in range(x.ndim) if i != dim])


# `apply` as torch declares it takes and gives anything.
apply_upfirdn2d: Callable[..., Tensor] = Upfirdn2d.apply
apply_bias_act: Callable[..., Tensor] = BiasAct.apply
_apply_grad: Callable[..., Tensor] = BiasActGrad.apply
_apply_grad2: Callable[..., Tensor] = BiasActGrad2.apply
