"""What a film will take, from a pass that is timed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from films import PLAN, TINY, write_film

from stitchedit.film.analysis import Analysis
from stitchedit.film.clips import CLIP, Clip, Film
from stitchedit.film.estimate import estimate
from stitchedit.film.faces import ShotFace
from stitchedit.film.plan import FilmSettings


def test_it_grows_with_the_film_and_less_than_shots_alone(tmp_path: Path) -> None:
    clip = write_film(tmp_path / "clip.mp4", "d")
    settings = FilmSettings(generator=str(TINY), encoder="optimize")
    clips = (Clip(clip, "ab", Fraction(12)),)
    plan = replace(PLAN, clips=clips, settings=settings)
    face = ShotFace(1, 1, np.zeros(128, np.float32), 10, 60.0, 0, 9)
    found = Analysis(Film(clip, CLIP, clips, ()), (face,), (), (), (), None)
    guess = estimate(plan, found, price=2.0)
    assert (guess.shots, guess.edited_shots, guess.persons, guess.edited_frames) == (4, 2, 2, 52)
    assert guess.crop_px == 64
    assert 0 < guess.longest_seconds < guess.machine_seconds
    assert guess.cost > 0
    many = replace(plan, shots=tuple(plan.shots[0] for _ in range(40)))
    more = estimate(many, found)
    assert more.steps < more.steps_alone / 3
    assert any("tuning: about" in line for line in more.lines(4))
