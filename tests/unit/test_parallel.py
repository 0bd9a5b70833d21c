import threading
import time

import pytest

from stitchedit.parallel import side_by_side


def test_results_come_in_order_however_long_each_takes() -> None:
    def work(item: int) -> int:
        time.sleep(0.02 if item % 3 == 0 else 0)
        return item * item

    assert list(side_by_side(work, range(10), 3)) == [k * k for k in range(10)]


def test_items_are_worked_on_together_and_no_further_ahead_than_asked() -> None:
    both = threading.Barrier(2, timeout=10)
    taken: list[int] = []

    def items() -> object:
        for k in range(6):
            taken.append(k)
            yield k

    results = side_by_side(lambda k: both.wait() if k < 2 else k, items(), 2)  # type: ignore[call-overload]
    next(results)
    assert len(taken) <= 3
    results.close()


def test_an_error_comes_where_its_result_would() -> None:
    def work(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    results = side_by_side(work, range(5), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)
