"""Solving for a strength, on made-up clips that answer in known ways."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from stitchedit.editing.direction import Direction
from stitchedit.faces.rulers import Ruler
from stitchedit.pipeline import calibration
from stitchedit.pipeline.calibration import STEPS, Answer, applied, calibrate
from stitchedit.pipeline.inversion import Inversion
from stitchedit.strength import parse_strength

AGE = Direction(
    name="age",
    vector=np.ones(4, np.float32),
    attribute="age",
    amount=10.0,
    measured_in="years",
    range=(-2.0, 3.0),
)
Respond = Callable[[float], float]


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inversion:
    ruler = Ruler("age", {"age": lambda picture, points: 0.0})
    monkeypatch.setattr(calibration, "kept_ruler", lambda clip, attribute: ruler if attribute == "age" else None)
    records = SimpleNamespace(fingerprint=lambda stage: "f")
    return cast(Inversion, SimpleNamespace(project=SimpleNamespace(root=tmp_path, records=records, read_only=False)))


def answers(
    monkeypatch: pytest.MonkeyPatch, respond: Respond, distance: float = 0.3, *, distance_a_unit: float | None = None
) -> list[float]:
    """Lets clips answer so to strengths; gives the list of those that are tried."""
    tried: list[float] = []

    class Probe:
        def __init__(self, *_: Any) -> None:
            pass

        def draw(self, direction: Direction, strength: float) -> float:
            tried.append(strength)
            return strength

        def change(self, ruler: Ruler, drawn: float) -> float:
            return respond(drawn)

        def identity_distance(self, drawn: float) -> float:
            return distance if distance_a_unit is None else distance_a_unit * abs(drawn)

    monkeypatch.setattr(calibration, "_Probe", Probe)
    return tried


def ask(clip: Inversion, strength: str, direction: Direction = AGE) -> Answer:
    (answer,) = calibrate(clip, ((direction, parse_strength(strength)),), ("head",))
    assert answer is not None
    return answer


@pytest.mark.parametrize(
    ("respond", "strength"),
    [
        (lambda s: 4.0 * s, "1"),  # a clip that answers too little
        (lambda s: 6.0 * s, "-1"),
        (lambda s: 25.0 * s, "2"),  # too much
        (lambda s: 10.0 * s, "2"),
        (lambda s: 30 * np.tanh(s / 2.5), "2"),  # less and less
        (lambda s: 12.0 * np.sign(s) * max(0.0, abs(s) - 1), "1.5"),  # begins late, as smiles do
    ],
)
def test_the_strength_that_gives_what_was_asked_is_found(
    clip: Inversion, monkeypatch: pytest.MonkeyPatch, respond: Respond, strength: str
) -> None:
    tried = answers(monkeypatch, respond)
    answer = ask(clip, strength)
    asked = 10 * float(strength)
    assert answer.asked == asked
    assert answer.reached == pytest.approx(asked, rel=0.1)
    ((_, found),) = applied(((AGE, float(strength)),), (answer,))
    assert isinstance(found, float)
    assert respond(found) == pytest.approx(asked, rel=0.1)
    assert len(tried) <= calibration.TRIES
    assert all(-2 <= s <= 3 for s in tried), "the range of the direction"


def test_keyframes_go_through_what_was_tried(clip: Inversion, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, lambda s: 4.0 * s)
    curve = parse_strength("0:0,24:1,48:-0.5")
    ((_, found),) = applied(((AGE, curve),), (ask(clip, "0:0,24:1,48:-0.5"),))
    assert [key.strength for key in found.keys] == pytest.approx([0, 2.5, -1.25], rel=0.1)  # type: ignore[union-attr]


def test_out_of_reach_the_nearest_is_applied_and_told(clip: Inversion, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = answers(monkeypatch, lambda s: 6.0 * (s / 3) ** 1.35, distance=0.6)
    answer = ask(clip, "2")
    assert tried == pytest.approx([3, 3 * calibration.FURTHER]), "the range first"
    assert answer.reached == pytest.approx(2 * 3), "the end of the range"
    assert answer.note == "identity distance 0.60: hardly one person any more"
    given = [3 * min(1, 2.5 * k / 6) ** (1 / 1.35) for k in range(9)]
    assert [answer.of(k / 4) for k in range(9)] == pytest.approx(given, rel=0.05), (
        "a weaker keyframe gives what it says, as far as anything does"
    )


def test_a_clip_that_answers_less_is_edited_further_as_long_as_it_shows_one_person(
    clip: Inversion, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, lambda s: 8.0 * s, distance=0.4)
    assert ask(clip, "3").reached == pytest.approx(30, rel=0.1)
    answers(monkeypatch, lambda s: 2.0 * s, distance=0.4)
    answer = ask(clip, "2.9")
    assert answer.reached == pytest.approx(2 * 3 * calibration.FURTHER)
    assert "faces fall to pieces" in str(answer)


@pytest.mark.parametrize(
    ("distance_a_unit", "reached", "note"),
    [
        (0.2, 20, ""),
        (0.24, 16.7, "with all of it hardly one person any more (identity distance 0.49)"),
        (0.28, 20, "identity distance 0.58: hardly one person any more"),  # one person until 15 of the 20 years
    ],
)
def test_a_little_less_is_applied_where_that_keeps_the_likeness(
    clip: Inversion, monkeypatch: pytest.MonkeyPatch, distance_a_unit: float, reached: float, note: str
) -> None:
    answers(monkeypatch, lambda s: 10 * s, distance_a_unit=distance_a_unit)
    answer = ask(clip, "2")
    assert answer.reached == pytest.approx(reached, rel=0.03)
    assert answer.note == note
    assert answer.identity_distance == pytest.approx(distance_a_unit * answer.reached / 10)
    assert answer.of(2.0) == pytest.approx(answer.reached / 10)


def test_without_a_range_nothing_beyond_the_strength_is_tried(clip: Inversion, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = answers(monkeypatch, lambda strength: 4 * strength)
    (answer,) = calibrate(clip, ((replace(AGE, range=None), 2.0),), ("face",), keep=False)
    assert tried == [2.0]
    assert "it tells no range, so no more was tried" in str(answer)


def test_what_cannot_be_read_is_applied_as_it_is_and_told(clip: Inversion, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, lambda s: 0.1 * s)
    blind = ask(clip, "2")
    assert blind.reached is None
    assert "uncalibrated, age moves too little" in str(blind)
    assert applied(((AGE, 2.0),), (blind,)) == ((AGE, 2.0),)
    other = ask(clip, "1", Direction(name="nose", vector=np.ones(4), attribute="nose", amount=1.0))
    assert "nothing here reads 'nose'" in str(other)


def test_vectors_without_an_attribute_and_strength_0_are_left_alone(
    clip: Inversion, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = answers(monkeypatch, lambda s: s)
    bare = Direction(name="push", vector=np.ones(4))
    edits = ((bare, 1.0), (AGE, 0.0))
    assert calibrate(clip, edits, ("face",)) == (None, None)
    assert applied(edits, (None, None)) == edits
    assert not tried


def test_answers_are_kept_and_damaged_ones_found_anew(clip: Inversion, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = answers(monkeypatch, lambda s: 4.0 * s)
    first = ask(clip, "1")
    count = len(tried)
    assert ask(clip, "1") == first
    assert len(tried) == count, "it was kept"
    (path,) = clip.project.root.rglob("*.json")
    good = json.loads(path.read_text())
    for damaged in (b"", b"[]", b"{", json.dumps(good | {"applied": [1]}).encode(), json.dumps({"x": 1}).encode()):
        path.write_bytes(damaged)
        assert ask(clip, "1") == first
    path.unlink()
    calibrate(clip, ((AGE, 1.0),), ("head",), keep=False)
    assert not path.exists()


def test_the_same_slopes_at_other_knots_are_another_way(clip: Inversion, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = answers(monkeypatch, lambda s: 10.0 * s)
    bent = replace(AGE, file=Path("age.npy"), sha256="s", vector=np.ones((2, 4)), knots=(-1.0, 1.0))
    counts = []
    for direction in (bent, bent, replace(bent, knots=(-2.0, 1.0), vector=bent.vector)):
        ask(clip, "1", direction)
        counts.append(len(tried))
    assert counts == [counts[0], counts[0], 2 * counts[0]]


@pytest.mark.parametrize(("power", "gain", "most"), [(1.0, 1.0, 3), (1.0, 0.7, 1), (1.36, 0.7, 2), (1.36, 0.8, 2)])
def test_few_strengths_are_tried_where_a_clip_answers_as_most_do(
    clip: Inversion, monkeypatch: pytest.MonkeyPatch, power: float, gain: float, most: int
) -> None:
    def respond(strength: float) -> float:
        return 15 * (gain * strength / 1.5) ** power

    tried = answers(monkeypatch, respond)
    answer = ask(clip, "1.5")
    assert answer.reached == pytest.approx(15, rel=0.05)
    assert len(tried) <= most
    for strength in (0.25, 0.5, 1.0) if power > 1 else ():
        found = answer.of(strength)
        assert isinstance(found, float)
        assert respond(found) == pytest.approx(10 * strength, rel=0.06), "keyframes on the way give what they say"


def test_a_curve_rises_through_what_was_tried() -> None:
    curve = calibration._curve({0.0: 0.0, 1.0: -0.5, 2.0: 5.0, 3.0: 10.0, 4.0: 30.0}, 3.0, 10.0)
    assert len(curve) == STEPS + 1
    assert (curve[0], curve[-1]) == (pytest.approx(0), pytest.approx(3))
    assert all(b >= a for a, b in itertools.pairwise(curve))
