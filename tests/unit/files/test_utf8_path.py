import os
from pathlib import Path

import pytest
import torch

from stitchedit.files.array_files import save_tensors
from stitchedit.files.utf8_path import is_utf8, utf8_path
from stitchedit.project.artefacts import load_tensors


@pytest.mark.parametrize("name", [b"caf\xe9.safetensors", "caf\u00e9.safetensors".encode()])
def test_tensors_come_back_from_any_name(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    save_tensors(path, {"a": torch.arange(3)}, {"fingerprint": "x"})
    tensors, metadata = load_tensors(path)
    assert (tensors["a"].tolist(), metadata) == ([0, 1, 2], {"fingerprint": "x"})
    with utf8_path(path) as named:
        assert is_utf8(named)
        assert named.samefile(path)
