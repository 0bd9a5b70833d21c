"""StyleCLIP's global directions: golden numbers, and the whole way with a tiny random CLIP."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edit_files import numbers
from tiny_clip import write_clip

from stitchedit.editing.direction_catalogue import find_direction
from stitchedit.editing.move_latents import load_direction
from stitchedit.editing.text_direction import (
    class_embedding,
    global_direction,
    keep_direction,
    templates,
    text_direction,
)
from stitchedit.errors import ConfigError, DirectionError

GOLDEN = Path(__file__).parents[2] / "golden" / "edits.npz"


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 2.0])
def test_the_golden_directions(beta: float) -> None:
    with np.load(GOLDEN) as golden:
        neutral, target = golden["styleclip.in.class_weights_neutral_target"].T
        found = global_direction(golden["styleclip.in.fs3"], neutral, target, beta)
        wanted = golden[f"styleclip.out.direction_beta{beta}"]
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    assert np.abs(found).max() == pytest.approx(1)


def test_no_channel_is_left() -> None:
    with pytest.raises(DirectionError, match="no channel has a relevance above --beta 9") as caught:
        global_direction(numbers(20, 4), numbers(4), numbers(4, seed=1), 9)
    assert "smaller --beta" in caught.value.hint


def test_a_text_is_the_mean_over_the_templates() -> None:
    asked = []

    def encode(texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        return np.stack([numbers(6, seed=len(text)) for text in texts])

    found = class_embedding("face", encode)  # type: ignore[arg-type]
    assert len(asked) == len(set(templates())) == 80
    assert "a photo of a face." in asked
    each = np.stack([numbers(6, seed=len(text)) for text in asked])
    mean = (each / np.linalg.norm(each, axis=1, keepdims=True)).mean(0)
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-6)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers")
    return write_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    np.save(tmp_path / "fs3.npy", numbers(100, 8))
    return tmp_path / "fs3.npy"


def test_two_texts_give_a_direction_in_style_space(clip: Path, table: Path) -> None:
    found = text_direction(table, "face", "face with a beard", beta=0.1, clip=str(clip))
    assert (found.space, found.name, found.vector.shape) == ("S", "face-with-a-beard", (100,))
    assert np.abs(found.vector).max() == pytest.approx(1)
    again = text_direction(table, "face", "face with a beard", beta=0.1, clip=str(clip))
    np.testing.assert_array_equal(found.vector, again.vector)
    back = text_direction(table, "face with a beard", "face", beta=0.1, clip=str(clip))
    np.testing.assert_allclose(back.vector, -found.vector, atol=1e-6)
    other = text_direction(table, "face", "old face", beta=0.1, clip=str(clip))
    assert np.abs(other.vector - found.vector).max() > 0.1


def test_a_direction_can_be_kept(clip: Path, table: Path, tmp_path: Path) -> None:
    made = text_direction(table, "face", "old face", beta=0.1, clip=str(clip), name="old")
    kept = load_direction(find_direction(keep_direction(made, tmp_path / "mine", "w-1")))
    np.testing.assert_array_equal(kept.vector, made.vector)
    assert (kept.name, kept.space, kept.made_for, kept.source) == ("old", "S", "w-1", made.source)


def test_what_cannot_be_is_refused(clip: Path, table: Path, tmp_path: Path) -> None:
    for texts in (("face", "face"), ("", "face"), ("face", "  ")):
        with pytest.raises(ConfigError, match="--from is"):
            text_direction(table, *texts, clip=str(clip))
    with pytest.raises(ConfigError, match="--beta is nan"):
        text_direction(table, "face", "beard", beta=float("nan"), clip=str(clip))
    np.save(tmp_path / "v.npy", numbers(8))
    with pytest.raises(DirectionError, match="holds a vector"):
        text_direction(tmp_path / "v.npy", "face", "beard", clip=str(clip))
    np.save(tmp_path / "wide.npy", numbers(100, 9))
    with pytest.raises(DirectionError, match=r"CLIP space of 9, .* has 8"):
        text_direction(tmp_path / "wide.npy", "face", "beard", clip=str(clip))
