"""Labels that tell how readings change with w, and the slopes that are learned from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from learn_bend import HAIR, TEACH, Lesson
from reader_gradients import Labels, Readers, labelled, moved_people, pack, unpack

from stitchedit.files.array_files import save_arrays
from stitchedit.stylegan2 import StyleGAN2


def test_four_bits_keep_a_gradient() -> None:
    given = np.random.default_rng(0).standard_normal((5, 3, 64)).astype(np.float32) * [[[0.1], [1], [30]]]
    packed, rms = pack(given)
    assert (packed.dtype, packed.shape) == (np.uint8, (5, 3, 32))
    error = np.sqrt(np.square(unpack(packed, rms) - given).mean((0, 2)) / np.square(given).mean((0, 2)))
    assert (error < 0.15).all()


class _Mean(Readers):
    """In place of the networks: three weighted sums of the picture."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.stack([(k + 1) * image.square().sum((1, 2, 3)) for k in range(3)], 1)


def test_gradients_are_those_of_the_readings(
    tmp_path: Path, tiny_generator: StyleGAN2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reader_gradients.SIZE", tiny_generator.exits[-1])
    steps = np.zeros((2, tiny_generator.w_dim), np.float32)
    codes = moved_people(tiny_generator, 3, 4, steps)
    found = labelled(tiny_generator, _Mean(), codes)
    gradients = unpack(found["packed"], found["scale"])
    step = 1e-2 * gradients[0, 0] / np.linalg.norm(gradients[0, 0])
    there = labelled(tiny_generator, _Mean(), (codes[:1] + step).astype(np.float32))["values"][0]
    expected = float(gradients[0, 0] @ step)
    assert there[0] - found["values"][0, 0] == pytest.approx(expected, rel=0.15)
    save_arrays(tmp_path / "l.npz", found | {"index": np.full(4, 3), "batch": np.int32(4), "steps": steps})
    labels = Labels.load(tmp_path / "l.npz", tiny_generator)
    np.testing.assert_array_equal(labels.w, codes)
    np.testing.assert_array_equal(labels.gradients, gradients)


def test_a_slope_moves_its_reading_by_ten_and_holds_the_others() -> None:
    random = np.random.default_rng(2)
    gradients = {knot: random.standard_normal(12) for knot in TEACH}
    rows, goals = random.standard_normal((3, 12)), {knot: np.array([0.0, 0.3 * knot, 0.0]) for knot in TEACH}
    hair = np.zeros(12)
    lesson = Lesson(gradients, np.eye(12), rows, ("a", "b", "c"), np.ones(3), hair, goals, dict.fromkeys(TEACH, 1.0))
    for slope, knot in zip(lesson.slopes(), TEACH, strict=True):
        assert slope @ gradients[knot] == pytest.approx(10)
        np.testing.assert_allclose(rows @ slope, goals[knot], atol=1e-9)
    before = goals[3.0]
    lesson.ask_again([3.0], np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(lesson.goals[3.0] - before, [0.8, 0, 0])
    np.testing.assert_allclose(rows @ lesson.slopes()[-1], goals[3.0], atol=1e-9)
    free = lesson.slopes()
    lesson.hair = random.standard_normal(12)
    held = [HAIR.get(knot, 0) * lesson.hair for knot in TEACH]
    np.testing.assert_allclose(free - lesson.slopes(), held, err_msg="getting older moves hair less")
    assert HAIR.keys() == {knot for knot in TEACH if knot > 0}
