"""Items worked on side by side, by threads: it pays where NumPy, OpenCV or a codec works outside of Python's lock."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
MOST_THREADS = 8  # each holds an item's memory


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item], ahead: int | None = None) -> Iterator[Result]:
    """`work` of every item, in their order; an error is raised where its item's result would come.

    Args:
        ahead: items that are worked on or done before they are asked for, at most; None: as many as there are cores.
    """
    count = min(cores(), MOST_THREADS) if ahead is None else ahead
    rest = iter(items)
    with ThreadPoolExecutor(count) as pool:
        waiting: deque[Future[Result]] = deque(pool.submit(work, item) for item in islice(rest, count))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(work, item) for item in islice(rest, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()
