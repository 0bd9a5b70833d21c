"""A slider: its name, its ends in the direction's own units, and how finely it moves."""

from __future__ import annotations

from stitchedit.editing.direction_catalogue import find_direction
from stitchedit.studio.dial import Dial, dial_of


def test_a_shipped_direction_is_moved_in_its_own_units() -> None:
    age = find_direction("age")
    dial = dial_of("age", age)
    assert age.range is not None
    assert age.amount is not None
    assert (dial.low, dial.high) == tuple(sorted(end * age.amount for end in age.range))
    assert dial.unit == age.amount
    assert age.measured_in in dial.label


def test_it_moves_by_a_power_of_ten_of_at_most_a_fiftieth() -> None:
    assert [Dial("a", "a", -end, end, 1.0).step for end in (0.3, 3.0, 30.0, 26.0)] == [0.01, 0.1, 1.0, 1.0]
