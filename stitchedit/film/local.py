"""Tasks carried out on this machine: by this process, or by several that each do one task at a time.

The order is `graphlib`'s, the processes are those of `concurrent.futures`. A process that is killed costs its running
task, which is given to a fresh one; one that outlives whoever started it ends by itself.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from graphlib import TopologicalSorter
from multiprocessing import get_context
from queue import SimpleQueue

from stitchedit.film.graph import Task
from stitchedit.film.outcome import FAILED, Outcome, skipped
from stitchedit.film.worker import do_task
from stitchedit.progress import Progress, silent

Do = Callable[[str, str], Outcome]  # (address, task) -> how it ended
Tell = Callable[[Outcome], None]
MOST_TRIES = 3  # of a task whose process dies: it may be what brings the machine down
_LOOK = 0.5  # seconds between looks for signals, and for whoever started a process


def run_here(address: str, tasks: Sequence[Task], tell: Tell, progress: Progress = silent) -> list[Outcome]:
    """All tasks in their order, in this very process."""
    ended: dict[str, Outcome] = {}
    for task in tasks:
        bad = next((name for name in task.needs if not ended[name].good), None)
        ended[task.name] = skipped(task.name, bad) if bad else do_task(address, task.name, progress)
        tell(ended[task.name])
    return list(ended.values())


def run_processes(
    address: str, tasks: Sequence[Task], workers: int, tell: Tell, progress: Progress = silent, do: Do = do_task
) -> list[Outcome]:
    """All tasks by processes of this machine, each as soon as what it needs is done.

    Args:
        tell: called with each task as it ends.
        progress: called now and then; what it raises, such as `Stopped`, ends all processes at once, and is raised.
    """
    by_name = {task.name: task for task in tasks}
    order: TopologicalSorter[str] = TopologicalSorter({task.name: task.needs for task in tasks})
    order.prepare()
    ended: dict[str, Outcome] = {}

    def finish(outcome: Outcome) -> None:
        ended[outcome.name] = outcome
        order.done(outcome.name)
        tell(outcome)
        progress("film", len(ended), len(tasks), outcome.name)

    # The processes end first: a thread waits for its own.
    with ThreadPoolExecutor(workers) as threads, _places(workers, do) as places:
        running: set[Future[Outcome]] = set()
        while order.is_active():
            for name in order.get_ready():
                bad = next((need for need in by_name[name].needs if not ended[need].good), None)
                if bad is not None:
                    finish(skipped(name, bad))
                else:
                    running.add(threads.submit(places.do, address, name))
            done, running = wait(running, _LOOK, FIRST_COMPLETED)
            progress("film", len(ended), len(tasks))
            for future in done:
                finish(future.result())
    return [ended[task.name] for task in tasks]


class _Places:
    """Processes for one task at a time each."""

    def __init__(self, count: int, do: Do) -> None:
        self._free: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
        self._all: list[ProcessPoolExecutor] = []
        self._do, self._ended = do, False
        for _ in range(count):
            self._free.put(self._fresh())

    def do(self, address: str, name: str) -> Outcome:
        """Have a process do a task; called by as many threads as there are places."""
        place = self._free.get()
        try:
            for _ in range(MOST_TRIES):
                try:
                    return place.submit(self._do, address, name).result()
                except BrokenProcessPool:
                    if self._ended:
                        break
                    place.shutdown(wait=False)
                    place = self._fresh()
            return Outcome(
                name, FAILED, said=f"its process was killed {MOST_TRIES} times, or no memory was left", exit_code=7
            )
        finally:
            self._free.put(place)

    def end(self) -> None:
        """Kill what still runs; every result that is finished is on the disk."""
        self._ended = True
        for place in self._all:
            for process in list((place._processes or {}).values()):
                with suppress(OSError, ValueError):
                    process.kill()
            place.shutdown(wait=False, cancel_futures=True)

    def _fresh(self) -> ProcessPoolExecutor:
        place = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin, initargs=(os.getpid(),))
        self._all.append(place)
        return place


@contextmanager
def _places(count: int, do: Do) -> Iterator[_Places]:
    places = _Places(count, do)
    try:
        yield places
    finally:
        places.end()


def _begin(parent: int) -> None:
    """In a fresh process: Ctrl-C is for whoever started it, and without that one it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.raiseExceptions = False  # a line that finds no room is no reason for a traceback

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
