"""An attribute's direction on a made-up W in which everything is linear: what is asked for comes out."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from stitchedit.editing.direction_catalogue import read_direction
from stitchedit.errors import ConfigError
from stitchedit.learning import learn_attribute as module
from stitchedit.learning.generator_samples import draw_ws
from stitchedit.learning.learn_attribute import Effort, learn_attribute
from stitchedit.learning.learn_direction import Output
from stitchedit.learning.own_samples import Reader, Samples
from stitchedit.stylegan2 import StyleGAN2

ROWS = np.random.default_rng(0).normal(size=(4, 16)) * [[0.1], [10.0], [3.0], [1.0]]
NAMES = ("smile", "yaw", "skin", "mouth_open")
EFFORT = Effort(samples=100, people=4, rounds=1, changed=0)


def made_up(generator: StyleGAN2, reader: Reader, count: int, tick: object) -> Samples:
    psi = np.where(np.arange(count) % 3 < 2, 0.7, 1.0)
    w = draw_ws(generator, count, [1, 0], psi.astype(np.float32)).astype(np.float64)
    return Samples(w, psi, w @ ROWS.T, NAMES)


@pytest.fixture(autouse=True)
def linear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "draw_samples", made_up)
    monkeypatch.setattr(module, "read_moved", lambda generator, reader, w: w[:, 0].astype(np.float64) @ ROWS.T)


def test_the_attribute_moves_by_its_unit_and_the_others_stay(tiny_generator: StyleGAN2, tmp_path: Path) -> None:
    found = learn_attribute("grin", Reader("smile"), tiny_generator, Output(tmp_path), EFFORT)
    assert (found.attribute, found.amount, found.measured_in) == ("smile", 0.25, "smile coefficient")
    step = load_file(found.file)["direction"]
    moved = ROWS @ step
    assert moved[0] == pytest.approx(0.25, rel=0.02)
    spread = made_up(tiny_generator, Reader("smile"), 100, None).spread
    assert np.abs(moved[[1, 2]] / spread[[1, 2]]).max() < 0.02, "held"
    assert found.held_out_r is not None
    assert found.held_out_r > 0.95
    assert found.effects["smile"] == pytest.approx(0.25 / spread[0], rel=0.02)
    assert {path.suffix for path in tmp_path.iterdir()} == {".toml", ".safetensors", ".png", ".json"}
    kept = read_direction(tmp_path / "grin.toml")
    assert kept.made_for == "tiny-128"
    assert "own" not in tomllib.loads((tmp_path / "grin.toml").read_text())["unit"]


def test_a_coefficient_of_which_nothing_is_known(
    tiny_generator: StyleGAN2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One SD of it; what goes with it closely may follow."""
    monkeypatch.setattr("stitchedit.learning.learn_direction.write_report", lambda *_: None)
    found = learn_attribute("skin", Reader("skin"), tiny_generator, Output(tmp_path), EFFORT)
    spread = made_up(tiny_generator, Reader("skin"), 100, None).spread
    assert found.amount == pytest.approx(spread[2])
    assert abs(found.effects["yaw"]) < 0.02


def test_what_cannot_be_learned(tiny_generator: StyleGAN2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="--samples is 59"):
        learn_attribute("x", Reader("smile"), tiny_generator, Output(tmp_path), Effort(samples=59))
    monkeypatch.setattr(module, "read_moved", lambda generator, reader, w: np.zeros((len(w), 4)))
    with pytest.raises(ConfigError, match="no step in this generator's W moves 'smile'"):
        learn_attribute("x", Reader("smile"), tiny_generator, Output(tmp_path), EFFORT)
    assert not list(tmp_path.iterdir())
