"""The job of `film`: analyse, plan, carry out, put together, each only as far as it is asked for."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from stitchedit.errors import ProjectError
from stitchedit.files.atomic import make_folder
from stitchedit.files.locks import Lock
from stitchedit.film import folder as names
from stitchedit.film import join, make
from stitchedit.film.analysis import Analysis, analyse, person_line
from stitchedit.film.clips import CUTS
from stitchedit.film.estimate import Estimate, estimate
from stitchedit.film.folder import FilmFolder, default_folder
from stitchedit.film.given import Given
from stitchedit.film.graph import Task, edit_tasks
from stitchedit.film.join import Output
from stitchedit.film.local import run_here, run_processes
from stitchedit.film.make import Choice
from stitchedit.film.on_ray import run_on_ray
from stitchedit.film.openjd import template, write_template
from stitchedit.film.outcome import FAILED, KEPT, Outcome
from stitchedit.film.plan import FilmPlan, FilmSettings, write_plan
from stitchedit.film.store import Store
from stitchedit.film.time_line import write_time_line
from stitchedit.models import weights
from stitchedit.progress import Progress, silent

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Where:
    """Where a film is, and who works on it."""

    given: Given
    folder: Path | None = None  # None: beside what is given
    store: str | None = None  # an address at which all machines find shots and results; None: the folder
    workers: int = 1  # processes; 0: this very process
    ray: str | None = None  # a cluster in their place
    gpus: float = 0.0  # of a task on a cluster


@dataclass(frozen=True, slots=True)
class Until:
    """How far to go."""

    people: bool = False
    plan: bool = False
    shots: bool = False
    price: float = 0.0  # of a machine's hour
    template: Path | None = None  # where an OpenJD template of the plan is to go; only plan then


class Report(Protocol):
    """What there is to say at the end."""

    def as_json(self) -> dict[str, Any]: ...

    def lines(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Told:
    """Facts and lines."""

    facts: dict[str, Any]
    text: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return self.facts

    def lines(self) -> list[str]:
        return list(self.text)


def film(
    where: Where, choice: Choice, settings: FilmSettings, output: Output, until: Until, progress: Progress = silent
) -> Report:
    """Do all of it, or less. What is finished is kept, whatever ends it.

    Raises: the errors of the stages, all of them `StitcheditError`; InUse, when another process makes this film.
    """
    folder = FilmFolder(where.folder or default_folder(where.given.path))
    shots_alone = until.shots or where.given.kind == CUTS
    make_folder(folder.root)
    lock = Lock(folder.root, alone=True)
    try:
        runner = _Runner(where, folder, settings, progress)
        found = analyse(where.given, folder, runner.look, progress)
        for note in found.notes:
            log.warning("%s", note)
        if until.people:
            return _who(found, folder)
        people = make.choose(found, folder, choice)
        plan = make.make_plan(found, folder, people, settings)
        notes = [] if shots_alone else join.require_output(plan, folder, output)
        if until.template:
            return runner.templated(plan, until.template)
        if until.plan:
            return _planned(plan, found, folder, until.price, where.workers)
        outcomes = runner.carry_out(plan)
        told = [*found.notes, *notes, *make.machines_note(outcomes)]
        if shots_alone:
            make.require_good(outcomes)
            return _left(plan, where.given, folder, told)
        files = join.put_together(plan, folder, output, join.without_hole(plan, outcomes), progress)
        make.require_good(outcomes)
        return make.summary(plan, folder, files, told)
    finally:
        lock.release()


class _Runner:
    """Has tasks done, by whoever is to do them, and brings results to where the film is put together."""

    def __init__(self, where: Where, folder: FilmFolder, settings: FilmSettings, progress: Progress) -> None:
        self.where, self.folder, self.settings, self.progress = where, folder, settings, progress
        self.address = where.store or str(folder.root.absolute())
        self.store = Store(self.address, folder)

    def look(self, tasks: Sequence[Task]) -> list[Outcome]:
        """Those of the analysis."""
        shots = [name for task in tasks for name in task.reads]
        if self.store.remote:
            known = self.store.same(names.RECORD)  # else what lies there are shots of another film
            self.store.push([name for name in shots if not (known and self.store.has([name]))])
            self.store.push([names.RECORD])
        outcomes = self._run(tasks)
        self.store.pull([name for task in tasks for name in task.writes])
        return outcomes

    def carry_out(self, plan: FilmPlan) -> list[Outcome]:
        """Those of the plan."""
        tasks = edit_tasks(plan, weights.sha256_of(plan.settings.generator))
        write_plan(self.folder.at(names.PLAN), plan)
        self.store.push([names.PLAN])
        outcomes = self._run(tasks)
        results = [name for task in tasks if task.stage == "edit" for name in task.results]
        facts = [names.learned(person.number) for person in plan.persons]
        records = [f"{names.shot_project(s.shot.number)}/project.toml" for s, _ in plan.edited()]
        self.store.pull([*results, *facts, *records])
        return outcomes

    def templated(self, plan: FilmPlan, path: Path) -> Report:
        """Leave them to a farm."""
        tasks, name = edit_tasks(plan, weights.sha256_of(plan.settings.generator)), self.where.given.path.name
        self.store.push([names.PLAN])
        write_template(path, template(tasks, f"stitchedit {name}", self.address, plan.settings.threads))
        return Told({"template": str(path), "tasks": len(tasks)}, (f"template: {path}, {len(tasks)} tasks",))

    def _run(self, tasks: Sequence[Task]) -> list[Outcome]:
        where = self.where
        if where.ray is not None:
            threads = self.settings.threads
            return run_on_ray(
                self.address, tasks, where.ray, self._tell, self.progress, threads=threads, gpus=where.gpus
            )
        if where.workers == 0:
            return run_here(self.address, tasks, self._tell, self.progress)
        return run_processes(self.address, tasks, where.workers, self._tell, self.progress)

    def _tell(self, outcome: Outcome) -> None:
        if outcome.state == FAILED:
            log.error("%s: %s", outcome.name, outcome.said)
        elif outcome.state != KEPT:
            log.info("%s: %s in %.1f s", outcome.name, outcome.state, outcome.seconds)


def _who(found: Analysis, folder: FilmFolder) -> Report:
    lines = [person_line(row, found) for row in found.rows]
    where = [f"sheet: {found.sheet}"] if found.sheet else ["no face was found in any shot"]
    facts = {
        "people": [{"number": p.number, "frames": p.frames, "shots": p.shots} for p in found.people],
        "sheet": str(found.sheet) if found.sheet else None,
        "table": str(folder.at(names.TABLE)),
        "notes": list(found.notes),
    }
    text = (*lines, *(f"note: {note}" for note in found.notes), *where, f"table: {folder.at(names.TABLE)}")
    return Told(facts, text)


def _planned(plan: FilmPlan, found: Analysis, folder: FilmFolder, price: float, workers: int) -> Report:
    guess: Estimate = estimate(plan, found, price)
    write_plan(folder.at(names.PLAN), plan, guess.as_json())
    people = [person_line(row, found) for row in found.rows]
    edited = [f"edit of {p.label}: {', '.join(' '.join(e) for e in p.edits)}" for p in plan.persons]
    notes = [f"note: {note}" for note in found.notes]
    last = f"plan: {folder.at(names.PLAN)}; nothing was edited"
    lines = (*people, *edited, *guess.lines(max(1, workers)), *notes, last)
    return Told({"plan": str(folder.at(names.PLAN)), "estimate": guess.as_json(), "notes": list(found.notes)}, lines)


def _left(plan: FilmPlan, given: Given, folder: FilmFolder, told: Sequence[str]) -> Report:
    files = [folder.at(names.edited(p.shot.number)) for p, _ in plan.edited()]
    for path in files:
        if not path.is_file():
            raise ProjectError(f"{path} is not there", "give the same command again")
    lines = write_time_line(plan, given, folder)
    facts = {"shots": [str(path) for path in files], "time_lines": [str(path) for path in lines], "notes": list(told)}
    shown = [f"shot: {path}" for path in files] + [f"time line: {path}" for path in lines]
    return Told(facts, (*shown, *(f"note: {note}" for note in told)))
