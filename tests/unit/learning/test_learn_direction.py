"""Directions of the user's own, on a tiny generator: what is written works as an edit."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stitchedit.editing.direction import CurvePoint, Direction, checked_name
from stitchedit.editing.direction_catalogue import read_direction
from stitchedit.editing.move_latents import edit
from stitchedit.errors import ConfigError, OtherGenerator
from stitchedit.learning.direction_report import IDENTITY, SIDE_EFFECT, missed, report_direction
from stitchedit.learning.labelled_faces import Labelled, seed_w
from stitchedit.learning.learn_direction import Output, checked_layers, learn_axes, learn_labelled
from stitchedit.learning.unsupervised import sample_w
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.types import Latents


def _labelled(generator: StyleGAN2, rows: np.ndarray) -> tuple[Labelled, np.ndarray]:
    """150 people whose labels are linear in w."""
    w = np.stack([seed_w(generator, seed, 1.0) for seed in range(150)])
    names = ("label", "other")[: len(rows)]
    return Labelled(tuple(range(150)), w.astype(np.float64) @ rows.T, names), w


def test_a_label_is_moved_by_its_unit_and_the_held_one_stays(tiny_generator: StyleGAN2, tmp_path: Path) -> None:
    rows = np.random.default_rng(4).normal(size=(2, 16))
    labelled, w = _labelled(tiny_generator, rows)
    found = learn_labelled("nose", labelled, w, tiny_generator, Output(tmp_path), amount=0.5, measured_in="noses")
    assert found.held_out_r is not None
    assert found.held_out_r > 0.95
    assert {p.name for p in tmp_path.iterdir()} == {f"nose.{kind}" for kind in ("safetensors", "toml", "png", "json")}
    direction = read_direction(tmp_path / "nose.toml")
    assert (direction.made_for, direction.amount, direction.measured_in) == ("tiny-128", 0.5, "noses")
    latents = Latents(w[:2, None].astype(np.float32))
    step = (edit(latents, [(str(tmp_path / "nose.toml"), 1.0)], tiny_generator).ws - latents.ws)[0, 0]
    np.testing.assert_allclose(rows @ step, [0.5, 0.0], atol=0.03)
    facts = json.loads((tmp_path / "nose.json").read_text(encoding="utf-8"))
    assert facts["held_out_r"] == found.held_out_r


def test_by_default_strength_one_is_a_standard_deviation_of_the_label(
    tiny_generator: StyleGAN2, tmp_path: Path
) -> None:
    rows = np.random.default_rng(5).normal(size=(1, 16))
    labelled, w = _labelled(tiny_generator, rows)
    found = learn_labelled("nose", labelled, w, tiny_generator, Output(tmp_path, layers=(2, 5)))
    assert found.amount == pytest.approx(labelled.values[:, 0].std())
    latents = Latents(w[:1, None].astype(np.float32))
    moved = edit(latents, [(str(tmp_path / "nose.toml"), 1.0)], tiny_generator).ws[0] - w[0]
    assert moved.shape == (12, 16)
    assert not moved[[0, 1, 5, 11]].any()
    np.testing.assert_allclose(rows @ moved[3], found.amount, rtol=0.05)


def test_noise_is_called_noise(tiny_generator: StyleGAN2, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    labelled, w = _labelled(tiny_generator, np.ones((1, 16)))
    noise = Labelled(labelled.faces, np.random.default_rng(1).normal(size=(150, 1)), ("label",))
    with caplog.at_level(logging.WARNING):
        learn_labelled("noise", noise, w, tiny_generator, Output(tmp_path))
    assert "hardly to be read off w" in caplog.text


def test_axes_are_numbered(tiny_generator: StyleGAN2, tmp_path: Path) -> None:
    found = learn_axes("pca", tiny_generator, Output(tmp_path), components=2)
    assert [d.name for d in found] == ["pca1", "pca2"]
    assert "% of the variance of W" in found[0].source
    latents = Latents(sample_w(tiny_generator, count=3)[:, None].astype(np.float32))
    for direction in found:
        assert edit(latents, [(str(direction.file.with_suffix(".toml")), 2.0)], tiny_generator).ws.shape == (3, 1, 16)
    (factor,) = learn_axes("sefa", tiny_generator, Output(tmp_path, layers=(0, 4)), factors=1)
    assert factor.layers == (0, 4)
    with pytest.raises(ConfigError, match="17 directions"):
        learn_axes("pca", tiny_generator, Output(tmp_path), components=17)


def test_names_layers_and_holds_are_checked(tiny_generator: StyleGAN2, tmp_path: Path) -> None:
    for name in ("", "../up", "a b", "-x"):
        with pytest.raises(ConfigError):
            checked_name(name)
    assert checked_layers("0:12", tiny_generator) == (0, 12)
    for text in ("4", "4:4", "0:13", "-1:3", "a:b"):
        with pytest.raises(ConfigError, match="--layers"):
            checked_layers(text, tiny_generator)
    labelled, w = _labelled(tiny_generator, np.ones((1, 16)))
    with pytest.raises(ConfigError, match="tiny-128"):
        learn_labelled("nose", labelled, w, tiny_generator, Output(tmp_path), hold=["age"])
    assert not list(tmp_path.iterdir())


def test_a_report_shows_what_the_toml_says(tiny_generator: StyleGAN2, tmp_path: Path) -> None:
    (known,) = learn_axes("pca", tiny_generator, Output(tmp_path), components=1)
    assert report_direction(known, tiny_generator, tmp_path / "again")["effects"] == {}
    assert (tmp_path / "again.png").exists(), "faces are drawn where nothing was measured"
    figures = Direction(
        name="age",
        file=known.file,
        made_for="tiny-128",
        range=(-1.0, 2.0),
        attribute="age",
        effects={"age": 0.8, "smile": -0.4, "yaw": 0.1},
        identity_distance=0.4,
        curve=(CurvePoint(-1.0, -9.0, 0.3, 1.0), CurvePoint(2.0, 19.0, 0.5, 0.9)),
    )
    facts = report_direction(figures, tiny_generator, tmp_path / "deep" / "age")
    assert facts["missed"] == ["smile -0.40 SD", "identity distance 0.40"]
    assert json.loads((tmp_path / "deep" / "age.json").read_text(encoding="utf-8")) == facts
    with Image.open(tmp_path / "deep" / "age.png") as picture:
        assert picture.width > 600
        assert picture.height > 6 * 128
    other = Direction(name="age", file=known.file, made_for="cats-256", attribute="age", effects={"age": 1.0})
    with pytest.raises(OtherGenerator) as told:
        report_direction(other, tiny_generator, tmp_path / "age")
    assert "--force" in told.value.hint
    assert report_direction(other, tiny_generator, tmp_path / "age", force=True)["missed"] == []


def test_aims_are_missed_by_others_than_the_attribute_alone() -> None:
    direction = Direction("gender", Path("x"), attribute="gender", effects={"gender": 2.0, "age": SIDE_EFFECT})
    assert missed(direction) == []
    assert missed(Direction("gender", Path("x"), identity_distance=IDENTITY + 0.1)) == []
    assert missed(Direction("age", Path("x"), identity_distance=IDENTITY + 0.1)) == ["identity distance 0.45"]
