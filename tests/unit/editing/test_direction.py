"""Directions are values that scale and add up."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch

from stitchedit.editing.direction import Direction
from stitchedit.errors import ConfigError, DirectionError, StitcheditError
from stitchedit.strength import parse_strength


def vector(seed: int = 0, shape: tuple[int, ...] = (16,)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_a_vector_in_memory_is_a_direction_named_after_its_hash() -> None:
    given = vector()
    mine = Direction(vector=given, layers=(0, 8), unit="one step")
    assert re.fullmatch("direction-[0-9a-f]{6}", mine.name)
    assert mine.label == mine.name == str(mine)
    before = mine.vector.copy()
    given += 1
    np.testing.assert_array_equal(mine.vector, before, "what is done to the caller's array later does not matter")
    with pytest.raises(ValueError, match="read-only"):
        mine.vector += 1
    same = Direction(vector=torch.from_numpy(before), layers=(0, 8), unit="one step")
    assert same == mine
    assert Direction(vector=before + 1).name != mine.name
    assert Direction(vector=before, name="nose.v2").label == "nose.v2"
    assert "vector" not in mine.as_json()


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({}, DirectionError),
        ({"vector": "nose"}, DirectionError),
        ({"vector": 3.0}, DirectionError),
        ({"vector": [1.0, np.nan]}, DirectionError),
        ({"vector": [1j]}, DirectionError),
        ({"vector": [[1.0], [1.0, 2.0]]}, DirectionError),
        ({"vector": [1.0], "layers": (4, 4)}, DirectionError),
        ({"vector": [1.0], "layers": 3}, DirectionError),
        ({"vector": [1.0], "fidelity": 2.0}, DirectionError),
        ({"vector": [1.0], "name": "../nose"}, ConfigError),
        ({"vector": [1.0], "name": "a, b"}, ConfigError),
    ],
)
def test_what_is_no_direction_is_refused_where_it_is_made(
    settings: dict[str, Any], error: type[StitcheditError]
) -> None:
    with pytest.raises(error):
        Direction(**settings)


def test_directions_scale_and_add_up() -> None:
    age, smile = (Direction(vector=vector(seed), name=name) for seed, name in enumerate(("age", "smile")))
    assert (2 * age).parts == (age * 2.0).parts == ((age, 2.0),)
    assert (np.float32(2) * age).parts == (np.int64(2) * age).parts == ((age, 2.0),)
    assert (-age).parts == ((age, -1.0),)
    assert (age / 4).parts == ((age, 0.25),)
    both = 2 * (age + 0.5 * smile)
    assert both.parts == ((age, 2.0), (smile, 1.0))
    assert (age - both).parts == ((age, 1.0), (age, -2.0), (smile, -1.0))
    assert sum([age, smile]) == age + smile
    assert [str(change) for change in both] == ["age +2", "smile +1"]
    assert str(both) == "age +2, smile +1"
    for wrong in (lambda: age * age, lambda: age * "2", lambda: age + 1, lambda: 1 - age, lambda: [1, 2] * age):
        with pytest.raises(TypeError):
            wrong()
    for wrong in (math.nan, math.inf, 1e6):
        with pytest.raises(ConfigError):
            wrong * age


def test_keyframes_scale_with_what_they_are_put_on() -> None:
    age, smile = (Direction(vector=vector(seed), name=name) for seed, name in enumerate(("age", "smile")))
    assert str(age.at({48: 1.5, 0: 0})) == "age +0@0+1.5@48"
    assert str((2 * age).at({0: 0, 48: 1.5})) == "age +0@0+3@48"
    assert (2 * age.at({0: 0, 48: 1.5})) == (2 * age).at({0: 0, 48: 1.5})
    assert str((age + smile).at(seconds={0: 0, 1.5: 1})) == "age +0@0s+1@1.5s, smile +0@0s+1@1.5s"
    assert age.at({0: 0, 48: 2}).parts[0][1] == parse_strength("0:0,48:2")
    assert age.at(seconds={0.25: 0, 1.5: 2}).parts[0][1] == parse_strength("0.25s:0,1.5s:2")
    for wrong in ({}, {-1: 1}, {0.5: 1}, {0: math.nan}, {"x": 1}):
        with pytest.raises(ConfigError):
            age.at(wrong)
    with pytest.raises(ConfigError, match="already"):
        age.at({0: 1}).at({0: 1})
    with pytest.raises(ConfigError, match="both"):
        age.at({0: 1}, seconds={0: 1})


@pytest.mark.parametrize(("scale", "why"), [(1e30, "go up to"), (0.0, "all its numbers are 0"), (np.nan, "not finite")])
def test_a_vector_of_a_program_is_looked_at_as_one_of_a_file(scale: float, why: str) -> None:
    with pytest.raises(DirectionError, match=why) as told:
        Direction(vector=scale * np.ones(512, np.float32))
    assert "Error" not in str(told.value)
