"""How long a stage will still take."""

from __future__ import annotations

import time
from collections.abc import Callable


class TimeLeft:
    """Guesses how long stages will still take, from the pace of the later half of what this process has done of them.

    The first units are often slow (a chain of stitching starts with many steps), and a stage that is taken up again
    begins in its middle.

    Args:
        clock: seconds, from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, list[tuple[int, float]]] = {}  # by stage: (units done, when), some hundred at most

    def __call__(self, stage: str, done: int, total: int) -> float | None:
        """Seconds to the stage's end; None, while nothing can be said. To be asked at every call of a `Progress`."""
        now, seen = self._clock(), self._seen.setdefault(stage, [])
        if seen and done < seen[-1][0]:
            seen.clear()  # the same work, begun anew
        if not seen or done - seen[-1][0] >= max(1, total // 100):
            seen.append((done, now))
        first = seen[0][0]
        before, then = next(one for one in reversed(seen) if one[0] - first <= (done - first) / 2)
        if done <= before or done >= total:
            return None
        return (total - done) * (now - then) / (done - before)
