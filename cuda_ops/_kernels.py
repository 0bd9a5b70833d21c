"""The CUDA kernels behind ctypes: tensors in, tensors out, no graph. The same functions as `reference`."""

from __future__ import annotations

import ctypes
import functools
import math
from pathlib import Path

import torch
from torch import Tensor

from stitchedit.cuda_ops import _build
from stitchedit.cuda_ops._filtered_lrelu import transposed
from stitchedit.cuda_ops._spec import BiasActSpec, FilteredLreluSpec, Resampling, filter_size
from stitchedit.errors import OpsBuildError

_TYPES = {torch.float16: 0, torch.float32: 1, torch.float64: 2, torch.bfloat16: 3}

_Strides = ctypes.c_longlong * 4


class _UpfirdnArgs(ctypes.Structure):
    """struct Upfirdn of upfirdn2d.cu."""

    _fields_ = (
        ("x", ctypes.c_void_p),
        ("f", ctypes.c_void_p),
        ("y", ctypes.c_void_p),
        ("x_stride", _Strides),
        ("y_stride", _Strides),
        ("gain", ctypes.c_double),
        *((name, ctypes.c_int) for name in ("type", "n", "c", "in_h", "in_w", "out_h", "out_w")),
        *((name, ctypes.c_int) for name in ("fw", "fh", "up_x", "up_y", "down_x", "down_y", "pad_x", "pad_y")),
        ("flip", ctypes.c_int),
        ("channels_last", ctypes.c_int),
    )


class _BiasActArgs(ctypes.Structure):
    """struct BiasAct of bias_act.cu."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("dx", "dy", "x", "b", "y", "out")),
        ("size", ctypes.c_longlong),
        ("bias_stride", ctypes.c_longlong),
        *((name, ctypes.c_double) for name in ("alpha", "gain", "clamp")),
        *((name, ctypes.c_int) for name in ("type", "order", "act", "bias_size")),
    )


class _PassArgs(ctypes.Structure):
    """struct Pass of filtered_lrelu.cu."""

    _fields_ = (
        ("f", ctypes.c_void_p),
        ("gain", ctypes.c_double),
        *((name, ctypes.c_int) for name in ("fw", "fh", "factor_x", "factor_y", "pad_x", "pad_y", "flip", "unused")),
    )


class _FilteredLreluArgs(ctypes.Structure):
    """struct FilteredLrelu of filtered_lrelu.cu."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("x", "b", "s", "y")),
        *((name, _PassArgs) for name in ("x_up", "s_up", "out")),
        *((name, ctypes.c_double) for name in ("slope", "gain", "clamp")),
        *((name, ctypes.c_int) for name in ("type", "n", "c", "in_h", "in_w", "s_h", "s_w", "mid_h", "mid_w")),
        *((name, ctypes.c_int) for name in ("out_h", "out_w", "tile_w", "tile_h")),
    )


