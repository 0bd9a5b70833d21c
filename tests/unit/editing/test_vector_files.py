import io
import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_files import torch_file
from safetensors.torch import save as save_safetensors

from stitchedit.editing.edit_files import Vector, read_edit
from stitchedit.editing.vector_files import shape_direction
from stitchedit.errors import DirectionError, WrongShape
from stitchedit.files.npy import MAX_NUMBERS


def vector(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def npy(array: np.ndarray, **kwargs: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **kwargs)  # type: ignore[arg-type]
    return buffer.getvalue()


def npz(save: Callable[..., None], **arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def header(text: str, version: int = 1) -> bytes:
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode()


def read(tmp_path: Path, data: bytes) -> np.ndarray:
    path = tmp_path / "direction"  # no ending: the content tells
    path.write_bytes(data)
    found = read_edit(path)
    assert isinstance(found, Vector)
    return found.numbers


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch CANARY",)


BASE = vector(1, 18, 8)
WRITTEN = {
    "npy float32": npy(BASE),
    "npy float64": npy(BASE.astype(np.float64)),
    "npy float16": npy(BASE.astype(np.float16)),
    "npy big-endian": npy(BASE.astype(">f4")),
    "npy fortran order": npy(np.asfortranarray(BASE)),
    "npy of Python 2": header("{'descr': '<f4', 'fortran_order': False, 'shape': (1L, 18L, 8L), }") + BASE.tobytes(),
    "npy version 2": header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 18, 8)}\n", 2) + BASE.tobytes(),
    "pt": torch_file(torch.from_numpy(BASE)),
    "pt before 1.6": torch_file(torch.from_numpy(BASE), zipped=False),
    "pt parameter": torch_file(torch.nn.Parameter(torch.from_numpy(BASE))),
    "pt float64": torch_file(torch.from_numpy(BASE).double()),
    "pt float16": torch_file(torch.from_numpy(BASE).half()),
    "pt bfloat16": torch_file(torch.from_numpy(BASE).bfloat16()),
    "pt strided": torch_file(torch.from_numpy(BASE.transpose(0, 2, 1).copy()).permute(0, 2, 1)),
    "pt from cuda": torch_file(torch.from_numpy(BASE), zipped=False).replace(b"\3\0\0\0cpu", b"\6\0\0\0cuda:0"),
    "pt numpy array": torch_file(BASE.astype(np.float64)),
    "pt in a dictionary": torch_file({"direction": torch.from_numpy(BASE), "name": "age", "step": 3}),
    "npz": npz(np.savez, v=BASE),
    "npz packed": npz(np.savez_compressed, arr_0=BASE),
    "safetensors": save_safetensors({"v": torch.from_numpy(BASE)}, {"by": "x"}),
    "safetensors float64": save_safetensors({"v": torch.from_numpy(BASE).double()}),
    "safetensors bfloat16": save_safetensors({"v": torch.from_numpy(BASE).bfloat16()}),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_vectors_come_back_whatever_wrote_them(tmp_path: Path, case: str) -> None:
    found = read(tmp_path, WRITTEN[case])
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert found.flags.writeable
    assert found.shape == BASE.shape
    np.testing.assert_allclose(found, BASE, rtol=2**-7 if "16" in case else 0, atol=2e-3 if "float16" in case else 0)


def test_a_slice_of_a_larger_tensor(tmp_path: Path) -> None:
    """GANSpace's components have strides (1, 80, 80)."""
    whole = torch.from_numpy(vector(8, 80))
    np.testing.assert_array_equal(read(tmp_path, torch_file(whole.T[3])), whole.numpy()[:, 3])


REFUSED = {
    "empty": (b"", "the file is empty"),
    "text": (b"0.1, 0.2", "none of .npy, .npz, .pt and .safetensors"),
    "dictionary": (torch_file({"a": torch.ones(3), "b": torch.ones(3)}), r"dictionary \(a, b\) with 2 tensors"),
    "zeros": (npy(np.zeros(8, np.float32)), "all its numbers are 0"),
    "nothing": (npy(np.zeros(0, np.float32)), "it holds no number"),
    "overflow": (npy(np.full(8, 3e30, np.float32)), "go up to 3e\\+30"),
    "two arrays": (npz(np.savez, a=BASE, b=BASE), r"2 arrays \(a, b\), not one"),
    "npz bomb": (npz(np.savez_compressed, a=np.zeros(1 << 23)), "too many numbers"),
    "npz cut": (npz(np.savez, a=BASE)[:-40], "its zip is damaged"),
    "list": (torch_file([torch.zeros(3)]), "all its numbers are 0"),
    "list of lists": (torch_file([[torch.zeros(3)]]), "a layer is no tensor"),
    "integers": (npy(np.zeros(8, np.int64)), "it holds int64"),
    "complex": (npy(np.zeros(8, np.complex64)), "Python objects, texts"),
    "objects": (npy(np.array([{}], object), allow_pickle=True), "header describes no plain array"),
    "texts": (npy(np.array(["a"])), "Python objects, texts"),
    "records": (npy(np.zeros(3, [("a", "f4")])), "header describes no plain array"),
    "code in a header": (header("__import__('os').system('touch CANARY')"), "no plain array"),
    "parentheses in a header": (header("(" * 60_000), "no plain array"),
    "npy version 9": (b"\x93NUMPY\x09\x00" + bytes(20), "version 9 is unknown"),
    "npy cut": (npy(BASE)[:-1], "576 bytes there|575 bytes there"),
    "npy too long": (npy(BASE) + b"x", "bytes there"),
    "npy bomb": (
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }"),
        "too many numbers",
    ),
    "npy overflow": (
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4294967296), }"),
        "too many numbers",
    ),
    "npy header beyond the file": (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", "longer than the file"),
    "npy unknown type": (header("{'descr': '<q9', 'fortran_order': False, 'shape': (1,), }") + b"0123", "unknown type"),
    "many numbers": (npy(np.zeros(MAX_NUMBERS + 1, np.float16)), "too many for a vector"),
    "nan": (npy(np.array([1, np.nan], np.float32)), "not finite"),
    "inf": (torch_file(torch.tensor([1.0, torch.inf])), "not finite"),
    "beyond float32": (npy(np.array([1e300])), "not finite"),
    "bare pickle": (pickle.dumps(BASE), "bare pickle"),
    "os.system in a pickle": (pickle.dumps(Evil()), "bare pickle"),
    "os.system in a torch file": (torch_file({"x": Evil()}), "names posix.system"),
    "os.system in an old torch file": (torch_file(Evil(), zipped=False), "names posix.system"),
    "two tensors": (save_safetensors({"a": torch.zeros(2), "b": torch.zeros(2)}), "2 tensors, not one"),
    "integers in safetensors": (save_safetensors({"a": torch.zeros(2, dtype=torch.int64)}), "no real numbers"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_anything_else_gets_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.chdir(tmp_path)
    data, message = REFUSED[case]
    with pytest.raises(DirectionError, match=message) as caught:
        read(tmp_path, data)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert caught.value.exit_code == 8
    assert [p.name for p in tmp_path.iterdir()] == ["direction"]


def safetensors(entry: object, body: int = 32, **more: object) -> bytes:
    text = json.dumps({"v": entry, **more}).encode()
    return struct.pack("<Q", len(text)) + text + bytes(body)


@pytest.mark.parametrize(
    "data",
    [
        safetensors({"dtype": "F32", "shape": [8], "data_offsets": [0, 64]}),
        safetensors({"dtype": "F32", "shape": [8], "data_offsets": [32, 0]}),
        safetensors({"dtype": "F32", "shape": [8], "data_offsets": [0]}),
        safetensors({"dtype": "F32", "shape": [8], "data_offsets": [0, 16]}),
        safetensors({"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}),
        safetensors({"dtype": "F32", "shape": [-8], "data_offsets": [0, 32]}),
        safetensors({"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}),
        safetensors({"dtype": "F32", "shape": "8", "data_offsets": [0, 32]}),
        safetensors({"dtype": ["F32"], "shape": [8], "data_offsets": [0, 32]}),
        safetensors({"dtype": "F32"}),
        safetensors([]),
        safetensors(None),
        struct.pack("<Q", 40) + b'{"a": ' + b"[" * 34,
        struct.pack("<Q", 1 << 60) + b"{}",
        struct.pack("<Q", 90_000) + b'{"a":' + b"[" * 89_995,
        struct.pack("<Q", 5) + b"{\xff\xff\xff}",
    ],
)
def test_damaged_safetensors(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DirectionError):
        read(tmp_path, data)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DirectionError, match="no such file"):
        read_edit(tmp_path / "absent.npy")
    with pytest.raises(DirectionError, match="a folder"):
        read_edit(tmp_path)


SIX = vector(6, 8)


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        (SIX[0], 1),
        (SIX[0][:, None], 1),
        (SIX[0][None, :, None], 1),
        (SIX[:1], 1),
        (SIX[None, :1], 1),
        (SIX[None, None], 6),
        (SIX, 6),
        (SIX.reshape(-1), 6),
        (SIX.reshape(1, -1), 6),
        (np.repeat(SIX[:1], 18, 0), 1),
        (np.repeat(SIX[:1], 6, 0)[None], 1),
        (np.repeat(SIX[:1], 3, 0), 1),
    ],
)
def test_one_w_vector_or_one_row_a_layer(given: np.ndarray, rows: int) -> None:
    found = shape_direction(given, 6, 8, "x.npy")
    np.testing.assert_array_equal(found, SIX[:rows])
    found[:] = 0  # its own memory
    assert given.any()


@pytest.mark.parametrize(
    "shape", [(9,), (1, 9), (5, 8), (18, 8), (2, 6, 8), (6, 1, 8), (49,), (40,), (56,), (0, 8), (0,), (), (8, 6)]
)
def test_other_shapes_are_refused_with_both_numbers(shape: tuple[int, ...]) -> None:
    with pytest.raises(WrongShape, match=r"x.npy holds a vector of shape \[") as caught:
        shape_direction(vector(*shape), 6, 8, "x.npy")
    assert caught.value.hint.startswith("this generator takes [8] (W) or [6, 8] (W+)")
    assert ("save the rows" in caught.value.hint) == (shape in ((18, 8), (56,)))
    assert ("codes of 2 pictures" in caught.value.hint) == (shape == (2, 6, 8))
    assert caught.value.found == shape


def test_every_truncation_and_many_mutations_end_in_one_line(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / "direction"
    messages: list[str] = []
    for name in ("npy float32", "npz packed", "pt", "pt before 1.6", "safetensors"):
        data = WRITTEN[name]
        cases = [data[:end] for end in range(0, len(data), 17)]
        for _ in range(100):
            changed = bytearray(data)
            for at in random.integers(0, min(len(data), 900), random.integers(1, 4)):
                changed[at] = random.integers(256)
            cases.append(bytes(changed))
        for case in cases:
            path.write_bytes(case)
            try:
                found = read(tmp_path, case)
            except DirectionError as exc:
                messages.append(str(exc))
                continue
            assert np.isfinite(found).all()
            assert found.size <= BASE.size
    assert len(messages) > 300
    assert not any("\n" in message for message in messages)
