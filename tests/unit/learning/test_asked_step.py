import numpy as np
import pytest

from stitchedit.learning.asked_step import Asked, asked_step

REAL = np.array([[1.0, 0, 0], [0.4, 0.5, 0], [0, 0, 0.8]])  # what steps do, where the readings say the identity


def test_what_was_missed_is_asked_again() -> None:
    asked = Asked([0], [1, 2], np.zeros(2), np.ones(2))
    tried = []

    def step_of(wanted: np.ndarray) -> np.ndarray:
        tried.append(wanted.copy())
        return wanted

    told: list[int] = []
    plain = asked_step(asked, step_of, lambda step: REAL @ step, 0)
    np.testing.assert_array_equal(plain, [1, 0, 0])
    assert len(tried) == 1, "nothing is measured"
    once = asked_step(asked, step_of, lambda step: REAL @ step, 1, lambda turn, effect: told.append(turn))
    often = asked_step(asked, step_of, lambda step: REAL @ step, 6)
    assert told == [0, 1]
    missed = [abs((REAL @ step)[1]) for step in (plain, once, often)]
    assert missed[0] > missed[1] > missed[2]
    assert (REAL @ often)[0] == pytest.approx(1, abs=0.05)
    assert missed[2] < 0.05


def test_a_goal_for_what_is_held() -> None:
    asked = Asked([0], [1], np.array([-0.3]), np.ones(1))
    found = asked_step(asked, lambda wanted: np.append(wanted, 0), lambda step: REAL @ step, 8)
    assert (REAL @ found)[1] == pytest.approx(-0.3, abs=0.05)
