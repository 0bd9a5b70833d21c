"""filtered_lrelu: the form in use against the definition, its gradients, its arguments."""

from typing import Any

import pytest
import torch
from ops_cases import picture
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stitchedit.cuda_ops import _filtered_lrelu, filtered_lrelu, reference
from stitchedit.cuda_ops._spec import FilteredLreluSpec

LINE, LONG = torch.tensor([1.0, 4, 9, 7, 3, 2]) / 26, torch.arange(1.0, 13) / 78
ROUND = torch.outer(LINE, LINE) + 0.01 * torch.eye(6)  # no outer product
CASES: dict[str, dict[str, Any]] = {
    "2/2": {"fu": LONG, "fd": LONG, "up": 2, "down": 2, "padding": (11, 10, 11, 10)},
    "4/2": {"fu": torch.cat([LONG, LONG.flip(0)]), "fd": LONG, "up": 4, "down": 2, "padding": (18, 17, 15, 16)},
    "cropped": {"fu": LONG, "fd": LINE, "up": 2, "down": 2, "padding": (-3, 16, 14, -5)},
    "round": {"fu": LINE, "fd": ROUND, "up": 2, "down": 2, "padding": (5, 6, 7, 4)},
    "flipped": {"fu": LINE, "fd": ROUND, "up": 2, "down": 1, "padding": 6, "flip_filter": True},
    "clamped": {"fu": LINE, "fd": LINE, "up": 2, "down": 2, "padding": 6, "clamp": 0.4, "gain": 1.3, "slope": 0.5},
    "three": {"fu": LINE, "fd": LINE, "up": 3, "down": 2, "padding": (4, 5, 6, 7)},
    "no filters": {"clamp": 0.8, "slope": 1.0, "gain": 1.0},
}


def by_definition(x: Tensor, b: Tensor | None, **options: Any) -> Tensor:
    """The same arguments, to `by_definition`."""
    full = {"fu": None, "fd": None, "up": 1, "down": 1, "padding": 0, "gain": 2**0.5, "slope": 0.2, "clamp": None}
    full = {"flip_filter": False, **full, **options}
    pad = full["padding"] if isinstance(full["padding"], tuple) else (full["padding"],) * 4
    spec = FilteredLreluSpec(
        (full["up"],) * 2, (full["down"],) * 2, pad, full["slope"], full["gain"], full["clamp"], full["flip_filter"]
    )
    filters = [torch.ones(1, 1) if full[name] is None else full[name] for name in ("fu", "fd")]
    return _filtered_lrelu.by_definition(x, b, *filters, spec)


def inputs(channels: int = 3, size: tuple[int, int] = (9, 7)) -> tuple[Tensor, Tensor]:
    return picture(2, channels, *size).requires_grad_(), (0.3 * picture(channels, seed=1)).requires_grad_()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cached", [1 << 20, 500])
def test_values_and_gradients_equal_the_definition(case: str, cached: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once, and a channel at a time."""
    monkeypatch.setattr(_filtered_lrelu, "_CACHED_ELEMENTS", cached)
    x, b = inputs()
    y, expected = filtered_lrelu(x, b=b, **CASES[case]), by_definition(x, b, **CASES[case])
    torch.testing.assert_close(y, expected, rtol=1e-6, atol=1e-6)
    dy = picture(*y.shape, seed=2)
    found, wanted = torch.autograd.grad(y, (x, b), dy), torch.autograd.grad(expected, (x, b), dy)
    for got, want in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", ["cropped", "round", "clamped"])
def test_first_and_second_gradient(case: str) -> None:
    x, b = inputs(2, (4, 3))

    def run(x: Tensor, b: Tensor) -> Tensor:
        return filtered_lrelu(x, b=b, **CASES[case])

    assert gradcheck(run, (x, b), eps=1e-7, atol=1e-4)
    # In pieces linear in x: only its square has a second derivative to speak of.
    assert gradgradcheck(lambda x, b: run(x, b).square(), (x, b), eps=1e-7, atol=1e-4)


def test_second_gradient_with_a_penalty_on_the_first() -> None:
    results = []
    for run in (filtered_lrelu, by_definition):
        x, b = inputs()
        (dx,) = torch.autograd.grad(run(x, b=b, **CASES["clamped"]).square().sum(), x, create_graph=True)  # type: ignore[operator]
        results.append(torch.autograd.grad(dx.square().sum(), (x, b)))
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


def test_the_enlarged_picture_is_not_kept() -> None:
    """Between forward and backward: x and b alone, and the filters."""
    kept: list[Tensor] = []
    x, b = inputs()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        filtered_lrelu(x, b=b, **CASES["2/2"])
    assert sum(t.numel() for t in kept) <= x.numel() + b.numel() + 2 * LONG.numel()


def test_no_bias_and_no_gradient_asked_for() -> None:
    x, _ = inputs()
    torch.testing.assert_close(
        filtered_lrelu(x, **CASES["2/2"]), by_definition(x, None, **CASES["2/2"]), rtol=1e-6, atol=1e-6
    )
    b = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    filtered_lrelu(x.detach(), b=b, **CASES["2/2"]).sum().backward()
    assert b.grad is not None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_types(dtype: torch.dtype) -> None:
    x, b = (t.detach().to(dtype) for t in inputs())
    y = filtered_lrelu(x, b=b, **CASES["2/2"])
    assert y.dtype == dtype
    expected = by_definition(x.double(), b.double(), **CASES["2/2"])
    assert (y.double() - expected).abs().max() <= 3e-2 * expected.abs().max()


def test_the_input_is_not_changed() -> None:
    x, b = (t.detach() for t in inputs())
    before = x.clone()
    filtered_lrelu(x, b=b, **CASES["no filters"])
    filtered_lrelu(x, **CASES["no filters"])
    assert torch.equal(x, before)


def test_it_is_what_it_is_made_of() -> None:
    """upfirdn2d, bias_act, upfirdn2d."""
    x, b = (t.detach() for t in inputs())
    spec = FilteredLreluSpec((2, 2), (2, 2), (11, 10, 11, 10), 0.2, 2**0.5, None, False)
    big = reference.upfirdn2d(x + b[:, None, None], LONG, spec.enlarge)
    big = torch.nn.functional.leaky_relu(big, 0.2) * 2**0.5
    torch.testing.assert_close(
        filtered_lrelu(x, b=b, **CASES["2/2"]), reference.upfirdn2d(big, LONG, spec.shrink), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"b": torch.zeros(3)}, "b must be"),
        ({"gain": 0.0}, "gain must be positive"),
        ({"slope": -0.1}, "slope and clamp not negative"),
        ({"fu": torch.zeros(2, 2, 2)}, "a filter must be"),
        ({"fd": torch.zeros(4, dtype=torch.float64)}, "a filter must be"),
        ({"fd": torch.zeros(40)}, "nothing is left"),
        ({"up": 0}, "up must be"),
        ({"impl": "cuda"}, "needs tensors on a CUDA device"),
    ],
)
def test_bad_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        filtered_lrelu(torch.zeros(1, 2, 5, 5), **options)
    with pytest.raises(ValueError, match="N, C, H, W"):
        filtered_lrelu(torch.zeros(5, 5))
