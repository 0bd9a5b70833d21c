"""What is written is read back, the same bytes each time, and never half there."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from stitchedit.errors import NotWritable
from stitchedit.files.array_files import save_arrays, save_tensors

TENSORS = {"b": torch.arange(6.0).reshape(2, 3).T, "a": torch.ones(1, dtype=torch.float16), "c": torch.zeros(0)}


def test_tensors_are_read_back_and_their_bytes_are_always_the_same(tmp_path: Path) -> None:
    metadata = {key: key * 3 for key in "zyxw"}
    for name in ("one", "two"):
        save_tensors(tmp_path / name, TENSORS, metadata)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with safe_open(tmp_path / "one", framework="pt") as file:
        assert file.metadata() == metadata
        assert {name: file.get_tensor(name).tolist() for name in TENSORS} == {n: t.tolist() for n, t in TENSORS.items()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_arrays_are_read_back(tmp_path: Path) -> None:
    save_arrays(tmp_path / "arrays.npz", {"x": np.arange(3), "name": np.array("y")})
    with np.load(tmp_path / "arrays.npz", allow_pickle=False) as found:
        assert found["x"].tolist() == [0, 1, 2]
        assert str(found["name"]) == "y"
    assert [path.name for path in tmp_path.iterdir()] == ["arrays.npz"]


def test_where_nothing_can_be_written_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotWritable):
        save_tensors(tmp_path / "none" / "x.safetensors", TENSORS, {})
    with pytest.raises(NotWritable):
        save_arrays(tmp_path / "none" / "x.npz", {"x": np.zeros(1)})
