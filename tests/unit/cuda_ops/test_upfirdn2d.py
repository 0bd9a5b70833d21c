"""upfirdn2d: the polyphase form against the definition, its gradients, its arguments."""

import pytest
import torch
from hypothesis import given, settings
from ops_cases import passes, picture
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stitchedit.cuda_ops import reference, setup_filter, upfirdn2d
from stitchedit.cuda_ops._spec import Resampling

TOLERANCE = {torch.float16: 2e-3, torch.bfloat16: 2e-2, torch.float32: 2e-6, torch.float64: 1e-12}


@settings(deadline=None, max_examples=150)
@given(passes())
def test_equals_the_definition(case: tuple[tuple[int, int], Tensor, Resampling]) -> None:
    (height, width), f, spec = case
    x = picture(2, 3, height, width)
    expected = reference.upfirdn2d_by_definition(x, f, spec)
    got = reference.upfirdn2d(x, f, spec)
    assert got.shape == expected.shape
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(passes())
def test_gradient_equals_that_of_the_definition(case: tuple[tuple[int, int], Tensor, Resampling]) -> None:
    (height, width), f, spec = case
    x = picture(1, 2, height, width).requires_grad_()
    expected = reference.upfirdn2d_by_definition(x, f, spec)
    dy = picture(*expected.shape, seed=1)
    (dx,) = torch.autograd.grad(expected, x, dy)
    y = upfirdn2d(x, f, up=spec.up, down=spec.down, padding=spec.pad, flip_filter=spec.flip_filter, gain=spec.gain)
    torch.testing.assert_close(torch.autograd.grad(y, x, dy)[0], dx, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("up", [1, 2, 3])
@pytest.mark.parametrize("down", [1, 2])
@pytest.mark.parametrize("taps", [[1.0, 3.0, 3.0, 1.0], [1.0, 2.0, 4.0, 7.0, 7.0, 4.0, 2.0, 1.0]])
def test_first_and_second_gradient(up: int, down: int, taps: list[float]) -> None:
    x = picture(1, 2, 4, 5).requires_grad_()
    f = setup_filter(taps)

    def run(x: Tensor) -> Tensor:
        return upfirdn2d(x, f, up=up, down=down, padding=(4, -1, 3, 2), gain=up**2)

    assert gradcheck(run, x)
    # Linear in x: only its square has a second derivative to speak of.
    assert gradgradcheck(lambda x: run(x).square(), x)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "strided", "transposed"])
def test_types_and_layouts(dtype: torch.dtype, layout: str) -> None:
    x = picture(2, 6, 9, 7, dtype=dtype)
    given = {
        "contiguous": x,
        "channels_last": x.contiguous(memory_format=torch.channels_last),
        "strided": x.repeat_interleave(2, 3)[..., ::2],
        "transposed": x.transpose(2, 3).contiguous().transpose(2, 3),
    }[layout]
    f = setup_filter([1, 3, 3, 1])
    y = upfirdn2d(given, f, up=2, padding=(2, 1, 2, 1), gain=4)
    expected = reference.upfirdn2d_by_definition(
        x.double(), f, Resampling((2, 2), (1, 1), (2, 1, 2, 1), flip_filter=False, gain=4)
    )
    assert y.dtype == dtype
    assert (y.double() - expected).abs().max() <= TOLERANCE[dtype] * max(1, expected.abs().max())


def test_channels_last_stays_channels_last() -> None:
    x = picture(1, 4, 8, 8, dtype=torch.float32).contiguous(memory_format=torch.channels_last)
    y = upfirdn2d(x, setup_filter([1, 3, 3, 1]), up=2, padding=(2, 1, 2, 1))
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_a_filter_keeps_the_mean() -> None:
    flat = torch.ones(1, 1, 8, 8)
    y = upfirdn2d(flat, setup_filter([1, 3, 3, 1]), up=2, padding=(2, 1, 2, 1), gain=4)
    torch.testing.assert_close(y[..., 2:-2, 2:-2], torch.ones(1, 1, 12, 12))


def test_no_filter_is_one_tap() -> None:
    x = picture(1, 2, 5, 4)
    assert torch.equal(upfirdn2d(x, None), x)
    assert torch.equal(upfirdn2d(x, None, down=2), x[..., ::2, ::2])
    assert torch.equal(upfirdn2d(x, None, padding=-1), x[..., 1:-1, 1:-1])


def test_setup_filter() -> None:
    assert setup_filter(None).tolist() == [[1.0]]
    assert setup_filter([1, 3, 3, 1]).shape == (4, 4)
    assert setup_filter([1.0] * 8).shape == (8,)
    assert setup_filter([1, 3], separable=True).tolist() == [0.25, 0.75]
    assert setup_filter([1, 3], separable=True, flip_filter=True).tolist() == [0.75, 0.25]
    assert setup_filter([1, 3], normalize=False, gain=2).tolist() == [[2.0, 6.0], [6.0, 18.0]]
    assert setup_filter([1, 3], normalize=False, separable=True, gain=4).tolist() == [2.0, 6.0]


@pytest.mark.parametrize("f", [[], [[[1.0]]], torch.zeros(0, 3)], ids=["empty", "3-D", "no rows"])
def test_setup_filter_refuses(f: list[float]) -> None:
    with pytest.raises(ValueError, match="one or two dimensions"):
        setup_filter(f)


def test_a_2d_filter_is_not_separable() -> None:
    with pytest.raises(ValueError, match="separable"):
        setup_filter([[1.0, 2.0]], separable=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"up": 0}, "up must be"),
        ({"up": (1, 2, 3)}, "up must be"),
        ({"down": -1}, "down must be"),
        ({"padding": (1, 2, 3)}, "padding must be"),
        ({"padding": -3}, "nothing is left"),
        ({"impl": "fast"}, "impl must be"),
        ({"impl": "cuda"}, "needs tensors on a CUDA device"),
    ],
)
def test_bad_arguments(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        upfirdn2d(torch.zeros(1, 1, 4, 4), setup_filter([1, 3, 3, 1]), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("x", "f", "message"),
    [
        (torch.zeros(4, 4), torch.ones(1, 1), "N, C, H, W"),
        (torch.zeros(1, 1, 4, 4, dtype=torch.int64), torch.ones(1, 1), "floating point"),
        (torch.zeros(1, 1, 4, 4), torch.ones(1, 1, dtype=torch.float64), "float32 filter"),
        (torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 1), "float32 filter"),
        (torch.zeros(1, 1, 4, 4), torch.ones(1, 1, requires_grad=True), "constant"),
    ],
)
def test_bad_tensors(x: Tensor, f: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        upfirdn2d(x, f)
