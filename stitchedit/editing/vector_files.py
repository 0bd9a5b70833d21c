"""One array of numbers out of the bytes of a .npy, .npz, .pt or .safetensors of a stranger, and a direction out of it.

Nothing in a file is executed, and its size is checked before memory is taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stitchedit.errors import Refused, WrongShape
from stitchedit.files.npy import MAX_NUMBERS, as_numbers, is_npz, moving_float32, read_npy, read_npz
from stitchedit.stylegan2.standins import ELEMENTS, TORCH_FILE, NumpyArray, StoredTensor
from stitchedit.stylegan2.torchfile import read_torch
from stitchedit.stylegan2.unpickle import printable
from stitchedit.types import FloatArray

MAX_JSON_BYTES = 1 << 20

_SAFETENSORS_TYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def shape_direction(vector: FloatArray, num_ws: int, w_dim: int, path: Path | str) -> FloatArray:
    """The vector as the generator takes it: [1, w_dim] for W, [num_ws, w_dim] for W+.

    Leading axes of one are dropped, and a last one; all rows in one, [num_ws * w_dim], are parted; rows that are all
    equal are one W vector.

    Raises: WrongShape, for any other number of rows, or another width.
    """
    column = vector.ndim > 1 and vector.shape[-1] == 1 < w_dim
    shape = vector.shape[:-1] if column else vector.shape
    shape = shape[_ones(shape) :]
    if len(shape) == 1 and shape[0] > w_dim and shape[0] % w_dim == 0:
        shape = (shape[0] // w_dim, w_dim)
    if len(shape) not in (1, 2) or shape[-1] != w_dim or shape[0] == 0:
        raise WrongShape(path, vector.shape, num_ws, w_dim)
    rows = vector.reshape(-1, w_dim)
    if bool((rows == rows[0]).all()):
        return rows[:1].copy()
    if len(rows) != num_ws:
        raise WrongShape(path, vector.shape, num_ws, w_dim)
    return rows.copy()


def _ones(shape: tuple[int, ...]) -> int:
    """How many leading axes of one can go; the last axis stays."""
    count = 0
    while count < len(shape) - 1 and shape[count] == 1:
        count += 1
    return count


def read_arrays(data: memoryview, most: int = MAX_NUMBERS) -> NDArray[Any]:
    """The one array in the bytes of a .npy, .npz or .safetensors. Raises Refused."""
    if bytes(data[:6]) == b"\x93NUMPY":
        return read_npy(data, most=most)
    if is_npz(data):
        return read_npz(data)
    if bytes(data[8:9]) == b"{":
        return _safetensors(data)
    raise Refused("it is none of .npy, .npz, .pt and .safetensors")


def read_torch_tensors(data: memoryview) -> object | None:
    """What torch.save wrote, tensors unread; None, where it is another zip. Raises Refused."""
    return None if is_npz(data) else read_torch(data, lambda _: TORCH_FILE)


def vector_of(array: NDArray[Any]) -> FloatArray:
    """A float32 copy of an array that is a direction. Raises Refused, where it is none."""
    if array.dtype.kind != "f":
        raise Refused(f"it holds {array.dtype.name}, not numbers in floating point")
    if not array.size:
        raise Refused("it holds no number")
    if array.size > MAX_NUMBERS:
        raise Refused(f"it holds {array.size} numbers, too many for a vector")
    return moving_float32(array)


def array_of(value: object) -> NDArray[Any]:
    """The numbers of a tensor in a file, or of a dictionary with one. Raises Refused."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, StoredTensor):
        return _widen(value.array(), value.element)
    if isinstance(value, NumpyArray):
        return value.array
    if isinstance(value, Mapping):
        tensors = [part for part in value.values() if isinstance(part, StoredTensor | NumpyArray)]
        if len(tensors) == 1:
            return array_of(tensors[0])
        shown = ", ".join(printable(n, 20) for n in [name for name in value if isinstance(name, str)][:4])
        raise Refused(f"it holds a dictionary ({shown}) with {len(tensors)} tensors, not one")
    raise Refused(f"it holds a {type(value).__name__}, not one tensor")


def _widen(array: NDArray[Any], element: str) -> NDArray[Any]:
    """bfloat16, read as uint16, is the upper half of a float32."""
    return (array.astype(np.uint32) << 16).view(np.float32) if element == "bfloat16" else array


def _safetensors(data: memoryview) -> NDArray[Any]:
    length = int.from_bytes(data[:8], "little")
    if length > MAX_JSON_BYTES or 8 + length > len(data):
        raise Refused("its safetensors header is longer than the file, or too long for a vector's")
    try:
        header = json.loads(bytes(data[8 : 8 + length]))
    except (ValueError, RecursionError) as exc:
        raise Refused("its safetensors header is damaged") from exc
    tensors = [entry for name, entry in header.items() if name != "__metadata__"]
    if len(tensors) != 1 or not isinstance(tensors[0], dict):
        raise Refused(f"it holds {len(tensors)} tensors, not one")
    element = _SAFETENSORS_TYPES.get(str(tensors[0].get("dtype"))[:8])
    shape, offsets = _counts(tensors[0].get("shape")), _counts(tensors[0].get("data_offsets"))
    if element is None:
        raise Refused("it holds no real numbers")
    body = data[8 + length :]
    if len(offsets) != 2 or not offsets[0] <= offsets[1] <= len(body):
        raise Refused("it is damaged: the tensor reaches beyond the file")
    return _widen(as_numbers(body[offsets[0] : offsets[1]], ELEMENTS[element], shape), element)


def _counts(values: object) -> list[int]:
    if (
        not isinstance(values, list)
        or len(values) > 8
        or any(type(v) is not int or not 0 <= v < 1 << 48 for v in values)
    ):
        raise Refused("its safetensors header is damaged")
    return values
