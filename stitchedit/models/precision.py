"""Fewer bits for tuning where they are faster: bfloat16 on processors with units for it, TF32 on a GPU.

Weights, losses and the optimiser stay in float32. In bfloat16 the picture that a step looks at is rounded (some 51 dB
from float32's), and its gradient; in TF32 the factors of products are (60 dB). Whether bfloat16 pays is tried once,
before tuning, and kept in the project, so that a run which goes on after a kill comes out the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from stitchedit.models.generator import Generator, lowest_exit

PRECISIONS = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}
_TRIED = ("float32", "bfloat16")
_HAS_TF32 = 8  # least compute capability
PAYS = 0.85  # of float32's time, from which on bfloat16 is taken
TRIED_PX = 256  # of the pictures that are drawn to try it
_PRODUCT = (256, 128, 128)  # of the matrices that are multiplied first, some milliseconds where it does not pay


@runtime_checkable
class HasPrecision(Protocol):
    """A generator whose synthesis can run in another type than its weights have."""

    precision: torch.dtype


def try_precisions(generator: Generator, ws: Tensor) -> str:
    """Of `PRECISIONS`, the one in which forward and backward passes are faster here; about two seconds.

    On a GPU it is TF32, from Ampere on; of a generator that knows one type alone, it is float32 on a processor.

    Args: ws: of some picture, [1, L, w_dim].
    """
    if ws.is_cuda:
        return "tf32" if torch.cuda.get_device_capability(ws.device)[0] >= _HAS_TF32 else "float32"
    if ws.device.type != "cpu" or not isinstance(generator, HasPrecision) or not _multiplies_faster():
        return "float32"
    size = lowest_exit(generator, TRIED_PX)
    seconds = {name: _fastest(partial(_pass, generator, name, ws, size)) for name in _TRIED}
    generator.zero_grad()
    return "bfloat16" if seconds["bfloat16"] < PAYS * seconds["float32"] else "float32"


@contextmanager
def at_precision(generator: Generator, name: str) -> Iterator[None]:
    """Have a generator draw, and losses look, in one of `PRECISIONS`; bfloat16 is for a generator that knows it."""
    matmul, convolution = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, convolution.allow_tf32
    own = generator.precision if isinstance(generator, HasPrecision) else None
    try:
        matmul.allow_tf32 = convolution.allow_tf32 = name == "tf32"
        if isinstance(generator, HasPrecision):
            generator.precision = PRECISIONS[name]
        yield
    finally:
        matmul.allow_tf32, convolution.allow_tf32 = before
        if isinstance(generator, HasPrecision) and own is not None:
            generator.precision = own


def _multiplies_faster() -> bool:
    rows, inner, columns = _PRODUCT
    seconds = {}
    for name, kind in ((name, PRECISIONS[name]) for name in _TRIED):
        left, right = torch.ones(rows, inner, dtype=kind), torch.ones(inner, columns, dtype=kind)
        seconds[name] = _fastest(partial(torch.mm, left, right))
    return seconds["bfloat16"] < PAYS * seconds["float32"]


def _pass(generator: Generator, name: str, ws: Tensor, size: int) -> None:
    with at_precision(generator, name), torch.enable_grad():
        generator.synthesis(ws, resolution=size).square().mean().backward()  # type: ignore[no-untyped-call]


def _fastest(work: Callable[[], object]) -> float:
    """Seconds of the faster of two runs."""
    found = []
    for _ in range(2):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return min(found)
