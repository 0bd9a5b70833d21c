"""Gram matrices of picture change: of a generator whose change is known, and of steps that are least by them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from stitchedit.errors import UnknownCheckpoint
from stitchedit.learning import picture_change
from stitchedit.learning.linear_regression import smallest_step
from stitchedit.learning.picture_change import (
    SIZE,
    SKETCH_PX,
    even,
    outside_change,
    outside_sketch,
    picture_grams,
    save_outside_change,
    spread_within,
)
from stitchedit.models.generator import Generator
from stitchedit.models.perceptual import MobileNetPerceptual
from stitchedit.stylegan2 import StyleGAN2


class _TwoHalves:
    """Axis 0 of W lights the left half, axis 1 the right one twice as much, axes 2 and 3 nothing."""

    w_dim = 4
    w_avg = torch.zeros(4)

    def synthesis(self, ws: torch.Tensor, resolution: int) -> torch.Tensor:
        picture = torch.zeros(len(ws), 3, SIZE, SIZE)
        picture[..., : SIZE // 2] += ws[:, 0, 0, None, None, None] / 127.5
        picture[..., SIZE // 2 :] += 2 * ws[:, 0, 1, None, None, None] / 127.5
        return picture


def _grams() -> dict[str, np.ndarray]:
    eyes = SimpleNamespace(features=lambda image: [image[:, :1, ::64, ::64] * 127.5])
    left = np.zeros((SIZE, SIZE), np.float32)
    left[:, : SIZE // 2] = 1
    parts = {"outside": left, "face": 1 - left, "hair": np.zeros_like(left)}
    w = np.zeros((2, 4), np.float32)
    return picture_grams(cast(Generator, _TwoHalves()), cast(MobileNetPerceptual, eyes), w, [parts, parts], at_once=3)


def test_change_is_counted_where_it_is() -> None:
    grams = _grams()
    assert set(grams) == {"grey_outside", "grey_face", "perceptual_outside", "perceptual_face"}, "no hair, no figure"
    for kind in ("grey", "perceptual"):
        np.testing.assert_allclose(grams[f"{kind}_outside"], np.diag([1, 0, 0, 0]), atol=1e-3)
        np.testing.assert_allclose(grams[f"{kind}_face"], np.diag([0, 4, 0, 0]), atol=1e-3)


def test_a_step_goes_where_little_changes() -> None:
    rows = np.array([[1.0, 1.0, 0, 0]])
    plain = smallest_step(np.eye(4), rows, np.ones(1))
    np.testing.assert_allclose(plain, [0.5, 0.5, 0, 0], atol=1e-9)
    change = even(_grams()["grey_outside"])
    assert np.trace(change) == pytest.approx(4)
    aside = smallest_step(spread_within(np.eye(4), change), rows, np.ones(1))
    assert rows @ aside == pytest.approx(1)
    np.testing.assert_allclose(aside[:2], [1 / 6, 5 / 6], atol=1e-3)  # axis 0 costs 1 + 4, axis 1 costs 1
    likely = smallest_step(spread_within(np.eye(4), change, likely=1e6), rows, np.ones(1))
    np.testing.assert_allclose(likely, plain, atol=1e-3)


def test_the_change_that_comes_along_is_that_of_the_default_generator() -> None:
    found = outside_change()
    assert found.shape == (512, 512)
    np.testing.assert_array_equal(found, found.T)
    assert np.trace(found) == pytest.approx(2 * 512, rel=1e-2)
    assert np.linalg.eigvalsh(found).min() > -0.1


def test_a_file_of_change_goes_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "change.safetensors"
    monkeypatch.setattr(picture_change, "packaged_file", lambda name: path)
    save_outside_change(_grams(), path, "none")
    np.testing.assert_allclose(outside_change(), np.diag([8, 0, 0, 0]), atol=0.02)
    path.write_bytes(b"no tensors")
    with pytest.raises(UnknownCheckpoint):
        outside_change()


def test_a_sketch_says_where_steps_change_the_outside() -> None:
    """Against the definition, J' J by differences; the part that does not count has no say."""
    torch.manual_seed(0)
    sizes = {"img_resolution": 16, "mapping_layers": 2, "channels": {4: 8, 8: 8, 16: 8}}
    generator = StyleGAN2(made_for="x", z_dim=8, w_dim=8, **sizes).eval().requires_grad_(False)  # type: ignore[arg-type]
    w, part = torch.randn(1, 8), np.zeros((16, 16), np.float32)
    part[:, :8] = 1
    found = outside_sketch(generator, w, [part], draws=120)
    levels = []
    for axis in torch.eye(8):
        there, back = (generator.synthesis((w[0] + sign * 1e-2 * axis)[None, None]) for sign in (1, -1))
        change = (there - back)[0] * (127.5 / 3**0.5 / 2e-2)
        levels.append(torch.nn.functional.adaptive_avg_pool2d(change, SKETCH_PX)[:, :, : SKETCH_PX // 2].flatten())
    jacobian = torch.stack(levels).double().numpy() / (SKETCH_PX * SKETCH_PX / 2) ** 0.5
    wanted = jacobian @ jacobian.T
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.9
    assert np.trace(found) == pytest.approx(np.trace(wanted), rel=0.25)
    assert not outside_sketch(generator, w, [0 * part]).any()
