"""The CUDA kernels: run thread by thread on the processor where there is no GPU, and on the GPU where there is one."""

import ctypes
import itertools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from ops_cases import passes, picture
from torch import Tensor

from stitchedit.cuda_ops import (
    ACTIVATIONS,
    _filtered_lrelu,
    bias_act,
    filtered_lrelu,
    reference,
    setup_filter,
    upfirdn2d,
)
from stitchedit.cuda_ops._build import SOURCES
from stitchedit.cuda_ops._kernels import Kernels
from stitchedit.cuda_ops._spec import BiasActSpec, FilteredLreluSpec, Resampling

LAYOUTS = ["contiguous", "channels_last", "strided", "transposed"]
# (values, gradients) allowed of max(1, largest): the sum of a few products in another order
TOLERANCE = {
    torch.float16: (2e-3, 2e-3),
    torch.bfloat16: (1e-2, 1e-2),
    torch.float32: (1e-5, 5e-5),
    torch.float64: (1e-12, 1e-12),
}
HALVES = (torch.float16, torch.bfloat16)
GENERATOR_PASSES = [
    Resampling((1, 1), (1, 1), (1, 1, 1, 1), False, 4.0),
    Resampling((1, 1), (1, 1), (2, 2, 2, 2), True, 4.0),
    Resampling((2, 2), (1, 1), (2, 1, 2, 1), False, 4.0),
    Resampling((2, 2), (1, 1), (1, 2, 1, 2), True, 1.0),
    Resampling((2, 2), (1, 1), (-1, 2, -3, 4), True, 1.0),
    Resampling((1, 1), (2, 2), (1, 1, 1, 1), False, 1.0),
    Resampling((1, 1), (2, 2), (2, -1, 0, 3), True, 1.0),
    Resampling((2, 1), (1, 2), (1, 2, 2, 0), False, 1.0),
]
BIAS_OPTIONS: list[dict[str, Any]] = [{}, {"gain": 1.7, "clamp": 0.6}, {"gain": -0.5}]

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


class HostKernels(Kernels):
    """The kernels compiled as plain C++ for the processor, by `host.h`."""

    def _launch(self, function: Any, args: ctypes.Structure, on: Tensor) -> None:
        assert function(ctypes.addressof(args), None) == 0


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> HostKernels:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++ to compile the kernels for the processor")
    path = tmp_path_factory.mktemp("ops") / "host.so"
    flags = ["-O1", "-std=c++17", "-shared", "-fPIC", "-DSTITCHEDIT_HOST", f"-I{Path(__file__).parent}"]
    sources = sorted(str(p) for p in SOURCES.glob("*.cu"))
    subprocess.run([compiler, *flags, "-x", "c++", *sources, "-o", str(path)], check=True)
    return HostKernels(path)


def laid_out(x: Tensor, layout: str) -> Tensor:
    if layout == "channels_last":
        return x.contiguous(memory_format=torch.channels_last)
    if layout == "strided":
        return x.repeat_interleave(2, 3)[..., ::2]
    if layout == "transposed":
        return x.transpose(2, 3).contiguous().transpose(2, 3)
    return x


def agree(got: Tensor, expected: Tensor, tolerance: float) -> None:
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
    assert float((got - expected).abs().max()) <= tolerance * scale


@settings(deadline=None, max_examples=150)
@given(case=passes())
def test_upfirdn2d_on_the_processor(host: HostKernels, case: tuple[tuple[int, int], Tensor, Resampling]) -> None:
    (height, width), f, spec = case
    x = picture(2, 3, height, width)
    expected = reference.upfirdn2d_by_definition(x, f, spec)
    for layout in LAYOUTS:
        agree(host.upfirdn2d(laid_out(x, layout), f, spec), expected, 1e-6)  # the filter is float32


@pytest.mark.parametrize("spec", GENERATOR_PASSES, ids=str)
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (33, 18), (4, 300), (75, 270), (75, 273)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_4x4_filters_on_the_processor(host: HostKernels, spec: Resampling, size: tuple[int, int], layout: str) -> None:
    """The factors that the compiler knows, over several blocks and strips, with an asymmetric filter."""
    if min(spec.output_size(*size, 4, 4)) < 1:
        pytest.skip("nothing is left of this size")
    f = torch.arange(16.0).reshape(4, 4).square()
    x = picture(2, 3, *size, dtype=torch.float32)
    agree(host.upfirdn2d(laid_out(x, layout), f, spec), reference.upfirdn2d(x, f, spec), 1e-5)


