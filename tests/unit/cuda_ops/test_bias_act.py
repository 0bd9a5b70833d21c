"""bias_act: the form in use against the plain one, its gradients, its arguments."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stitchedit.cuda_ops import ACTIVATIONS, bias_act, reference
from stitchedit.cuda_ops._spec import BiasActSpec

OPTIONS: list[dict[str, Any]] = [{}, {"gain": 1.7, "clamp": 0.6}, {"gain": -0.5}, {"alpha": 0.35, "clamp": 2.0}]


def numbers(*shape: int, seed: int = 0) -> Tensor:
    """Random, in float64, none of them near zero, where relu and its like have no derivative."""
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x + 0.05 * x.sign()


def plainly(x: Tensor, b: Tensor | None, act: str, dim: int = 1, **options: Any) -> Tensor:
    known = ACTIVATIONS[act]
    spec = BiasActSpec(
        known, dim, options.get("alpha", known.alpha), options.get("gain", known.gain), options.get("clamp")
    )
    return reference.bias_act(x, b, spec)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("with_bias", [True, False])
def test_values_and_gradients_equal_the_plain_form(act: str, options: dict[str, Any], with_bias: bool) -> None:
    x = numbers(2, 5, 3, 4).requires_grad_()
    b = numbers(5, seed=1).mul(0.01).requires_grad_() if with_bias else None
    dy = numbers(2, 5, 3, 4, seed=2)
    inputs = [t for t in (x, b) if t is not None]
    y, expected = bias_act(x, b, act=act, **options), plainly(x, b, act, **options)
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
    for got, want in zip(torch.autograd.grad(y, inputs, dy), torch.autograd.grad(expected, inputs, dy), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("options", OPTIONS[:2], ids=str)
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_first_and_second_gradient(act: str, options: dict[str, Any]) -> None:
    x, b = numbers(2, 3, 2).requires_grad_(), (numbers(3, seed=1) * 0.01).requires_grad_()

    def run(x: Tensor, b: Tensor) -> Tensor:
        return bias_act(x, b, act=act, **options)

    assert gradcheck(run, (x, b))
    assert gradgradcheck(run, (x, b))


def test_second_gradient_with_a_penalty_on_the_first() -> None:
    """The way a gradient penalty uses it: through the bias and through the input at once."""
    for act in ACTIVATIONS:
        results = []
        for run in (bias_act, plainly):
            x, b = numbers(4, 3).requires_grad_(), numbers(3, seed=1).requires_grad_()
            (dx,) = torch.autograd.grad(run(x, b, act=act).square().sum(), x, create_graph=True)  # type: ignore[operator]
            results.append(torch.autograd.grad(dx.square().sum(), (x, b)))
        for got, want in zip(*results, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)


def test_third_gradient_is_refused() -> None:
    x = numbers(3, 2).requires_grad_()
    (first,) = torch.autograd.grad(bias_act(x, act="tanh").sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="second order"):
        torch.autograd.grad(second.sum(), x)


@pytest.mark.parametrize("dim", [0, 1, 2, 3])
def test_bias_along_any_dimension(dim: int) -> None:
    x = numbers(2, 3, 4, 5)
    b = numbers(x.shape[dim], seed=1).requires_grad_()
    shape = [-1 if i == dim else 1 for i in range(4)]
    y = bias_act(x, b, dim=dim)
    assert torch.equal(y, x + b.reshape(shape))
    y.sum().backward()
    assert b.grad is not None
    assert torch.equal(b.grad, torch.full_like(b, x.numel() / x.shape[dim]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_types(dtype: torch.dtype) -> None:
    x = numbers(2, 3, 4).to(dtype)
    y = bias_act(x, torch.zeros(3, dtype=dtype), act="lrelu")
    assert y.dtype == dtype
    torch.testing.assert_close(y, plainly(x.float(), None, "lrelu").to(dtype), rtol=2e-2, atol=2e-2)


def test_the_input_is_not_changed() -> None:
    x = numbers(2, 3)
    before = x.clone()
    bias_act(x, act="lrelu", gain=1.0, clamp=0.1)
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"act": "mish"}, "unknown activation 'mish', known are linear, relu"),
        ({"act": "lrelu", "alpha": -0.1}, "alpha must not be negative"),
        ({"clamp": -1.0}, "clamp must not be negative"),
        ({"b": torch.zeros(4)}, "does not fit dimension 1"),
        ({"b": torch.zeros(3, dtype=torch.float64)}, "same type"),
        ({"b": torch.zeros(3), "dim": 2}, "does not fit dimension 2"),
        ({"impl": "slow"}, "impl must be"),
        ({"impl": "cuda"}, "needs tensors on a CUDA device"),
    ],
)
def test_bad_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bias_act(torch.zeros(2, 3), **options)
