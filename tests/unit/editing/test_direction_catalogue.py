"""What a direction's TOML says survives writing and reading."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tomli_w

from stitchedit.editing.direction import CurvePoint, Direction, direction_label, keeps_colours
from stitchedit.editing.direction_catalogue import (
    find_direction,
    list_directions,
    own_regions,
    read_direction,
    years_a_strength,
)
from stitchedit.errors import DirectionError


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


def test_a_direction_of_a_file_is_called_after_that_file(tmp_path: Path) -> None:
    np.save(tmp_path / "nose.npy", np.ones(16, np.float32))
    direction = find_direction(tmp_path / "nose.npy")
    assert (direction.label, str(direction)) == ("nose", str(tmp_path / "nose.npy"))
    assert str(2 * find_direction("age")) == "age +2"
    assert direction_label("some/where/nose.npy") == "nose"
