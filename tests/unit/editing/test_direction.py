"""What a direction's TOML says survives writing and reading; directions are values that scale and add up."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
import torch

from stitchedit.editing.direction import (
    CurvePoint,
    Direction,
    direction_label,
    find_direction,
    keeps_colours,
    list_directions,
    own_regions,
    read_direction,
    years_a_strength,
)
from stitchedit.errors import ConfigError, DirectionError, StitcheditError
from stitchedit.strength import parse_strength


def test_toml_and_back(tmp_path: Path) -> None:
    direction = Direction(
        name="nose",
        file=tmp_path / "nose.npy",
        space="W+",
        layers=(0, 4),
        made_for="ffhq-1024",
        unit="strength 1 is a nose",
        region="mouth",
        range=(-2.0, 1.5),
        attribute="nose",
        amount=0.25,
        measured_in="noses",
        held_out_r=0.7,
        checked_on="8 people",
        identity_distance=0.2,
        outside_change=1.5,
        outside_ratio=0.3,
        effects={"age": 0.1, "smile": -0.0},
        curve=(CurvePoint(-2.0, -0.4, 0.3, 1.0), CurvePoint(1.5, None, 0.2, 0.5)),
    )
    path = tmp_path / "nose.toml"
    path.write_text(tomli_w.dumps(direction.as_toml()), encoding="utf-8")
    assert read_direction(path) == direction
    plain = json.loads(json.dumps(direction.as_json(), allow_nan=False))
    assert plain["file"] == "nose.npy"
    assert plain["curve"][1] == {"strength": 1.5, "change": None, "identity_distance": 0.2, "faces": 0.5}


def test_each_direction_names_the_region_that_it_needs(tmp_path: Path) -> None:
    assert {d.name: d.region for d in list_directions()} == {
        **dict.fromkeys(("age", "gender", "hair_colour", "identity", "pitch", "weight", "yaw"), "head"),
        **dict.fromkeys(("smile", "mouth_open"), "face"),
        "eyes_open": "eyes",
    }
    assert own_regions(["eyes_open"]) == ("eyes",)
    assert own_regions(["eyes_open", "smile"]) == ("face",)
    assert own_regions(["smile", "age"]) == ("head",)
    bare = tmp_path / "push.npy"
    bare.write_bytes(b"")
    assert own_regions([bare]) == own_regions(["no such direction"]) == ("face",)


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    direction = Direction(name="axis1", file=tmp_path / "axis1.npy", made_for="tiny")
    table = direction.as_toml()
    assert not {"range", "amount", "curve", "effects", "held_out_r", "layers"} & set(table)
    path = tmp_path / "axis1.toml"
    path.write_text(tomli_w.dumps(table), encoding="utf-8")
    assert read_direction(path) == direction


@pytest.mark.parametrize(
    "more",
    [
        "amount = nan",
        "held_out_r = inf",
        "identity_distance = 'far'",
        "[[curve]]\nfaces = 1.0",
        "[[curve]]\nstrength = 1.0\nchange = nan",
        "curve = 5",
    ],
)
def test_broken_figures_are_refused(tmp_path: Path, more: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(f"name='a'\nspace='W'\nfile='a.npy'\nunit=''\nmade_for=''\n{more}", encoding="utf-8")
    with pytest.raises(DirectionError):
        read_direction(path)


def test_each_that_comes_along_says_what_it_was_measured_to_do() -> None:
    assert years_a_strength() == 10
    for direction in list_directions():
        assert [p.strength for p in direction.curve] == sorted(p.strength for p in direction.curve)
        if direction.kind == "vector":
            assert direction.identity_distance is not None
            assert direction.checked_on
            assert direction.amount > 0
            assert direction.measured_in
            assert direction.effects[direction.attribute] > 0.3  # many smile as much as they can


def test_colours_are_kept_where_a_direction_is_known_to_leave_them_alone(tmp_path: Path) -> None:
    assert all(keeps_colours(direction) for direction in list_directions())
    bare = Direction(name="nose", file=tmp_path / "nose.npy")
    assert not keeps_colours(bare), "nothing is known"
    effects = {"skin": 0.1, "red": 0.2, "yellow": -0.1, "light": 0.0}
    assert keeps_colours(replace(bare, effects=effects))
    for name in effects:
        assert not keeps_colours(replace(bare, effects=effects | {name: -0.5}))


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


def test_a_direction_of_a_file_is_called_after_that_file(tmp_path: Path) -> None:
    np.save(tmp_path / "nose.npy", vector())
    direction = find_direction(tmp_path / "nose.npy")
    assert (direction.label, str(direction)) == ("nose", str(tmp_path / "nose.npy"))
    assert str(2 * find_direction("age")) == "age +2"
    assert direction_label("some/where/nose.npy") == "nose"


@pytest.mark.parametrize(("scale", "why"), [(1e30, "go up to"), (0.0, "all its numbers are 0"), (np.nan, "not finite")])
def test_a_vector_of_a_program_is_looked_at_as_one_of_a_file(scale: float, why: str) -> None:
    with pytest.raises(DirectionError, match=why) as told:
        Direction(vector=scale * np.ones(512, np.float32))
    assert "Error" not in str(told.value)
