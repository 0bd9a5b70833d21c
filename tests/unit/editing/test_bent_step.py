"""Steps that bend: the way from 0 to a strength, and what a direction with knots does to codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stitchedit.editing.bent_step import checked_knots, way, way_weights
from stitchedit.editing.direction import Direction
from stitchedit.editing.direction_catalogue import find_direction
from stitchedit.editing.move_latents import edit, load_move, load_step
from stitchedit.errors import DirectionError, WrongShape
from stitchedit.types import Latents

SLOPES = np.array([[2.0, 0.0], [0.0, 1.0]])  # younger along x, older along y
KNOTS = (-1.0, 1.0)


class Space:
    made_for, num_ws, w_dim = "tiny", 4, 2


def latents(count: int = 3) -> Latents:
    return Latents(np.arange(2 * count, dtype=np.float32).reshape(count, 1, 2))


def test_the_way_adds_up_the_slopes() -> None:
    knots, fine = (-2.0, -0.5, 1.0, 3.0), np.linspace(0, 1, 200_001)
    slopes = np.random.default_rng(1).standard_normal((4, 5))
    for strength in (-3.0, -1.0, 0.25, 2.0, 4.0):
        at = np.stack([np.interp(strength * fine, knots, column) for column in slopes.T], axis=1)
        summed = strength * (at[1:] + at[:-1]).mean(axis=0) / 2
        np.testing.assert_allclose(way(slopes, knots, strength)[0], summed, atol=1e-8)


def test_slopes_that_are_alike_make_a_straight_step() -> None:
    strengths = np.array([-2.0, 0.0, 0.5, 3.0])
    np.testing.assert_allclose(way_weights(KNOTS, strengths).sum(axis=1), strengths)
    row = np.array([1.0, -3.0])
    np.testing.assert_allclose(way(np.stack([row, row]), KNOTS, strengths), strengths[:, None] * row)


def test_back_is_another_way_than_forth() -> None:
    up, down = way(SLOPES, KNOTS, np.array([2.0, -2.0]))
    assert up[1] > 2 * up[0] > 0
    assert -down[0] > 2 * -down[1] > 0


def test_an_edit_follows_it_with_one_strength_and_with_one_a_frame() -> None:
    bent = Direction("bent", vector=SLOPES, knots=KNOTS)
    strengths = np.array([-2.0, 0.0, 3.0])
    moved = edit(latents(), [(bent, strengths)], Space()).ws - latents().ws
    np.testing.assert_allclose(moved[:, 0], way(SLOPES, KNOTS, strengths), atol=1e-6)
    both = edit(latents(), [(bent, 1.5), (Direction("x", vector=np.array([1.0, 0.0])), 2.0)], Space()).ws
    np.testing.assert_allclose(
        both - latents().ws, np.broadcast_to(way(SLOPES, KNOTS, 1.5) + np.array([2, 0]), (3, 1, 2))
    )
    np.testing.assert_allclose(load_step(bent, latents(), Space()), way(SLOPES, KNOTS, 1.0))
    part = edit(latents(), [(bent.only("folds"), -2.0)], Space())
    np.testing.assert_allclose(part.parts[0].ws[0, 3] - latents().ws[0, 0], way(SLOPES, KNOTS, -2.0)[0], atol=1e-6)


def test_knots_tell_directions_apart() -> None:
    one, other = (Direction(vector=SLOPES, knots=knots) for knots in (KNOTS, (-1.0, 2.0)))
    assert one.digest != other.digest != Direction(vector=SLOPES).digest


@pytest.mark.parametrize("knots", [(1.0,), (1.0, -1.0), (0.0, 0.0), (0.0, float("nan")), 5, ("a", "b"), range(65)])
def test_knots_that_are_none_are_refused(knots: object) -> None:
    with pytest.raises(DirectionError, match="knots are"):
        checked_knots(knots)


def test_a_vector_without_a_row_a_knot_is_refused() -> None:
    with pytest.raises(DirectionError, match="3 knots and a vector of shape"):
        Direction(vector=SLOPES, knots=(-1, 0, 1))
    with pytest.raises(WrongShape):
        load_move(Direction(vector=np.ones((2, 3)), knots=KNOTS), latents(), Space(), 1.0)


def test_a_toml_keeps_them(tmp_path) -> None:
    import tomli_w

    from stitchedit.editing.direction_catalogue import read_direction

    np.save(tmp_path / "bent.npy", SLOPES.astype(np.float32))
    made = replace(Direction("bent", vector=SLOPES, knots=KNOTS), file=tmp_path / "bent.npy", made_for="tiny")
    path = tmp_path / "bent.toml"
    path.write_text(tomli_w.dumps(made.as_toml()))
    read = read_direction(path)
    assert read.knots == KNOTS
    np.testing.assert_allclose(load_move(read, latents(), Space(), -2.0)[:, 0], way(SLOPES, KNOTS, -2.0))
    path.write_text(path.read_text() + "layers = [0, 2]\n")
    with pytest.raises(DirectionError, match="has knots"):
        find_direction(path)
