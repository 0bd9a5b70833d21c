"""Solving for a strength, on made-up clips that answer in known ways."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from answering_clips import AGE, RULER, Clip, Respond

from stitchedit.pipeline import strength_search
from stitchedit.pipeline.strength_search import STEPS, search


@pytest.mark.parametrize(
    ("respond", "strength"),
    [
        (lambda s: 4.0 * s, 1),  # a clip that answers too little
        (lambda s: 6.0 * s, -1),
        (lambda s: 25.0 * s, 2),  # too much
        (lambda s: 10.0 * s, 2),
        (lambda s: 30 * np.tanh(s / 2.5), 2),  # less and less
        (lambda s: 12.0 * np.sign(s) * max(0.0, abs(s) - 1), 1.5),  # begins late, as smiles do
    ],
)
def test_the_strength_that_gives_what_was_asked_is_found(respond: Respond, strength: float) -> None:
    clip = Clip(respond)
    answer = search(clip, RULER, AGE, strength)
    asked = 10 * strength
    assert answer.asked == asked
    assert answer.reached == pytest.approx(asked, rel=0.1)
    found = answer.of(strength)
    assert isinstance(found, float)
    assert respond(found) == pytest.approx(asked, rel=0.1)
    assert len(clip.tried) <= strength_search.TRIES
    assert all(-2 <= s <= 3 for s in clip.tried), "the range of the direction"


def test_out_of_reach_the_nearest_is_applied_and_told() -> None:
    clip = Clip(lambda s: 6.0 * (s / 3) ** 1.35, distance=0.6)
    answer = search(clip, RULER, AGE, 2.0)
    assert clip.tried == pytest.approx([3, 3 * strength_search.FURTHER]), "the range first"
    assert answer.reached == pytest.approx(2 * 3), "the end of the range"
    assert answer.note == "identity distance 0.60: hardly one person any more"
    given = [3 * min(1, 2.5 * k / 6) ** (1 / 1.35) for k in range(9)]
    assert [answer.of(k / 4) for k in range(9)] == pytest.approx(given, rel=0.05), (
        "a weaker keyframe gives what it says, as far as anything does"
    )


def test_a_clip_that_answers_less_is_edited_further_as_long_as_it_shows_one_person() -> None:
    willing, slow = Clip(lambda s: 8.0 * s, distance=0.4), Clip(lambda s: 2.0 * s, distance=0.4)
    assert search(willing, RULER, AGE, 3.0).reached == pytest.approx(30, rel=0.1)
    answer = search(slow, RULER, AGE, 2.9)
    assert answer.reached == pytest.approx(2 * 3 * strength_search.FURTHER)
    assert "faces fall to pieces" in str(answer)


@pytest.mark.parametrize(
    ("distance_a_unit", "reached", "note"),
    [
        (0.2, 20, ""),
        (0.24, 17.2, "with all of it hardly one person any more (identity distance 0.49)"),
        (0.28, 20, "identity distance 0.58: hardly one person any more"),  # one person until 15 of the 20 years
    ],
)
def test_a_little_less_is_applied_where_that_keeps_the_likeness(
    distance_a_unit: float, reached: float, note: str
) -> None:
    answer = search(Clip(lambda s: 10 * s, distance_a_unit=distance_a_unit), RULER, AGE, 2.0)
    assert answer.reached == pytest.approx(reached, rel=0.03)
    assert answer.note == note
    assert answer.reached
    assert answer.identity_distance == pytest.approx(distance_a_unit * answer.reached / 10)
    assert answer.of(2.0) == pytest.approx(answer.reached / 10)


def test_without_a_range_nothing_beyond_the_strength_is_tried() -> None:
    clip = Clip(lambda strength: 4 * strength)
    answer = search(clip, RULER, replace(AGE, range=None), 2.0)
    assert clip.tried == [2.0]
    assert "it tells no range, so no more was tried" in str(answer)


@pytest.mark.parametrize(("power", "gain", "most"), [(1.0, 1.0, 3), (1.0, 0.7, 1), (1.36, 0.7, 2), (1.36, 0.8, 2)])
def test_few_strengths_are_tried_where_a_clip_answers_as_most_do(power: float, gain: float, most: int) -> None:
    def respond(strength: float) -> float:
        return 15 * (gain * strength / 1.5) ** power

    clip = Clip(respond)
    answer = search(clip, RULER, AGE, 1.5)
    assert answer.reached == pytest.approx(15, rel=0.05)
    assert len(clip.tried) <= most
    for strength in (0.25, 0.5, 1.0) if power > 1 else ():
        found = answer.of(strength)
        assert isinstance(found, float)
        assert respond(found) == pytest.approx(10 * strength, rel=0.06), "keyframes on the way give what they say"


def test_a_curve_rises_through_what_was_tried() -> None:
    curve = strength_search._curve({0.0: 0.0, 1.0: -0.5, 2.0: 5.0, 3.0: 10.0, 4.0: 30.0}, 3.0, 10.0)
    assert len(curve) == STEPS + 1
    assert (curve[0], curve[-1]) == (pytest.approx(0), pytest.approx(3))
    assert all(b >= a for a, b in itertools.pairwise(curve))
