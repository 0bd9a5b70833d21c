"""How much of tuning a shot gets, and what is kept of a person's learning."""

from __future__ import annotations

from pathlib import Path

import pytest

from stitchedit.errors import ProjectError
from stitchedit.film.learning import LEAST, MOST, Learned, steps_needed


def test_a_shot_like_the_reel_takes_few_steps_and_no_shot_many() -> None:
    steps = [steps_needed(400, loss, 0.1) for loss in (0.05, 0.1, 0.2, 0.3, 1.0)]
    assert steps == sorted(steps)
    assert steps[0] == steps[1] == round(400 * LEAST)
    assert steps[-1] == round(400 * MOST)
    assert steps_needed(1, 0.1, 0.1) == 1


def test_what_was_learned_comes_back(tmp_path: Path) -> None:
    Learned(120, 0.25).write(tmp_path / "learned.toml")
    assert Learned.read(tmp_path / "learned.toml") == Learned(120, 0.25)
    (tmp_path / "learned.toml").write_text("steps = 3\nloss = 0.0\n")
    with pytest.raises(ProjectError, match="is damaged"):
        Learned.read(tmp_path / "learned.toml")
