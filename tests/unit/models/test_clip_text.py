from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_clip import write_clip

from stitchedit.errors import ConfigError, WeightsError
from stitchedit.models.clip_text import text_encoder

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip"))


def test_a_text_is_the_same_alone_and_beside_longer_ones(folder: Path) -> None:
    encode = text_encoder(str(folder))
    together = encode(["face", "face with a beard", "old face"])
    assert (together.shape, together.dtype) == ((3, 8), np.float32)
    for text, found in zip(("face", "face with a beard", "old face"), together, strict=True):
        np.testing.assert_allclose(encode([text])[0], found, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 0.01


def test_a_text_that_is_too_long(folder: Path) -> None:
    with pytest.raises(ConfigError, match="longer than the 77 tokens"):
        text_encoder(str(folder))(["very " * 80 + "old"])


def test_weights_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="cannot load CLIP from nobody/clip") as caught:
        text_encoder("nobody/clip")
    assert "\n" not in str(caught.value)
    assert "hf download nobody/clip" in caught.value.hint
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="empty"):
        text_encoder(str(tmp_path / "empty"))


def test_without_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match="transformers is not installed") as caught:
        text_encoder()
    assert caught.value.hint == "pip install 'stitchedit[clip]'"
