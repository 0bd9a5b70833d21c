"""What the tasks of a film read: strengths as they were solved, and regions that all shots share."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from films import PLAN

from stitchedit.film.stages import film_regions, read_strengths
from stitchedit.film.toml_files import write_toml
from stitchedit.strength import parse_strength, shifted


def test_strengths_come_back(tmp_path: Path) -> None:
    write_toml(tmp_path / "s.toml", {"edit": [{"direction": "age", "strength": "0s:0,2.5s:-1.75"}], "found": []})
    assert read_strengths(tmp_path / "s.toml") == [("age", parse_strength("0s:0,2.5s:-1.75"))]


def test_all_shots_share_the_regions_of_all_persons() -> None:
    assert film_regions(PLAN) == ("head",), "age wants the head, smile the face, which it holds"
    own = tuple(replace(person, regions=("mouth",)) for person in PLAN.persons)
    assert film_regions(replace(PLAN, persons=own)) == ("mouth",)


def test_keyframes_of_the_film_are_moved_into_a_shot() -> None:
    strength = parse_strength("0s:0,2s:1")
    moved = shifted(strength, 24, Fraction(24))
    assert [(float(key.at), key.strength) for key in moved.keys] == [(-1, 0), (1, 1)]  # type: ignore[union-attr]
