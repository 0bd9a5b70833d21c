"""Winograd's convolution against the direct one, values and gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stitchedit.stylegan2 import winograd


def numbers(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def error(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("size", [(4, 4), (8, 16), (12, 4), (32, 20)])
@pytest.mark.parametrize("channels", [(1, 1), (3, 5)])
@pytest.mark.parametrize("strip", [1, 3, 512])
def test_equals_the_direct_form(
    size: tuple[int, int], channels: tuple[int, int], strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float64, so that nothing but a mistake makes a difference; in one strip and in many."""
    monkeypatch.setattr(winograd, "_STRIP_TILES", strip)
    cin, cout = channels
    x, w = numbers(1, cin, *size).requires_grad_(), numbers(cout, cin, 3, 3, seed=1).requires_grad_()
    expected = F.conv2d(x, w, padding=1)
    g = numbers(*expected.shape, seed=2)
    g_x, g_w = torch.autograd.grad(expected, (x, w), g)
    with torch.no_grad():
        assert error(winograd.convolve(x, w), expected) < 1e-12
        found_x, found_w = winograd.gradients(g, x, w, need_x=True, need_w=True)
    assert found_x is not None
    assert found_w is not None
    assert error(found_x, g_x) < 1e-12
    assert error(found_w, g_w) < 1e-12


def test_only_what_is_needed_is_computed() -> None:
    g, x, w = numbers(1, 2, 8, 8), numbers(1, 3, 8, 8, seed=1), numbers(2, 3, 3, 3, seed=2)
    both = winograd.gradients(g, x, w, need_x=True, need_w=True)
    assert winograd.gradients(g, x, w, need_x=False, need_w=False) == (None, None)
    only_x, none = winograd.gradients(g, x, w, need_x=True, need_w=False)
    assert none is None
    torch.testing.assert_close(only_x, both[0])
    none, only_w = winograd.gradients(g, x, w, need_x=False, need_w=True)
    assert none is None
    torch.testing.assert_close(only_w, both[1])


def test_rounding_in_single_precision() -> None:
    x, w = numbers(1, 64, 32, 32, dtype=torch.float32), numbers(64, 64, 3, 3, seed=1, dtype=torch.float32)
    g = numbers(1, 64, 32, 32, seed=2, dtype=torch.float32)
    exact = winograd.convolve(x.double(), w.double())
    assert error(winograd.convolve(x, w).double(), exact) < 3e-5
    exact_x, exact_w = winograd.gradients(g.double(), x.double(), w.double(), need_x=True, need_w=True)
    g_x, g_w = winograd.gradients(g, x, w, need_x=True, need_w=True)
    for found, expected in ((g_x, exact_x), (g_w, exact_w)):
        assert found is not None
        assert expected is not None
        assert error(found.double(), expected) < 3e-5


def test_a_view_is_as_good_as_a_picture() -> None:
    x, w = numbers(1, 3, 8, 8).transpose(2, 3), numbers(2, 3, 3, 3, seed=1)
    torch.testing.assert_close(winograd.convolve(x, w), F.conv2d(x, w, padding=1))


@pytest.mark.parametrize(
    ("cin", "cout", "size", "dtype", "expected"),
    [
        (64, 64, 32, torch.float32, (True, True, False, False)),
        (512, 64, 64, torch.float32, (True, True, False, False)),
        (256, 512, 64, torch.float32, (True, True, False, True)),
        (256, 256, 32, torch.float32, (True, True, False, False)),
        (64, 32, 64, torch.float32, (False,) * 4),
        (64, 64, 16, torch.float32, (False,) * 4),
        (256, 256, 66, torch.float32, (False,) * 4),
        (256, 256, 64, torch.float64, (False,) * 4),
    ],
)
def test_where_it_pays(
    cin: int, cout: int, size: int, dtype: torch.dtype, expected: tuple[bool, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forward and backward on AVX2, then on AVX-512."""
    x, w = torch.empty(1, cin, size, size, dtype=dtype), torch.empty(cout, cin, 3, 3, dtype=dtype)
    found = []
    for processor in ("AVX2", "AVX512"):
        monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda named=processor: named)
        found += [winograd.pays(x, w), winograd.pays(x, w, backward=True)]
    assert tuple(found) == expected