@pytest.mark.parametrize("options", BIAS_OPTIONS, ids=str)
@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [(2, 8, 6, 6), (2, 5, 3, 7), (3, 8)], ids=str)
def test_bias_act_on_the_processor(
    host: HostKernels, act: str, options: dict[str, Any], dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    known = ACTIVATIONS[act]
    spec = BiasActSpec(known, 1, known.alpha, options.get("gain", known.gain), options.get("clamp"))
    x, dy, ddx = (picture(*shape, dtype=dtype, seed=i) * 3 for i in range(3))
    b = picture(shape[1], dtype=dtype, seed=3)
    tolerance = TOLERANCE[dtype][0]
    for layout in LAYOUTS if len(shape) == 4 else LAYOUTS[:1]:
        for bias in (b, None):
            y = host.bias_act_forward(laid_out(x, layout), bias, spec)
            agree(y, reference.bias_act(x, bias, spec), tolerance)
            first = host.bias_act_grad(laid_out(dy, layout), x, bias, y, spec)
            agree(first, reference.bias_act_grad(dy, x, bias, y, spec), tolerance)
            if known.curved:
                second = host.bias_act_grad2(ddx, dy, laid_out(x, layout), bias, y, spec)
                agree(second, reference.bias_act_grad2(ddx, dy, x, bias, y, spec), tolerance)


LINE = torch.arange(1.0, 13) / 78
ROUND = torch.outer(LINE, LINE) + 0.01 * torch.eye(12)  # no outer product
FILTERED = {
    "2/2": (LINE, LINE, FilteredLreluSpec((2, 2), (2, 2), (11, 10, 11, 10), 0.2, 2**0.5, None, False)),
    "4/2": (LINE.repeat(2), LINE, FilteredLreluSpec((4, 4), (2, 2), (18, 17, 15, 16), 0.2, 2**0.5, 0.7, False)),
    "round": (LINE, ROUND, FilteredLreluSpec((2, 2), (2, 2), (-3, 14, 9, 10), 0.5, 1.3, None, False)),
    "flipped": (ROUND, LINE, FilteredLreluSpec((2, 1), (1, 3), (15, 14, 19, 10), 0.2, 1.0, 0.5, True)),
    "rgb": (torch.ones(1, 1), torch.ones(1, 1), FilteredLreluSpec((1, 1), (1, 1), (0, 0, 0, 0), 1.0, 1.0, 1.5, False)),
}


@pytest.mark.parametrize("case", FILTERED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_filtered_lrelu_on_the_processor(host: HostKernels, case: str, dtype: torch.dtype) -> None:
    """The op and both gradients, over several tiles, their edges in all places; float64 has smaller ones."""
    fu, fd, spec = FILTERED[case]
    x, b = picture(2, 3, 37, 41, dtype=dtype), picture(3, dtype=dtype, seed=1)
    y = host.filtered_lrelu(x, b, fu, fd, spec)
    agree(y, _filtered_lrelu.filtered_lrelu(x, b, fu, fd, spec), TOLERANCE[dtype][0] * 10)
    dy, ddx = picture(*y.shape, dtype=dtype, seed=2), picture(*x.shape, dtype=dtype, seed=3)
    for name, other in (("filtered_lrelu_grad", dy), ("filtered_lrelu_grad2", ddx)):
        expected = getattr(_filtered_lrelu, name)(other, x, b, fu, fd, spec)
        agree(getattr(host, name)(other, x, b, fu, fd, spec), expected, TOLERANCE[dtype][1] * 10)
        if case == "2/2" and dtype == torch.float64:
            last = other.contiguous(memory_format=torch.channels_last)
            agree(
                getattr(host, name)(last, laid_out(x, "transposed"), None, fu, fd, spec),
                getattr(_filtered_lrelu, name)(other, x, None, fu, fd, spec),
                1e-11,
            )


def test_filters_beyond_shared_memory_are_refused(host: HostKernels) -> None:
    spec = FilteredLreluSpec((1, 1), (1, 1), (150, 150, 150, 150), 0.2, 1.0, None, False)
    with pytest.raises(AssertionError):
        host.filtered_lrelu(torch.zeros(1, 1, 8, 8), None, torch.ones(1, 1), torch.ones(150, 150), spec)
    assert b"too large" in host._library.stitchedit_error(-2)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("case", FILTERED)
def test_filtered_lrelu_on_the_gpu(dtype: torch.dtype, case: str) -> None:
    """Values, first and second gradients."""
    fu, fd, spec = FILTERED[case]
    if spec.up[0] != spec.up[1] or (dtype in HALVES and spec.clamp is not None):
        return  # not asked for by the op; rounding to half precision decides which elements are clamped
    options = {"up": spec.up[0], "down": spec.down[0], "padding": spec.pad, "slope": spec.slope, "gain": spec.gain}
    results = []
    for impl, kind in (("cuda", dtype), ("ref", torch.float64 if dtype in HALVES else dtype)):
        x = picture(2, 5, 37, 41, dtype=dtype).to(kind).cuda().requires_grad_()
        b = picture(5, dtype=dtype, seed=1).to(kind).cuda().requires_grad_()
        y = filtered_lrelu(x, fu.cuda(), fd.cuda(), b, **options, clamp=spec.clamp, impl=impl)
        dy = picture(*y.shape, dtype=dtype, seed=2).to(kind).cuda().requires_grad_()
        dx, db = torch.autograd.grad(y, (x, b), dy, create_graph=True)
        (ddy,) = torch.autograd.grad(dx.square().sum(), dy)
        results.append([t.detach().to(dtype) for t in (y, dx, db, ddy)])
    for got, expected in zip(*results, strict=True):
        agree(got, expected, TOLERANCE[dtype][1] * 20)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_upfirdn2d_on_the_gpu(dtype: torch.dtype, layout: str) -> None:
    """Values and gradients over the generator's factors, with a 2-D and with a separable filter, in tiles and not."""
    sizes = [(33, 18)] if layout == "channels_last" else [(33, 18), (75, 270), (75, 273)]
    taps_of = ([1, 3, 3, 1], [1, 2, 4, 7, 7, 4, 2, 1])
    for taps, spec, size in itertools.product(taps_of, GENERATOR_PASSES, sizes):
        if len(taps) == 8:
            spec = spec._replace(pad=(4, 5, 3, 6))
        options = {"up": spec.up, "down": spec.down, "padding": spec.pad, "flip_filter": spec.flip_filter}
        f = setup_filter(taps, device="cuda")
        results = []
        for impl, kind in (("cuda", dtype), ("ref", torch.float64)):
            x = laid_out(picture(2, 5, *size, dtype=dtype).to(kind).cuda(), layout).requires_grad_()
            y = upfirdn2d(x, f, **options, gain=spec.gain, impl=impl)
            dy = picture(*y.shape, dtype=dtype, seed=1).to(kind).cuda()
            (dx,) = torch.autograd.grad(y, x, dy)
            results.append((y.detach().to(dtype), dx.to(dtype)))
        for got, expected, tolerance in zip(*results, TOLERANCE[dtype], strict=True):
            agree(got, expected, tolerance)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_bias_act_on_the_gpu(dtype: torch.dtype, layout: str) -> None:
    """Values, first and second gradients, in x and in the bias."""
    for act, options in itertools.product(ACTIVATIONS, BIAS_OPTIONS):
        if dtype in HALVES and "clamp" in options:
            continue  # rounding to half precision decides which elements are clamped
        results = []
        for impl, kind in (("cuda", dtype), ("ref", torch.float64 if dtype in HALVES else dtype)):
            x = laid_out(picture(2, 8, 9, 6, dtype=dtype).to(kind).cuda(), layout).requires_grad_()
            # Of this seed no x + b is 0, where a kinked activation's slope is a matter of rounding.
            b = picture(8, dtype=dtype, seed=3).to(kind).cuda().requires_grad_()
            y = bias_act(x, b, act=act, impl=impl, **options)
            dy = picture(*y.shape, dtype=dtype, seed=2).to(kind).cuda().requires_grad_()
            dx, db = torch.autograd.grad(y, (x, b), dy, create_graph=True)
            out = [y, dx, db]
            if ACTIVATIONS[act].curved:
                out += torch.autograd.grad(dx.square().sum(), (x, b, dy))
            results.append([t.detach().to(dtype) for t in out])
        for got, expected in zip(*results, strict=True):
            agree(got, expected, TOLERANCE[dtype][1] * (20 if dtype in HALVES else 1))


@pytest.mark.gpu
@needs_gpu
def test_input_on_the_gpu_goes_to_the_kernels() -> None:
    x = torch.ones(1, 1, 4, 4, device="cuda")
    assert torch.equal(upfirdn2d(x, None), upfirdn2d(x, None, impl="cuda"))


@pytest.mark.gpu
@needs_gpu
def test_kernels_run_on_the_current_stream() -> None:
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        x = torch.full((1, 64, 512, 512), 2.0, device="cuda")
        for _ in range(10):
            x = bias_act(x, gain=0.5) * 2
    stream.synchronize()
    assert torch.equal(x, torch.full_like(x, 2.0))
