"""A video that shows all of the generator's change keeps 1 of it; one that shows half of it, a half."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from stitchedit.errors import ProjectError
from stitchedit.evaluation.clip_versions import Places
from stitchedit.evaluation.edit_effect import Moves, load_moves, made_and_seen
from stitchedit.masks.region_shape import Shape
from stitchedit.pipeline.face_edit import MOVES, edit_digest
from stitchedit.pipeline.inversion import Inversion
from stitchedit.project.artefacts import save_moves
from stitchedit.project.records import Records
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.types import EditedLatents, FloatArray, Latents

SIZE, COUNT = 64, 2
QUAD = np.float32([[0, 0], [0, SIZE], [SIZE, SIZE], [SIZE, 0]])


@pytest.mark.parametrize("part", [1.0, 0.5])
def test_what_arrives(tiny_generator: StyleGAN2, part: float) -> None:
    ws = np.random.default_rng(0).normal(size=(COUNT, 1, tiny_generator.w_dim)).astype(np.float32)
    crops: Any = SimpleNamespace(frames=np.array([0, 2]), quads=np.stack([QUAD] * COUNT), size=SIZE)
    nothing: Any = None
    tuned = Inversion(nothing, nothing, nothing, crops, nothing, Latents(ws), tiny_generator)
    moves = Moves(tuned, tuned, Latents(ws + np.float32(0.05)), ())
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    shape = Shape(((0.5 + 0.25 * np.stack([np.cos(angle), np.sin(angle)], 1)).astype(np.float32),))
    places = Places(nothing, crops, nothing, [shape] * COUNT)
    source = [np.full((SIZE, SIZE, 3), 128, np.uint8)] * 3
    edit = [source[0].copy() for _ in range(3)]
    with torch.no_grad():
        before, after = (
            tiny_generator.synthesis(torch.from_numpy(codes), resolution=SIZE) for codes in (ws, moves.codes.ws)
        )
    made = (127.5 * (after.clamp(-1, 1) - before.clamp(-1, 1))).permute(0, 2, 3, 1).numpy()
    for row, frame in enumerate(crops.frames):
        seen = part * places.crop_mask(row)[..., None] * made[row]
        edit[frame] = np.clip(np.rint(128 + seen), 0, 255).astype(np.uint8)
    ticks: list[int] = []
    found = made_and_seen(moves, lambda: iter(edit), lambda: iter(source), places, ticks.append)
    assert ticks == [1, 2]
    assert found["retention"] == pytest.approx(part, abs=0.1)
    corner = np.abs(made[:, :8, :8]).mean((1, 2, 3))
    assert found["outside"] == pytest.approx(corner, rel=0.5), "far from the shape nothing of the change is shown"


def test_codes_of_another_run_are_not_measured(tmp_path: Path, tiny_generator: StyleGAN2) -> None:
    nothing: Any = None
    ws = np.zeros((COUNT, 1, tiny_generator.w_dim), np.float32)
    crops: Any = SimpleNamespace(frames=np.array([0, 2]))
    tuned = Inversion(nothing, nothing, nothing, crops, nothing, Latents(ws), tiny_generator)
    save_moves(tmp_path / MOVES, EditedLatents(ws + 1), [])

    def of(codes: FloatArray) -> Records:
        stitch = {"fingerprint": "", "inputs": {"codes": edit_digest(EditedLatents(codes))}}
        return Records(tmp_path / "edit.toml", {"stages": {"stitch": stitch}})

    np.testing.assert_array_equal(load_moves(of(ws + 1), tuned).codes.ws, ws + 1)
    with pytest.raises(ProjectError, match="later run"):
        load_moves(of(ws + 2), tuned)
