"""Who is edited, by which plan, and what there is to say of a film that is done."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from stitchedit.errors import ConfigError
from stitchedit.film import folder as names
from stitchedit.film.analysis import Analysis, counted, like, shots_of
from stitchedit.film.folder import FilmFolder
from stitchedit.film.outcome import Outcome, error_of
from stitchedit.film.people_table import PersonRow, find_rows, joined, read_table, with_edits, write_table
from stitchedit.film.plan import FilmPlan, FilmSettings, PlannedShot, read_plan, write_plan
from stitchedit.strength import Strength

log = logging.getLogger(__name__)

LIKE = "like "


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is to be edited and how, as a command has it; without edits people.toml says it."""

    who: tuple[str, ...] = ()  # numbers, names, "all" or "like IMAGE"
    edits: tuple[tuple[str, Strength], ...] = ()
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FilmSummary:
    """What was done."""

    outputs: tuple[Path, ...]
    frames: int
    edited_shots: int
    shots: int
    steps: int  # of tuning
    said: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "outputs": [str(path) for path in self.outputs],
            "frames": self.frames,
            "shots": self.shots,
            "edited_shots": self.edited_shots,
            "tuning_steps": self.steps,
            "notes": list(self.said),
        }

    def lines(self) -> list[str]:
        return [
            *(f"film: {path}" for path in self.outputs),
            f"{self.frames} frames; {self.edited_shots} of {counted(self.shots, 'shot')} edited",
            f"tuning: {self.steps} steps in all",
            *(f"note: {note}" for note in self.said),
        ]


def choose(analysis: Analysis, folder: FilmFolder, choice: Choice) -> list[PersonRow]:
    """The people with what is to be done to each; what a command asks for goes into people.toml.

    Raises: ConfigError, FaceError, when nobody is meant or there is nothing to do.
    """
    rows = list(analysis.rows)
    if not rows:
        raise ConfigError("no face was found in any shot of the film", "there is nobody to edit")
    if choice.edits:
        texts = [str(like(analysis, Path(w.removeprefix(LIKE)))) if w.startswith(LIKE) else w for w in choice.who]
        chosen = find_rows(rows, texts or ([str(rows[0].number)] if len(rows) == 1 else []))
        if not chosen:
            raise ConfigError(f"{len(rows)} people are in the film, and it is not said who is meant", "give --who")
        changed = with_edits(rows, chosen, choice.edits, choice.regions)
        if changed != rows:
            path = folder.at(names.TABLE)
            seen = {p.number: f"{p.frames} frames in {len(p.shots)} shots" for p in analysis.people}
            write_table(path, changed, seen)
            rows = read_table(path)
    elif choice.who:
        raise ConfigError("--who is given without an edit", "add --years or --direction and --strength")
    people = joined(rows)
    if not any(row.edits for row in people):
        raise ConfigError(
            f"nobody is edited by {folder.at(names.TABLE)}", "give --who with --years or --direction, or fill in edits"
        )
    return people


def make_plan(analysis: Analysis, folder: FilmFolder, people: Sequence[PersonRow], settings: FilmSettings) -> FilmPlan:
    """The plan, as it lies there if it was made of the same; what was changed in it by hand then holds.

    Raises: ProjectError, ConfigError.
    """
    path = folder.at(names.PLAN)
    film = analysis.film
    asked = repr((film.sha256, people, replace(settings, threads=0), metadata.version("stitchedit")))
    made_of = hashlib.sha256(asked.encode("utf-8", "surrogateescape")).hexdigest()
    if path.exists():
        plan = read_plan(path)
        if plan.made_of == made_of:
            if plan.settings.threads != settings.threads:
                log.info(
                    "the plan keeps %d threads a task, on which last bits depend; remove %s to have others",
                    plan.settings.threads,
                    path,
                )
            return replace(plan, given=film.given, clips=film.clips)
        path.replace(path.with_name("plan.old.toml"))
        log.info("plan.toml is made anew: people.toml or the options changed; the old one is plan.old.toml")
    persons = tuple(row for row in people if row.edits)
    numbers = shots_of(people, film, analysis.faces)
    shots = tuple(PlannedShot(s, who) for s, who in zip(film.shots, numbers, strict=True))
    version = metadata.version("stitchedit")
    plan = FilmPlan(film.given, film.kind, film.clips, made_of, version, settings, persons, shots)
    write_plan(path, plan)
    return plan


def require_good(outcomes: Sequence[Outcome]) -> None:
    """Raises ProjectError, where a task failed: a film is not put together with a hole in silence."""
    bad = [outcome for outcome in outcomes if not outcome.good]
    if not bad:
        return
    cause = next((outcome for outcome in bad if outcome.exit_code), bad[0])
    shots = len([outcome for outcome in bad if outcome.name.startswith("edit/")])
    raise error_of(
        cause,
        f"{counted(shots, 'shot')} {'is' if shots == 1 else 'are'} not edited, so the film is not put together",
        "the same command tries them again; `edit = false` in plan.toml leaves a shot as it is",
    )


def machines_note(outcomes: Sequence[Outcome]) -> list[str]:
    """A line, where tasks were done by machines of several kinds."""
    kinds = sorted({outcome.machine for outcome in outcomes if outcome.machine})
    return [] if len(kinds) < 2 else [f"done by machines of several kinds, last bits differ: {'; '.join(kinds)}"]


def summary(plan: FilmPlan, folder: FilmFolder, files: Sequence[Path], told: Sequence[str]) -> FilmSummary:
    """What there is to say of a film that was put together into some files."""
    written = {planned.shot.clip for planned, _ in plan.edited()}
    frames = sum(planned.shot.frames for planned in plan.shots if planned.shot.clip in written)
    steps = tuned_steps(plan, folder)
    return FilmSummary(tuple(files), frames, len(plan.edited()), len(plan.shots), steps, tuple(told))


def tuned_steps(plan: FilmPlan, folder: FilmFolder) -> int:
    """Steps of tuning that finished tasks took."""
    from stitchedit.film.learning import Learned
    from stitchedit.project.folder import Project, face_root

    learned = [folder.at(names.learned(person.number)) for person in plan.persons]
    total = sum(Learned.read(path).steps for path in learned if path.exists())
    for planned, faces in plan.edited():
        for place in range(1, len(faces) + 1):
            own = face_root(folder.at(names.shot_project(planned.shot.number)), place)
            if (own / "project.toml").is_file():
                total += Project.look(own).tuning_steps
    return total
