"""A film from its clip to its edited file: looked through, planned, carried out, put together."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import Any

from stitchedit.errors import ConfigError, ProjectError, WouldReplace
from stitchedit.files.atomic import make_folder
from stitchedit.files.hashing import file_sha256
from stitchedit.files.utf8_path import as_text
from stitchedit.film import folder as names
from stitchedit.film.analysis import Analysis, counted, like, shots_of
from stitchedit.film.folder import FilmFolder
from stitchedit.film.graph import edit_tasks, fingerprints
from stitchedit.film.outcome import Outcome
from stitchedit.film.people_table import PersonRow, find_rows, joined, read_table, with_edits, write_table
from stitchedit.film.plan import FilmPlan, FilmSettings, PlannedShot, read_plan, write_plan
from stitchedit.film.shot_files import put_back
from stitchedit.film.stages import film_regions
from stitchedit.models import weights
from stitchedit.pipeline.edit_clip import told_of
from stitchedit.progress import Progress, silent
from stitchedit.project.records import Records, fingerprint_of
from stitchedit.provenance.manifest import notice, sealer
from stitchedit.strength import Strength, parse_strength, strength_label
from stitchedit.video import open_video, try_output, usual_output, write_video

log = logging.getLogger(__name__)

LIKE = "like "
JOIN = "tasks/join.toml"


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is to be edited and how, as a command has it; without edits people.toml says it."""

    who: tuple[str, ...] = ()  # numbers, names, "all" or "like IMAGE"
    edits: tuple[tuple[str, Strength], ...] = ()
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """What is written of a film."""

    path: Path
    lossless: bool = False
    audio: str = "copy"
    metadata_only: bool = False
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class FilmSummary:
    """What was done."""

    output: Path
    frames: int
    edited_shots: int
    shots: int
    steps: int  # of tuning
    said: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "output": str(self.output),
            "frames": self.frames,
            "shots": self.shots,
            "edited_shots": self.edited_shots,
            "tuning_steps": self.steps,
            "notes": list(self.said),
        }

    def lines(self) -> list[str]:
        return [
            f"film: {self.output}, {self.frames} frames; {self.edited_shots} of {self.shots} shots edited",
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
            return replace(plan, film=film.path)
        path.replace(path.with_name("plan.old.toml"))
        log.info("plan.toml is made anew: people.toml or the options changed; the old one is plan.old.toml")
    persons = tuple(row for row in people if row.edits)
    numbers = shots_of(people, film, analysis.faces)
    shots = tuple(PlannedShot(s, who) for s, who in zip(film.shots, numbers, strict=True))
    plan = FilmPlan(
        film.path, film.sha256, Fraction(film.rate), made_of, metadata.version("stitchedit"), settings, persons, shots
    )
    write_plan(path, plan)
    return plan


def require_good(outcomes: Sequence[Outcome]) -> None:
    """Raises ProjectError, where a task failed: a film is not put together with a hole in silence."""
    bad = [outcome for outcome in outcomes if not outcome.good]
    if not bad:
        return
    causes = [outcome for outcome in bad if outcome.exit_code] or bad
    shots = sorted({outcome.name for outcome in bad if outcome.name.startswith("edit/")})
    first = causes[0]
    error = ProjectError(
        f"{counted(len(shots), 'shot')} {'is' if len(shots) == 1 else 'are'} not edited, "
        f"so the film is not put together; {first.name}: {first.said}",
        "the same command tries them again; `edit = false` in plan.toml leaves a shot as it is",
    )
    error.exit_code = first.exit_code or ProjectError.exit_code
    raise error


def machines_note(outcomes: Sequence[Outcome]) -> list[str]:
    """A line, where tasks were done by machines of several kinds."""
    kinds = sorted({outcome.machine for outcome in outcomes if outcome.machine})
    return [] if len(kinds) < 2 else [f"done by machines of several kinds, last bits differ: {'; '.join(kinds)}"]


def put_together(plan: FilmPlan, folder: FilmFolder, output: Output, progress: Progress = silent) -> tuple[str, ...]:
    """Write the film with its edited shots in their places, coded once; what the writer has to say.

    Raises: WouldReplace, CannotEncode, DiskFull, ProjectError.
    """
    tasks = edit_tasks(plan, weights.sha256_of(plan.settings.generator))
    inputs = fingerprints(tasks)
    edited = {t.number: folder.at(names.edited(t.number)) for t in tasks if t.stage == "edit"}
    shots = {planned.shot.number: planned.shot for planned in plan.shots}
    done = {f"shot {n}": fingerprint_of(inputs[f"edit/{n:04d}"]) for n in edited}
    facts = {"output": str(output.path.resolve()), "lossless": str(output.lossless), "audio": output.audio}
    facts |= {"c2pa": str(not output.metadata_only), "film": plan.sha256, **done}
    records = Records.open_or_create(folder.at(JOIN))
    if _is_own(records, output) and records.why_redo("join", facts, [output.path]) is None:
        log.info("join: nothing changed, kept")
        return ()
    source, said = open_video(plan.film), as_text(said_of(plan))
    seal = None if output.metadata_only else sealer(output.path, plan.film, said, plan.sha256)
    make_folder(output.path.parent)
    total = plan.shots[-1].shot.last + 1
    frames = told_of(put_back(source, edited, shots), "join", total, progress)
    written = write_video(
        output.path,
        source,
        frames,
        lossless=output.lossless,
        audio=output.audio,
        metadata=notice(said),
        seal=seal,
    )
    if written.frames != total:
        raise ProjectError(f"{plan.film} has {written.frames} frames, the plan {total}", "remove the film's folder")
    records.path.parent.mkdir(parents=True, exist_ok=True)
    records.finish("join", facts, sha256=file_sha256(output.path))
    return written.notes


def said_of(plan: FilmPlan) -> str:
    """The edit in words, for the notice: `age -2 (person 1), smile +1 (person 3)`."""
    parts = [
        f"{Path(name).stem} {strength_label(parse_strength(text))} (person {person.number})"
        for person in plan.persons
        for name, text in person.edits
    ]
    regions = film_regions(plan)
    return ", ".join([*parts, *([] if regions == ("face",) else [f"region:{'+'.join(regions)}"])])


def usual_film(clip: Path, lossless: bool) -> Path:
    return usual_output(clip, "film", lossless=lossless)


def require_output(plan: FilmPlan, folder: FilmFolder, output: Output) -> tuple[str, ...]:
    """What the output will not keep of the film. Raises CannotEncode, NotWritable, WouldReplace, before any work."""
    if output.path.exists() and output.path.samefile(plan.film):
        raise ConfigError(f"{output.path} is the film itself", "choose another name with -o")
    own = _is_own(Records.open_or_create(folder.at(JOIN)), output)
    if output.path.exists() and not own and not output.overwrite:
        raise WouldReplace(output.path, "it is not the film that was put together from here")
    return try_output(output.path, open_video(plan.film), lossless=output.lossless, audio=output.audio)


def _is_own(records: Records, output: Output) -> bool:
    """Whether what lies in the output's place was put together from here."""
    known = records.data["stages"].get("join", {}).get("sha256")
    return output.path.is_file() and known == file_sha256(output.path)


def tuned_steps(plan: FilmPlan, folder: FilmFolder) -> int:
    """Steps of tuning that finished tasks took."""
    from stitchedit.film.learning import Learned
    from stitchedit.project.folder import Project

    learned = [folder.at(names.learned(person.number)) for person in plan.persons]
    total = sum(Learned.read(path).steps for path in learned if path.exists())
    for planned, faces in plan.edited():
        for place in range(1, len(faces) + 1):
            root = folder.at(names.shot_project(planned.shot.number))
            own = root if place == 1 else root / "persons" / str(place)
            if (own / "project.toml").is_file():
                total += Project.look(own).tuning_steps
    return total
