"""Tasks on a Ray cluster that is begun here, with small ones in place of the work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray")
import film_tasks
import ray
from film_tasks import write_name

from stitchedit.film.graph import Task
from stitchedit.film.on_ray import run_on_ray
from stitchedit.film.outcome import DONE, FAILED, SKIPPED, Outcome

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.cloudpickle.register_pickle_by_value(film_tasks)  # its processes do not look where tests lie
    ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
    yield
    ray.shutdown()
    ray.cloudpickle.unregister_pickle_by_value(film_tasks)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_it_does_what_processes_do(tmp_path: Path) -> None:
    told: list[Outcome] = []
    tasks = [
        Task("learn/1", {}),
        Task("tune/0001", {}, needs=("learn/1",)),
        Task("fail/1", {}),
        Task("edit/0002", {}, needs=("fail/1",)),
        Task("die/1", {}),
    ]
    outcomes = run_on_ray(str(tmp_path), tasks, "auto", told.append, do=write_name)
    assert [outcome.state for outcome in outcomes] == [DONE, DONE, FAILED, SKIPPED, DONE]
    assert len(told) == 5
    times = [int((tmp_path / name).read_text()) for name in ("learn-1", "tune-0001")]
    assert times == sorted(times)
