"""Tasks by processes of this machine, with small ones in place of the work."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from film_tasks import sleep, write_name

from stitchedit.errors import Stopped
from stitchedit.film import local
from stitchedit.film.graph import Task
from stitchedit.film.local import run_processes
from stitchedit.film.outcome import DONE, FAILED, SKIPPED, Outcome

TASKS = [Task("learn/1", {}), Task("tune/0001", {}, needs=("learn/1",)), Task("edit/0001", {}, needs=("tune/0001",))]


def names(*tasks: str) -> list[Task]:
    """Each after the one before."""
    return [Task(name, {}, needs=tuple(tasks[:k][-1:])) for k, name in enumerate(tasks)]


def test_a_task_waits_for_what_it_needs(tmp_path: Path) -> None:
    told: list[Outcome] = []
    outcomes = run_processes(str(tmp_path), TASKS, 2, told.append, do=write_name)
    assert [outcome.name for outcome in outcomes] == [task.name for task in TASKS]
    times = [int((tmp_path / task.name.replace("/", "-")).read_text()) for task in TASKS]
    assert times == sorted(times)
    assert [outcome.name for outcome in told] == [task.name for task in TASKS]


def test_one_that_fails_stops_those_after_it_alone(tmp_path: Path) -> None:
    tasks = [*names("fail/1", "tune/0001", "edit/0001"), Task("tune/0002", {})]
    outcomes = run_processes(str(tmp_path), tasks, 1, lambda outcome: None, do=write_name)
    assert [outcome.state for outcome in outcomes] == [FAILED, SKIPPED, SKIPPED, DONE]
    assert outcomes[0].exit_code == 5
    assert outcomes[2].said == "tune/0001 failed"


def test_a_killed_process_costs_its_task_a_try(tmp_path: Path) -> None:
    tasks = [Task("die/1", {}), *[Task(f"tune/{k:04d}", {}) for k in range(4)]]
    outcomes = run_processes(str(tmp_path), tasks, 2, lambda outcome: None, do=write_name)
    assert [outcome.state for outcome in outcomes] == [DONE] * 5


def test_one_that_dies_each_time_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "MOST_TRIES", 1)
    (outcome,) = run_processes(str(tmp_path), [Task("die/1", {})], 1, lambda outcome: None, do=write_name)
    assert (outcome.state, outcome.exit_code) == (FAILED, 7)


def test_asked_to_stop_it_waits_for_nobody() -> None:
    start = time.monotonic()

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        if time.monotonic() - start > 1:
            raise Stopped(2)

    with pytest.raises(Stopped):
        run_processes("s300", [Task(f"tune/{k:04d}", {}) for k in range(3)], 2, lambda outcome: None, progress, sleep)
    assert time.monotonic() - start < 60
