"""How a task ended."""

from stitchedit.film.outcome import DONE, FAILED, KEPT, Outcome, skipped


def test_what_is_done_or_kept_is_good() -> None:
    assert [Outcome("a", state).good for state in (DONE, KEPT, FAILED)] == [True, True, False]
    assert (skipped("tune/0001", "learn/1").good, skipped("tune/0001", "learn/1").said) == (False, "learn/1 failed")
