"""`.npy` and `.npz` files from strangers: numbers only, bounded in size, never pickled."""

from __future__ import annotations

import io
import math
import tokenize
import warnings
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from stitchedit.errors import Refused

_MOST = 1e6  # a number of a direction, as of a strength: squares of larger products overflow
MAX_NUMBERS = 1 << 22  # of one vector; W+ at 1024 px has 9,216
MAX_HEADER = 1024  # bytes that are parsed; numpy pads the header of a plain array to 128
_LONGEST_HEADER = 65536  # bytes that are looked at
_MOST_UNPACKED = 8 * MAX_NUMBERS + _LONGEST_HEADER  # bytes of an array
_READERS = {
    1: npy_format.read_array_header_1_0,
    2: npy_format.read_array_header_2_0,
    3: npy_format.read_array_header_2_0,  # the same in UTF-8, which only names of fields need
}


def read_npy(data: memoryview, kinds: str = "fiub", most: int = MAX_NUMBERS) -> NDArray[Any]:
    """The array of a `.npy` file's bytes, as a view of them.

    numpy's own `load` takes the memory that the header claims before it looks for the numbers.

    Args:
        kinds: letters of `numpy.dtype.kind` that are taken; most: numbers that are.
    Raises: Refused.
    """
    file = io.BytesIO(data[:_LONGEST_HEADER])
    shape, fortran, kind = _header(file)
    if kind.kind in "OV":
        raise Refused("its .npy header describes no plain array")
    if kind.kind not in kinds or not kind.itemsize:
        raise Refused("it holds Python objects, texts or other things, not real numbers")
    return as_numbers(data[file.tell() :], kind, list(shape), "F" if fortran else "C", most)


def is_npz(data: memoryview) -> bool:
    """Whether a zip begins with an array of numpy's `savez`."""
    if bytes(data[:4]) != b"PK\x03\x04":
        return False
    length = int.from_bytes(data[26:28], "little")
    return bytes(data[30 : 30 + length]).endswith(b".npy")


def read_npz(data: memoryview) -> NDArray[Any]:
    """The one array of a `.npz`, packed or not. Raises Refused, when there are several."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if len(names) != 1:
                shown = ", ".join(name.removesuffix(".npy")[:20] for name in names[:4])
                raise Refused(f"it holds {len(names)} arrays ({shown}), not one")
            with archive.open(names[0]) as member:
                raw = member.read(_MOST_UNPACKED + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as exc:
        raise Refused("its zip is damaged, or packed in an unknown way") from exc
    if len(raw) > _MOST_UNPACKED:
        raise Refused("it holds too many numbers for a vector")
    return read_npy(memoryview(raw))


def _header(file: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran's order, and type; leaves the file where the numbers begin. Raises Refused."""
    try:
        major, _ = npy_format.read_magic(file)
        if major not in _READERS:
            raise Refused(f"its .npy version {major} is unknown")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numbers such as 18L, of Python 2, and types by old names
            shape, fortran, kind = _READERS[major](file, max_header_size=MAX_HEADER)
    except (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError) as exc:
        if str(exc).startswith("EOF: "):
            raise Refused("its .npy header is longer than the file") from exc
        if isinstance(exc.__cause__, TypeError):
            raise Refused("its .npy header names an unknown type") from exc
        raise Refused("its .npy header describes no plain array") from exc
    if any(side < 0 for side in shape):
        raise Refused("its .npy header describes no plain array")
    return shape, fortran, kind


def as_numbers(
    raw: memoryview, kind: np.dtype[Any], shape: list[int], order: str = "C", most: int = MAX_NUMBERS
) -> NDArray[Any]:
    count = math.prod(shape)
    if len(shape) > 8 or count > most:
        raise Refused("it holds too many numbers for a vector")
    if count * kind.itemsize != len(raw):
        raise Refused(f"it is damaged: {count} numbers of {kind.itemsize} bytes announced, {len(raw)} bytes there")
    return np.frombuffer(raw, kind).reshape(shape, order="F" if order == "F" else "C")


def moving_float32(array: NDArray[Any]) -> NDArray[np.float32]:
    """A float32 copy of the numbers of a direction. Raises Refused, where they move nothing, or beyond all measure."""
    with np.errstate(over="ignore"):
        vector = np.array(array, np.float32, order="C")
    if not np.isfinite(vector).all():
        raise Refused("it holds numbers that are not finite")
    most = float(np.abs(vector).max())
    if most > _MOST:
        raise Refused(f"its numbers go up to {most:.2g}, and codes hardly beyond 10")
    if not most:
        raise Refused("all its numbers are 0, it changes nothing")
    return vector
