"""What is exported is read back as the same edit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stitchedit.editing.direction import Direction
from stitchedit.editing.direction_catalogue import find_direction
from stitchedit.editing.export_direction import ENDINGS, export_direction
from stitchedit.editing.move_latents import edit, load_step
from stitchedit.errors import ConfigError, DirectionError
from stitchedit.models.generator import draw
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.types import Latents


def vector(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def codes() -> Latents:
    return Latents(np.random.default_rng(1).standard_normal((2, 1, 16)).astype(np.float32))


@pytest.mark.parametrize("form", ["interfacegan", "e4e", "ganspace"])
def test_a_vector_comes_back(tmp_path: Path, tiny_generator: StyleGAN2, form: str) -> None:
    mine = Direction(vector=3 * vector(16), name="nose")
    done = export_direction(mine, tiny_generator, form, tmp_path)
    assert done.path == tmp_path / f"nose.{form}{ENDINGS[form]}"
    name = f"{done.path}#0" if form == "ganspace" else str(done.path)
    step = load_step(find_direction(name), codes(), tiny_generator)
    np.testing.assert_allclose(done.length * step, 3 * vector(1, 16), rtol=1e-5)
    if form == "interfacegan":
        stored = np.load(done.path)
        assert (stored.dtype, stored.shape, np.linalg.norm(stored)) == (np.float64, (1, 16), pytest.approx(1))
    if form == "e4e":
        loaded = torch.load(done.path, weights_only=True)
        assert (loaded.dtype, loaded.shape, float(loaded.norm())) == (torch.float32, (1, 16), pytest.approx(1))
    if form == "ganspace":
        loaded = torch.load(done.path, weights_only=True)
        assert {k: tuple(v.shape) for k, v in loaded.items()} == {"mean": (1, 16), "comp": (1, 1, 16), "std": (1,)}
        torch.testing.assert_close(loaded["mean"][0], tiny_generator.w_avg)


def test_rows_are_told_where_a_file_cannot_hold_them(tmp_path: Path, tiny_generator: StyleGAN2) -> None:
    done = export_direction(Direction(vector=vector(16), layers=(2, 5)), tiny_generator, "interfacegan", tmp_path)
    assert done.rows == (2, 5)
    assert "rows 2 to 4 of W+ alone" in done.lines()[-1]


def test_of_a_direction_that_bends_the_file_holds_what_strength_1_does(
    tmp_path: Path, tiny_generator: StyleGAN2
) -> None:
    bent = Direction(vector=vector(2, 16), knots=(-1, 1))
    done = export_direction(bent, tiny_generator, "e4e", tmp_path)
    step = load_step(find_direction(str(done.path)), codes(), tiny_generator)
    np.testing.assert_allclose(done.length * step, vector(2, 16)[:1] / 4 + vector(2, 16)[1:] * 0.75, rtol=1e-5)
    assert "bends" in done.lines()[-1]
    assert not export_direction(Direction(vector=vector(16)), tiny_generator, "e4e", tmp_path).straight


def test_rows_that_differ(tmp_path: Path, tiny_generator: StyleGAN2) -> None:
    mine = Direction(vector=vector(12, 16), name="rows")
    for form in ("interfacegan", "ganspace"):
        with pytest.raises(DirectionError, match="rows that differ"):
            export_direction(mine, tiny_generator, form, tmp_path)
    done = export_direction(mine, tiny_generator, "e4e", tmp_path)
    step = load_step(find_direction(str(done.path)), codes(), tiny_generator)
    np.testing.assert_allclose(done.length * step, vector(12, 16), rtol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.e4e.pt"]


@pytest.mark.parametrize("mine", [Direction(vector=vector(16), layers=(2, 9)), Direction(channels=((2, 3, 4.0),))])
def test_a_step_is_the_same_in_style_space(tmp_path: Path, tiny_generator: StyleGAN2, mine: Direction) -> None:
    done = export_direction(mine, tiny_generator, "stylespace", tmp_path)
    here, there = (edit(codes(), [(d, 1.5)], tiny_generator) for d in (mine, find_direction(str(done.path))))
    assert there.offsets is not None
    np.testing.assert_array_equal(there.ws, codes().ws)
    with torch.no_grad():
        moved = None if here.offsets is None else torch.from_numpy(here.offsets)
        wanted = draw(tiny_generator, torch.from_numpy(here.ws), moved)
        found = draw(tiny_generator, torch.from_numpy(there.ws), torch.from_numpy(there.offsets))
        plain = draw(tiny_generator, torch.from_numpy(there.ws))
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)
    assert (plain - found).abs().max() > 0.01


def test_what_cannot_be_exported(tmp_path: Path, tiny_generator: StyleGAN2) -> None:
    with pytest.raises(ConfigError, match="unknown format 'onnx'"):
        export_direction(Direction(vector=vector(16)), tiny_generator, "onnx", tmp_path)
    with pytest.raises(DirectionError, match="no fixed step in W") as caught:
        export_direction(Direction(channels=((2, 3, 1.0),)), tiny_generator, "e4e", tmp_path)
    assert "stylespace" in caught.value.hint
    with pytest.raises(DirectionError, match="no fixed step"):
        export_direction(find_direction("identity"), tiny_generator, "interfacegan", tmp_path, force=True)
    assert not list(tmp_path.iterdir())
