"""How a film's tasks scale with workers, and what a task costs beside its work.

    python scripts/bench_film.py [--shots 40] [--seconds 0.5] [--workers 1 2 4 8] [--ray]

Tasks sleep in place of their work (a stand-in, so that more workers than cores can be measured): the graph, the
processes and Ray are the real ones, what they would compute is not. Prints a table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

from stitchedit.film.clips import CLIP, Clip
from stitchedit.film.graph import Task, edit_tasks
from stitchedit.film.local import run_processes
from stitchedit.film.outcome import DONE, Outcome
from stitchedit.film.people_table import PersonRow
from stitchedit.film.plan import FilmPlan, FilmSettings, PlannedShot
from stitchedit.film.shots import Shot

PERSONS = 3


def sleep(address: str, name: str) -> Outcome:
    """A task that takes so many seconds as its address says; solving a strength takes none."""
    time.sleep(0.0 if name.startswith("solve/") else float(address))
    return Outcome(name, DONE)


def tasks_of(shots: int) -> list[Task]:
    """Those of a film in which three people take turns."""
    people = tuple(PersonRow(n, "", 0, (("age", "2"),), (), ()) for n in range(1, PERSONS + 1))
    planned = tuple(PlannedShot(Shot(n, 24 * n - 24, 24 * n - 1), (1 + n % PERSONS,)) for n in range(1, shots + 1))
    clips = (Clip(Path("film.mp4"), "", Fraction(24)),)
    plan = FilmPlan(clips[0].path, CLIP, clips, "", "", FilmSettings(), people, planned)
    return edit_tasks(plan, "")


def timed(run: Callable[[], list[Outcome]]) -> float:
    start = time.perf_counter()
    outcomes = run()
    assert all(outcome.good for outcome in outcomes)
    return time.perf_counter() - start


def longest_chain(tasks: list[Task], seconds: float) -> float:
    """What no number of workers can undercut."""
    ends: dict[str, float] = {}
    for task in tasks:
        own = 0.0 if task.stage == "solve" else seconds
        ends[task.name] = own + max((ends[need] for need in task.needs), default=0.0)
    return max(ends.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--ray", action="store_true")
    asked = parser.parse_args()
    tasks = tasks_of(asked.shots)
    work = sum(asked.seconds for task in tasks if task.stage != "solve")
    least = longest_chain(tasks, asked.seconds)
    print(f"{len(tasks)} tasks, {work:.1f} s of stand-in work, longest chain {least:.1f} s")
    print("| workers | by | seconds | least possible | speed-up | beside work, ms a task |")
    print("|---|---|---|---|---|---|")
    alone: dict[str, float] = {}
    for by in ["processes", *(["Ray"] if asked.ray else [])]:
        for workers in asked.workers:
            took = (
                on_ray(tasks, asked.seconds, workers)
                if by == "Ray"
                else timed(partial(run_processes, str(asked.seconds), tasks, workers, lambda outcome: None, do=sleep))
            )
            alone.setdefault(by, took)
            bound = max(work / workers, least)
            beside = 1000 * (took - bound) * workers / len(tasks)
            print(f"| {workers} | {by} | {took:.2f} | {bound:.2f} | {alone[by] / took:.2f} | {beside:.0f} |")


def on_ray(tasks: list[Task], seconds: float, workers: int) -> float:
    import ray

    from stitchedit.film.on_ray import run_on_ray

    ray.init(num_cpus=workers, include_dashboard=False, logging_level="error", log_to_driver=False)
    try:
        return timed(partial(run_on_ray, str(seconds), tasks, "auto", lambda outcome: None, do=sleep))
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
