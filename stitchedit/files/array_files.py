"""Tensors and arrays written as safetensors and `.npz` files that are never half there."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from numpy.typing import NDArray
from torch import Tensor

from stitchedit.files.atomic import atomic


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """A safetensors file whose bytes depend on nothing but the arguments. Raises NotWritable, DiskFull."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    data = memoryview(safetensors.torch.save(plain, dict(metadata)))
    # The library writes the header's entries in an order that changes from run to run.
    (length,) = struct.unpack_from("<Q", data)
    header = json.dumps(json.loads(bytes(data[8 : 8 + length])), sort_keys=True).encode()
    header += b" " * (-len(header) % 8)
    with atomic(path) as temp, temp.open("wb") as file:
        for part in (struct.pack("<Q", len(header)), header, data[8 + length :]):
            file.write(part)


def save_array(path: Path, array: NDArray[Any]) -> None:
    """A `.npy` file, whatever its name ends with. Raises NotWritable, DiskFull."""
    with atomic(path) as temp, temp.open("wb") as file:  # numpy would add an ending to a name
        np.save(file, array)


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """An `.npz` file, not compressed. Raises NotWritable, DiskFull."""
    with atomic(path) as temp, temp.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
