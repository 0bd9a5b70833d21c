"""The CPU's form of a styled layer against the plain one: values, gradients, gradients of gradients."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stitchedit.cuda_ops import bias_act, setup_filter
from stitchedit.stylegan2.conv import modulated_conv2d
from stitchedit.stylegan2.styled_conv import StyledConv, styled_conv

SPECS = [
    StyledConv(1, math.sqrt(2), 0.2, None),
    StyledConv(2, math.sqrt(2), 0.2, None),
    StyledConv(1, 1.0, 0.2, 1.3),
    StyledConv(2, 1.0, 0.1, 0.8),
]


def numbers(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def inputs(
    spec: StyledConv, batch: int = 2, cin: int = 3, cout: int = 4, size: int = 4, noises: int = 1
) -> list[Tensor]:
    """x, weight, styles, bias, noise, strength."""
    side = size * spec.up
    return [
        numbers(batch, cin, size, size),
        numbers(cout, cin, 3, 3, seed=1),
        numbers(batch, cin, seed=2) + 1,
        numbers(cout, seed=3),
        numbers(noises, 1, side, side, seed=4),
        torch.tensor(0.7, dtype=torch.float64),
    ]


def plainly(tensors: Sequence[Tensor | None], f: Tensor, spec: StyledConv) -> Tensor:
    x, weight, styles, bias, noise, strength = tensors
    assert x is not None
    assert weight is not None
    assert styles is not None
    y = modulated_conv2d(
        x, weight, styles, up=spec.up, padding=1, resample_filter=f, flip_weight=spec.up == 1, fused=False
    )
    if noise is not None:
        y = y + noise * strength
    return bias_act(y, bias, act="lrelu", alpha=spec.slope, gain=spec.gain, clamp=spec.clamp)


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize(("batch", "noises"), [(1, 1), (2, 1), (3, 3)])
@pytest.mark.parametrize("taps", [[1, 3, 3, 1], [1, 2, 1], [1, 4, 2, 3, 1, 1]], ids=str)
def test_values_and_gradients(spec: StyledConv, batch: int, noises: int, taps: list[int]) -> None:
    f = setup_filter(taps)
    given = [t.requires_grad_() for t in inputs(spec, batch=batch, noises=noises)]
    y, expected = styled_conv(*given, f, spec), plainly(given, f, spec)
    torch.testing.assert_close(y, expected, rtol=1e-9, atol=1e-9)
    dy = numbers(*y.shape, seed=9)
    found = torch.autograd.grad(y, given, dy)
    for name, a, b in zip("x w s b n k", found, torch.autograd.grad(expected, given, dy), strict=False):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-7, msg=lambda m, name=name: f"{name}: {m}")


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_first_and_second_gradient(spec: StyledConv) -> None:
    f = setup_filter([1, 3, 3, 1])
    given = [t.requires_grad_() for t in inputs(spec, cin=2, cout=2, size=2)]

    def run(*tensors: Tensor) -> Tensor:
        return styled_conv(*tensors, f, spec)

    assert gradcheck(run, given)
    assert gradgradcheck(run, given)


@pytest.mark.parametrize("wanted", range(6))
def test_each_gradient_alone(wanted: int) -> None:
    f, spec = setup_filter([1, 3, 3, 1]), SPECS[0]
    given = inputs(spec)
    given[wanted].requires_grad_()
    (found,) = torch.autograd.grad(styled_conv(*given, f, spec).square().sum(), given[wanted])
    (expected,) = torch.autograd.grad(plainly(given, f, spec).square().sum(), given[wanted])
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


def test_without_noise() -> None:
    f, spec = setup_filter([1, 3, 3, 1]), SPECS[1]
    x, weight, styles, bias, _, _ = (t.requires_grad_() for t in inputs(spec))
    y = styled_conv(x, weight, styles, bias, None, None, f, spec)
    torch.testing.assert_close(y, plainly([x, weight, styles, bias, None, None], f, spec), rtol=1e-9, atol=1e-9)
    y.sum().backward()
    assert bias.grad is not None


@pytest.mark.parametrize("processor", ["AVX2", "AVX512"])
@pytest.mark.parametrize("up", [1, 2])
def test_where_winograd_may_be_used(up: int, processor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 channels and 32 samples a side, in single precision, as in a generator."""
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: processor)
    f, spec = setup_filter([1, 3, 3, 1]), StyledConv(up, math.sqrt(2), 0.2, 256.0)
    given = [t.float().requires_grad_() for t in inputs(spec, batch=2, cin=64, cout=64, size=32)]
    wide = [t.detach().double().requires_grad_() for t in given]
    y, expected = styled_conv(*given, f, spec), plainly(wide, f, spec)
    dy = numbers(*y.shape, seed=9)
    pairs = [(y, expected)]
    pairs += zip(torch.autograd.grad(y, given, dy.float()), torch.autograd.grad(expected, wide, dy), strict=True)
    for found, exact in pairs:
        assert float(((found.double() - exact).abs().max() / exact.abs().max()).detach()) < 5e-5


def test_large_pictures_are_finished_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stitchedit.stylegan2.styled_conv._CACHED_ELEMENTS", 20)
    f, spec = setup_filter([1, 3, 3, 1]), SPECS[2]
    given = inputs(spec, cout=5)
    torch.testing.assert_close(styled_conv(*given, f, spec), plainly(given, f, spec), rtol=1e-9, atol=1e-9)


def test_the_inputs_are_not_changed() -> None:
    given = [t.requires_grad_() for t in inputs(SPECS[0])]
    before = [t.detach().clone() for t in given]
    styled_conv(*given, setup_filter([1, 3, 3, 1]), SPECS[0]).sum().backward()
    assert all(torch.equal(a, b) for a, b in zip(given, before, strict=True))
