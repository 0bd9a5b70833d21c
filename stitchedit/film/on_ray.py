"""The same tasks on the machines of a Ray cluster (extra `ray`): Ray places them, retries what dies, and does the rest.

What goes through Ray is the name of a task and how it ended; pictures and weights stay in the film's folder, which all
machines reach by the same path or address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

from stitchedit.errors import ConfigError, DeviceError
from stitchedit.film.graph import Task
from stitchedit.film.local import MOST_TRIES, Do, Tell
from stitchedit.film.outcome import FAILED, Outcome, skipped
from stitchedit.film.worker import do_task
from stitchedit.progress import Progress, silent

AUTO = "auto"
_LOOK = 0.5  # seconds between looks for signals


def require_ray() -> None:
    """Raises ConfigError, where it is not installed."""
    if find_spec("ray") is None:
        raise ConfigError("--ray needs Ray, which is not installed", "pip install 'stitchedit[ray]'")


def run_on_ray(
    address: str,
    tasks: Sequence[Task],
    cluster: str,
    tell: Tell,
    progress: Progress = silent,
    *,
    threads: int = 1,
    gpus: float = 0.0,
    do: Do = do_task,
) -> list[Outcome]:
    """All tasks on a cluster; arguments as `run_processes`.

    Args:
        cluster: "auto" (the cluster of this machine, or one that is begun here), or an address such as ray://HEAD:10001.
        threads, gpus: that a task is given.
    Raises: ConfigError, where Ray is not installed; DeviceError, where the cluster cannot be reached.
    """
    ray = _connected(cluster)
    remote = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=MOST_TRIES - 1)(_task(do))
    refs: dict[str, Any] = {}
    try:
        for task in tasks:  # each after what it needs: their outcomes are its arguments
            needed = [refs[name] for name in task.needs]
            refs[task.name] = remote.options(name=task.name).remote(address, task, *needed)
        return _collected(ray, tasks, refs, tell, progress)
    except BaseException:
        for ref in refs.values():
            ray.cancel(ref, force=True)
        raise


def _task(do: Do) -> Callable[..., Outcome]:
    def work(address: str, task: Task, *needed: Outcome) -> Outcome:
        bad = next((outcome.name for outcome in needed if not outcome.good), None)
        return skipped(task.name, bad) if bad else do(address, task.name)

    return work


def _connected(cluster: str) -> Any:
    require_ray()
    import ray

    if not ray.is_initialized():
        try:
            try:
                ray.init(address=cluster, logging_level="warning", log_to_driver=False)
            except ConnectionError:
                if cluster != AUTO:
                    raise
                ray.init(logging_level="warning", log_to_driver=False, include_dashboard=False)  # nobody has one here
        except (ConnectionError, ValueError, RuntimeError, OSError) as exc:
            raise DeviceError(f"the Ray cluster {cluster} cannot be reached: {exc}", "see `ray status` there") from exc
    return ray


def _collected(ray: Any, tasks: Sequence[Task], refs: dict[str, Any], tell: Tell, progress: Progress) -> list[Outcome]:
    names = {ref: name for name, ref in refs.items()}
    ended: dict[str, Outcome] = {}
    left = list(refs.values())
    while left:
        ready, left = ray.wait(left, timeout=_LOOK)
        progress("film", len(ended), len(tasks))
        for ref in ready:
            try:
                outcome = ray.get(ref)
            except ray.exceptions.RayError as exc:  # its machine died each time
                lines = str(exc).strip().splitlines() or [type(exc).__name__]
                outcome = Outcome(names[ref], FAILED, said=f"its worker died: {lines[0]}", exit_code=7)
            ended[outcome.name] = outcome
            tell(outcome)
    return [ended[task.name] for task in tasks]
