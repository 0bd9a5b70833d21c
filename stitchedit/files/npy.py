"""`.npy` files from strangers: numbers only, bounded in size, never pickled."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stitchedit.errors import Refused

MAX_NUMBERS = 1 << 22  # of one vector; W+ at 1024 px has 9,216
_NPY_HEADER = re.compile(
    rb"\{'descr': '(?P<descr>[<>|=]?[a-zA-Z]\d+)', 'fortran_order': (?P<fortran>True|False), "
    rb"'shape': \((?P<shape>[\dL, ]{0,200})\),? ?\}\s*"
)


def read_npy(data: memoryview, kinds: str = "fiub", most: int = MAX_NUMBERS) -> NDArray[Any]:
    """The array of a `.npy` file's bytes, as a view of them.

    numpy's own reader evaluates the header and takes the memory that it claims before it looks for the numbers.

    Args:
        kinds: letters of `numpy.dtype.kind` that are taken; most: numbers that are.
    Raises: Refused.
    """
    major = data[6] if len(data) > 12 else 0
    if major not in (1, 2, 3):
        raise Refused(f"its .npy version {major} is unknown")
    width = 2 if major == 1 else 4
    start = 8 + width + int.from_bytes(data[8 : 8 + width], "little")
    if start > min(len(data), 65536):
        raise Refused("its .npy header is longer than the file")
    header = _NPY_HEADER.fullmatch(bytes(data[8 + width : start]))
    if header is None:
        raise Refused("its .npy header describes no plain array")
    try:
        kind = np.dtype(header["descr"].decode())
    except TypeError as exc:
        raise Refused("its .npy header names an unknown type") from exc
    if kind.kind not in kinds or not kind.itemsize:
        raise Refused("it holds Python objects, texts or other things, not real numbers")
    shape = [int(n) for n in re.findall(rb"\d+", header["shape"])]
    order = "F" if header["fortran"] == b"True" else "C"
    return as_numbers(data[start:], kind, shape, order, most)


def as_numbers(
    raw: memoryview, kind: np.dtype[Any], shape: list[int], order: str = "C", most: int = MAX_NUMBERS
) -> NDArray[Any]:
    count = math.prod(shape)
    if len(shape) > 8 or count > most:
        raise Refused("it holds too many numbers for a vector")
    if count * kind.itemsize != len(raw):
        raise Refused(f"it is damaged: {count} numbers of {kind.itemsize} bytes announced, {len(raw)} bytes there")
    return np.frombuffer(raw, kind).reshape(shape, order="F" if order == "F" else "C")
