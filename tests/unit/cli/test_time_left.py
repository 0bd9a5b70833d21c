"""Tests of the time left: what a stage's own pace foretells."""

from stitchedit.cli.time_left import TimeLeft
from stitchedit.progress import shown_time


def run(units: list[float], first: int = 0, upto: int | None = None) -> float | None:
    """What is said after `upto` units of these lengths in seconds, when the first `first` were done before."""
    now, said = 0.0, None
    left = TimeLeft(lambda: now)
    for k in range(first, len(units) if upto is None else upto):
        now += units[k]
        said = left("stitch", k + 1, len(units))
    return said


def test_an_even_pace_is_foretold_exactly() -> None:
    assert run([2.0] * 100, upto=25) == 150.0


def test_a_slow_beginning_is_soon_forgotten() -> None:
    units = [60.0] + [1.0] * 999
    assert run(units, upto=250) == 750.0


def test_a_change_of_pace_is_followed() -> None:
    units = [1.0] * 500 + [3.0] * 500
    said = run(units, upto=750)
    assert said is not None
    assert 550 <= said <= 750, "250 units of 3 s are left"


def test_a_stage_taken_up_in_its_middle_counts_from_there() -> None:
    said = run([5.0] * 300, first=200, upto=220)
    assert said == 80 * 5.0


def test_work_begun_anew_is_counted_anew() -> None:
    now = 0.0
    left = TimeLeft(lambda: now)
    for length in (1.0, 4.0):
        for k in range(50):
            now += length
            said = left("read", k, 100)
    assert said == 51 * 4.0


def test_nothing_is_said_at_the_first_call_nor_at_the_end() -> None:
    assert run([1.0] * 10, upto=1) is None
    assert run([1.0] * 10) is None
    left = TimeLeft(lambda: 0.0)
    assert left("track", 3, 0) is None, "a total that is not known"


def test_memory_stays_small() -> None:
    now = 0.0
    left = TimeLeft(lambda: now)
    for k in range(20_000):
        now += 1
        left("video", k + 1, 20_000)
    assert len(left._seen["video"]) <= 102


def test_times_are_shown_as_people_say_them() -> None:
    assert [shown_time(s) for s in (0.2, 40.4, 720, 7500)] == ["1 s", "40 s", "12 min", "2 h 05 min"]
