"""A task carried out, by whatever process or machine: read the plan, do it, keep the record, say how it ended."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path

from stitchedit.errors import ProjectError, StitcheditError
from stitchedit.files.atomic import disk_error
from stitchedit.film import folder as names
from stitchedit.film.clips import Film
from stitchedit.film.folder import FilmFolder
from stitchedit.film.graph import Task, edit_tasks, face_tasks, fingerprints
from stitchedit.film.outcome import DONE, FAILED, KEPT, Outcome
from stitchedit.film.plan import FilmPlan, read_plan
from stitchedit.film.store import Store, opened
from stitchedit.progress import Progress, silent
from stitchedit.project.records import Records
from stitchedit.project.stage_runner import Stages

log = logging.getLogger(__name__)

MACHINE = "machine"  # in a task's record


def machine_kind() -> str:
    """What the last bits of results depend on beside the inputs: torch, its kernels for this processor, the device."""
    import torch

    kind = torch.backends.cpu.get_cpu_capability()
    card = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    return f"torch {torch.__version__}, {platform.machine()} {kind}, {card}"


def do_task(address: str, name: str, progress: Progress = silent) -> Outcome:
    """Do one task of the film at an address; never raises what a user can cause, but says it."""
    start = time.monotonic()
    try:
        with opened(address) as store:
            state, machine = _done(store, name, progress)
        return Outcome(name, state, time.monotonic() - start, machine=machine)
    except StitcheditError as exc:
        return _failed(name, exc, time.monotonic() - start)
    except OSError as exc:  # of a disk that is full, say, where no stage expects it: of a record or a log
        place = Path(str(exc.filename or address))
        return _failed(name, disk_error(place, exc), time.monotonic() - start)
    except MemoryError:
        return Outcome(name, FAILED, time.monotonic() - start, "out of memory", 7)


def _failed(name: str, exc: StitcheditError, seconds: float) -> Outcome:
    return Outcome(name, FAILED, seconds, f"{exc}{f' ({exc.hint})' if exc.hint else ''}", exc.exit_code)


def _done(store: Store, name: str, progress: Progress) -> tuple[str, str]:
    """How it ended, and on what kind of machine it was done, be it in another run."""
    name = full_name(name)
    store.pull([names.RECORD, names.PLAN, names.record(name)])
    folder = store.local
    tasks, plan = known_tasks(folder, need_plan=not name.startswith("faces/"))
    if name not in tasks:
        raise ProjectError(f"the plan of {store.address} has no task {name}", "run `stitchedit film` again")
    task = tasks[name]
    inputs = fingerprints(list(tasks.values()))[name]
    _require_version(plan)
    _use_threads(plan.settings.threads if plan else 1)
    path = folder.at(names.record(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    records = Records.open_or_create(path)
    if records.why_redo(task.stage, inputs, []) is None and store.has(task.results):
        return KEPT, records.fact(task.stage, MACHINE)
    store.pull(task.reads)
    places = [folder.at(result) for result in task.results]
    with _logged(path.with_suffix(".log")):
        Stages(records, (task.stage,)).run(task.stage, inputs, places, _work(task, folder, plan, progress))
    kind = machine_kind()
    records.note(task.stage, MACHINE, kind)
    store.push([*task.writes, names.record(name)])
    return DONE, kind


def full_name(name: str) -> str:
    """A task's name with the digits that shots have, where a farm counts without: tune/7 is tune/0007."""
    stage, _, number = name.partition("/")
    shots = stage in ("faces", "tune", "edit")
    return f"{stage}/{int(number):04d}" if shots and number.isdecimal() and number.isascii() else name


def known_tasks(folder: FilmFolder, *, need_plan: bool) -> tuple[dict[str, Task], FilmPlan | None]:
    """The tasks by name, those of the plan where it is wanted. Raises ProjectError, ConfigError."""
    if not need_plan:
        return {task.name: task for task in face_tasks(Film.read(folder.at(names.RECORD)))}, None
    from stitchedit.models import weights

    plan = read_plan(folder.at(names.PLAN))
    return {task.name: task for task in edit_tasks(plan, weights.sha256_of(plan.settings.generator))}, plan


def _work(task: Task, folder: FilmFolder, plan: FilmPlan | None, progress: Progress) -> Callable[[str], None]:
    def work(_: str) -> None:
        from stitchedit.film import stages  # brings torch

        if task.stage == "faces":
            stages.faces(folder, task.number, progress)
        else:
            assert plan is not None, "only faces are looked for without a plan"
            {"learn": stages.learn, "solve": stages.solve, "tune": stages.tune, "edit": stages.edit}[task.stage](
                folder, plan, task.number, progress
            )

    return work


def _require_version(plan: FilmPlan | None) -> None:
    own = metadata.version("stitchedit")
    if plan is not None and plan.stitchedit != own:
        raise ProjectError(
            f"this machine ({platform.node()}) has stitchedit {own}, the plan was made by {plan.stitchedit}",
            "install the same version on all machines",
        )


def _use_threads(count: int) -> None:
    import cv2
    import torch

    torch.set_num_threads(count)
    cv2.setNumThreads(count)


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """What a task says, in a file beside its record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("stitchedit")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(min(level or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        with suppress(OSError):  # its last lines may find no room
            handler.close()
