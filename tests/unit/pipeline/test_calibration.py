"""Answers for edits of a clip, and where they are kept, on made-up clips that answer in known ways."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from answering_clips import AGE, RULER, Clip, Respond

from stitchedit.editing.direction import Direction
from stitchedit.pipeline import calibration
from stitchedit.pipeline.calibration import applied, calibrate
from stitchedit.pipeline.inversion import Inversion
from stitchedit.pipeline.strength_search import Answer
from stitchedit.strength import parse_strength


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inversion:
    monkeypatch.setattr(calibration, "kept_ruler", lambda clip, attribute: RULER if attribute == "age" else None)
    records = SimpleNamespace(fingerprint=lambda stage: "f")
    return cast(Inversion, SimpleNamespace(project=SimpleNamespace(root=tmp_path, records=records, read_only=False)))


def answers(monkeypatch: pytest.MonkeyPatch, respond: Respond) -> list[float]:
    """Lets clips answer so to strengths; gives the list of those that are tried."""
    answering = Clip(respond)
    monkeypatch.setattr(calibration, "_Probe", lambda *_: answering)
    return answering.tried


def ask(clip: Inversion, strength: str, direction: Direction = AGE) -> Answer:
    (answer,) = calibrate(clip, ((direction, parse_strength(strength)),), ("head",))
    assert answer is not None
    return answer


def test_keyframes_go_through_what_was_tried(clip: Inversion, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, lambda s: 4.0 * s)
    curve = parse_strength("0:0,24:1,48:-0.5")
    ((_, found),) = applied(((AGE, curve),), (ask(clip, "0:0,24:1,48:-0.5"),))
    assert [key.strength for key in found.keys] == pytest.approx([0, 2.5, -1.25], rel=0.1)  # type: ignore[union-attr]


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
