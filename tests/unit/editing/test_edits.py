"""However an edit is written down, it becomes one list of directions whose vectors are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stitchedit.editing.direction import Direction
from stitchedit.editing.direction_catalogue import find_direction
from stitchedit.editing.edits import OwnLook, joint_fidelity, load_edits, own_look
from stitchedit.editing.move_latents import load_direction
from stitchedit.errors import ConfigError, UnknownDirection
from stitchedit.strength import parse_strength


@pytest.fixture
def nose() -> Direction:
    return Direction(vector=np.ones(512), name="nose")


def test_every_way_to_say_it(nose: Direction) -> None:
    curve = parse_strength("0:0,8:1")
    age = load_direction(find_direction("age"))
    for edits in (2 * age + nose, [2 * age, nose], [("age", 2), nose], (("age", 2.0), (nose, 1.0))):
        assert load_edits(edits) == ((age, 2.0), (nose, 1.0))
    assert load_edits("age") == load_edits(["age"]) == load_edits(age) == ((age, 1.0),)
    assert load_edits([(nose, curve)]) == ((nose, curve),)
    assert load_edits([]) == ()


@pytest.mark.parametrize("edits", [3, [3], [("age",)], [("age", "2")], [("age", None)], [("age", float("nan"))]])
def test_what_is_no_edit_is_refused(edits: Any) -> None:
    with pytest.raises(ConfigError):
        load_edits(edits)


def test_an_unknown_name_is_an_unknown_direction() -> None:
    with pytest.raises(UnknownDirection):
        load_edits(["smlie"])


def test_a_vector_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "push.npy"
    np.save(path, np.ones(512, np.float32))
    ((push, _),) = load_edits([(str(path), 1.0)])
    os.remove(path)
    ((again, strength),) = load_edits(2 * push)
    assert again is push
    assert strength == 2
    np.testing.assert_array_equal(again.vector, np.ones(512))


def test_what_edits_want_together(nose: Direction) -> None:
    identity = find_direction("identity")
    assert identity.fidelity < 1
    assert joint_fidelity(load_edits([("age", 1.0), ("identity", 1.0)])) == identity.fidelity
    assert joint_fidelity(load_edits([("age", 1.0), ("identity", 0.0)])) == 1
    assert own_look(load_edits("age")) == OwnLook()
    assert own_look(load_edits(["age", nose])) == OwnLook(colours=False), "nothing is known of the other"
    assert own_look(load_edits([("age", 1.0), (nose, 0.0)])) == OwnLook()
    assert own_look(load_edits(["age", "eyes_open"])) == OwnLook(eyes=False), "lids are to move"
