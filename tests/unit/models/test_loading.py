from pathlib import Path

import pytest
import torch

from stitchedit.errors import DeviceError, NotFetched
from stitchedit.models import loading


def test_devices() -> None:
    assert loading.device("cpu") == torch.device("cpu")
    assert loading.device("auto").type in ("cpu", "cuda")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError):
            loading.device("cuda")


def test_the_default_generator_and_its_hash() -> None:
    generator, sha = loading.generator("default", torch.device("cpu"))
    assert generator.made_for == "ffhq-1024"
    assert len(sha) == 64


def test_names_that_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "g.pkl").touch()
    monkeypatch.chdir(tmp_path)
    assert loading.lasting_name("g.pkl") == str(tmp_path / "g.pkl")
    assert loading.lasting_name("default") == "default"


def test_unknown_generators(tmp_path: Path) -> None:
    with pytest.raises(NotFetched):
        loading.generator("no-such-name", torch.device("cpu"))