class Kernels:
    """The functions of one built library.

    Args:
        path: the library.
    Raises: OpsBuildError, when it cannot be loaded.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as exc:
            raise OpsBuildError(f"cannot load {path}: {exc}") from exc
        self._library.stitchedit_error.restype = ctypes.c_char_p
        self._library.stitchedit_error.argtypes = [ctypes.c_int]
        library = self._library
        for function in (library.stitchedit_upfirdn2d, library.stitchedit_bias_act, library.stitchedit_filtered_lrelu):
            function.argtypes = [ctypes.c_void_p, ctypes.c_void_p]

    def upfirdn2d(self, x: Tensor, f: Tensor, spec: Resampling) -> Tensor:
        if f.ndim == 1:
            gain = math.sqrt(spec.gain)
            (ux, uy), (dx, dy), (px0, px1, py0, py1) = spec.up, spec.down, spec.pad
            row = Resampling((ux, 1), (dx, 1), (px0, px1, 0, 0), spec.flip_filter, gain)
            column = Resampling((1, uy), (1, dy), (0, 0, py0, py1), spec.flip_filter, gain)
            return self._pass(self._pass(x, f[None, :], row), f[:, None], column)
        return self._pass(x, f, spec)

    def bias_act_forward(self, x: Tensor, b: Tensor | None, spec: BiasActSpec) -> Tensor:
        return self._pointwise(0, spec, like=x, x=x, b=b)

    def bias_act_grad(
        self, dy: Tensor, x: Tensor | None, b: Tensor | None, y: Tensor | None, spec: BiasActSpec
    ) -> Tensor:
        return self._pointwise(1, spec, like=dy, dy=dy, x=x, b=b, y=y)

    def bias_act_grad2(
        self, ddx: Tensor, dy: Tensor, x: Tensor, b: Tensor | None, y: Tensor | None, spec: BiasActSpec
    ) -> Tensor:
        return self._pointwise(2, spec, like=x, dx=ddx, dy=dy, x=x, b=b, y=y)

    def filtered_lrelu(self, x: Tensor, b: Tensor | None, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec) -> Tensor:
        return self._filtered(x, b, None, (fu, spec.enlarge), (fu, spec.enlarge), (fd, spec.shrink), spec)

    def filtered_lrelu_grad(
        self, dy: Tensor, x: Tensor, b: Tensor | None, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec
    ) -> Tensor:
        back_down, back_up = transposed(x, fu, fd, spec)
        return self._filtered(x, b, dy, (fu, spec.enlarge), (fd, back_down), (fu, back_up), spec)

    def filtered_lrelu_grad2(
        self, ddx: Tensor, x: Tensor, b: Tensor | None, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec
    ) -> Tensor:
        return self._filtered(x, b, ddx, (fu, spec.enlarge), (fu, spec.enlarge), (fd, spec.shrink), spec)

    def _filtered(
        self,
        x: Tensor,
        b: Tensor | None,
        s: Tensor | None,
        x_up: tuple[Tensor, Resampling],
        s_up: tuple[Tensor, Resampling],
        out: tuple[Tensor, Resampling],
        spec: FilteredLreluSpec,
    ) -> Tensor:
        """x, a gradient or None for x itself, how both are enlarged, and how the result is shrunk."""
        given = [None if t is None else t.contiguous() for t in (x, b, s)]
        x_up, s_up, out = ((f.contiguous(), way) for f, way in (x_up, s_up, out))
        mid = x_up[1].output_size(x.shape[2], x.shape[3], *filter_size(x_up[0])[::-1])
        size = out[1].output_size(*mid, *filter_size(out[0])[::-1])
        y = torch.empty(*x.shape[:2], *size, dtype=x.dtype, device=x.device)
        if y.numel() == 0:
            return y
        s_size = (0, 0) if s is None else s.shape[2:]
        args = _FilteredLreluArgs(
            *(None if t is None else t.data_ptr() for t in given),
            y.data_ptr(),
            _pass_args(*x_up),
            _pass_args(*s_up),
            _pass_args(*out),
            spec.slope,
            spec.gain,
            -1.0 if spec.clamp is None else spec.clamp,
            _TYPES[x.dtype],
            *x.shape,
            *s_size,
            *mid,
            *size,
        )
        self._launch(self._library.stitchedit_filtered_lrelu, args, x)
        return y

    def _pass(self, x: Tensor, f: Tensor, spec: Resampling) -> Tensor:
        n, c, h, w = x.shape
        fw, fh = filter_size(f)
        out_h, out_w = spec.output_size(h, w, fh, fw)
        last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
        layout = torch.channels_last if last else torch.contiguous_format
        y = torch.empty(n, c, out_h, out_w, dtype=x.dtype, device=x.device, memory_format=layout)
        f = f.contiguous()
        if y.numel() == 0:
            return y
        args = _UpfirdnArgs(
            x=x.data_ptr(),
            f=f.data_ptr(),
            y=y.data_ptr(),
            x_stride=_Strides(*x.stride()),
            y_stride=_Strides(*y.stride()),
            gain=spec.gain,
            type=_TYPES[x.dtype],
            n=n,
            c=c,
            in_h=h,
            in_w=w,
            out_h=out_h,
            out_w=out_w,
            fw=fw,
            fh=fh,
            up_x=spec.up[0],
            up_y=spec.up[1],
            down_x=spec.down[0],
            down_y=spec.down[1],
            pad_x=spec.pad[0],
            pad_y=spec.pad[2],
            flip=int(spec.flip_filter),
            channels_last=int(last),
        )
        self._launch(self._library.stitchedit_upfirdn2d, args, x)
        return y

    def _pointwise(
        self, order: int, spec: BiasActSpec, *, like: Tensor, b: Tensor | None = None, **tensors: Tensor | None
    ) -> Tensor:
        if not _is_dense(like):
            like = like.contiguous()
        given = {name: _laid_out(t, like) for name, t in tensors.items() if t is not None}
        out = torch.empty_like(like)
        if out.numel() == 0:
            return out
        b = None if b is None else b.contiguous()
        args = _BiasActArgs(
            **{name: t.data_ptr() for name, t in given.items()},
            b=None if b is None else b.data_ptr(),
            out=out.data_ptr(),
            size=out.numel(),
            bias_stride=1 if b is None else max(1, out.stride(spec.dim)),
            bias_size=1 if b is None else b.numel(),
            alpha=spec.alpha,
            gain=spec.gain,
            clamp=-1.0 if spec.clamp is None else spec.clamp,
            type=_TYPES[out.dtype],
            order=order,
            act=spec.act.index,
        )
        self._launch(self._library.stitchedit_bias_act, args, out)
        return out

    def _launch(self, function: ctypes._NamedFuncPointer, args: ctypes.Structure, on: Tensor) -> None:
        # Tensors freed after this call are reused on the same stream only, so after the kernel: none must be kept.
        with torch.cuda.device(on.device):
            code = function(ctypes.addressof(args), torch.cuda.current_stream(on.device).cuda_stream)
        if code != 0:
            raise RuntimeError(f"{function.__name__}: {self._library.stitchedit_error(code).decode()}")


def _pass_args(f: Tensor, way: Resampling) -> _PassArgs:
    """A resampling with a factor on one side: of the enlarging pass `up`, of the shrinking one `down`."""
    factor = way.up if way.down == (1, 1) else way.down
    fw, fh = filter_size(f)
    alone = f.ndim == 1
    return _PassArgs(f.data_ptr(), way.gain, fw, 0 if alone else fh, *factor, way.pad[0], way.pad[2], way.flip_filter)


def load(device: torch.device) -> Kernels:
    """The kernels for a CUDA device. Raises OpsBuildError, the same one each time."""
    major, minor = torch.cuda.get_device_capability(device)
    outcome = _load(f"sm_{major}{minor}")
    if isinstance(outcome, OpsBuildError):
        raise outcome
    return outcome


@functools.cache
def _load(arch: str) -> Kernels | OpsBuildError:
    try:
        return Kernels(_build.library(arch))
    except OpsBuildError as exc:  # remembered, so that a failed build is tried once a process
        return exc


def _is_dense(t: Tensor) -> bool:
    """Whether the elements lie in memory without gaps or overlaps, in some order of the dimensions."""
    expected = 1
    for size, stride in sorted(zip(t.shape, t.stride(), strict=True), key=lambda pair: (pair[1], pair[0])):
        if size == 1:
            continue
        if stride != expected:
            return False
        expected *= size
    return True


def _laid_out(t: Tensor, like: Tensor) -> Tensor:
    """t, or a copy of it, with the strides of `like`."""
    if t.stride() == like.stride():
        return t
    return torch.empty_like(like).copy_(t)
