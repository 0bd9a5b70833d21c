"""Ctrl-C and signals that ask to end: the work stops as at an error, with everything that is finished kept."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from stitchedit.errors import Stopped
from stitchedit.progress import Progress

_ASKING = ("SIGINT", "SIGTERM", "SIGHUP")
_asked: list[int] = []  # the signals that came; a process has one set of handlers, so this is one too


@contextmanager
def stoppable() -> Iterator[None]:
    """Inside, the first such signal raises `Stopped`; a second one ends the process at once.

    An exception of another family, such as KeyboardInterrupt, would be lost where FFmpeg calls Python to read or write
    a file, and the video would end there without a word. This one is lost where `logging` writes: so
    `raise_if_stopped` looks again. What is ignored from the start (nohup) stays so.
    """

    def stop(number: int, _: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_DFL)
        _asked.append(number)
        raise Stopped(number)

    numbers = [getattr(signal, name) for name in _ASKING if hasattr(signal, name)]
    before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        _asked.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def raise_if_stopped(progress: Progress) -> Progress:
    """The same progress, which raises `Stopped` at the next call when a signal came and its error was lost."""

    def show(stage: str, done: int, total: int, note: str = "") -> None:
        if _asked:
            raise Stopped(_asked[0])
        progress(stage, done, total, note)

    return show
