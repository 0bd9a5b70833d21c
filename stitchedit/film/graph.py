"""The tasks of a film and what each needs: one graph for processes, for Ray and for farms.

    faces/0007 (a shot)                                      -> people.toml, plan.toml
    learn/2 (a person) -> solve/2 (their strengths)  --\\
                       -> tune/0007 (a shot) ----------> edit/0007 -> the film is put together

A task is known by its name. What it reads and writes are names in the film's folder, so that any machine that reaches
the folder can do it. Its fingerprint covers its own inputs and those of all it needs: equal, and it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stitchedit.config import TrackConfig
from stitchedit.film import folder as names
from stitchedit.film.clips import Film
from stitchedit.film.plan import FilmPlan
from stitchedit.project.records import fingerprint_of, inputs_of

VERSION = "2"  # of what tasks do: a result of another one is made anew


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work on one machine."""

    name: str  # stage and number, such as "tune/0007"
    inputs: Mapping[str, str]  # what its result depends on, beside that of `needs`
    needs: tuple[str, ...] = ()  # tasks that must be done before
    reads: tuple[str, ...] = ()  # files and folders of the film's folder
    writes: tuple[str, ...] = ()
    results: tuple[str, ...] = ()  # files that tell that it is done
    frames: int = 0  # for progress and estimates

    @property
    def stage(self) -> str:
        return self.name.partition("/")[0]

    @property
    def number(self) -> int:
        return int(self.name.partition("/")[2])


def face_tasks(film: Film) -> list[Task]:
    """One a shot: who is seen in it."""
    settings = inputs_of(TrackConfig())
    return [
        Task(
            f"faces/{shot.number:04d}",
            {
                "clip": film.clip(shot).sha256,
                "frames": f"{shot.first}-{shot.last}",
                "colourspace": film.colourspace,
                "version": VERSION,
            }
            | settings,
            reads=(names.shot(shot.number),),
            writes=(names.faces(shot.number),),
            results=(f"{names.faces(shot.number)}/faces.npz",),
            frames=shot.frames,
        )
        for shot in film.shots
    ]


def edit_tasks(plan: FilmPlan, generator_sha256: str) -> list[Task]:
    """All that is done to edit the people of a plan."""
    settings = plan.settings
    common = {"weights": generator_sha256, "threads": str(settings.threads), "version": VERSION}
    learning = common | inputs_of(settings.invert())
    tasks = []
    for person in plan.persons:
        shots = plan.frames_of(person.number)
        if shots:
            tasks += _person_tasks(plan, person.number, shots, learning)
    for planned, faces in plan.edited():
        number, who = planned.shot.number, sorted({person for _, person in faces})
        shown = {"clip": plan.clip(planned.shot).sha256, "frames": f"{planned.shot.first}-{planned.shot.last}"}
        learned = [f"{names.person_project(p)}/generator.safetensors" for p in who]
        tuned = Task(
            f"tune/{number:04d}",
            learning | {"faces": str(faces)} | shown,
            needs=tuple(f"learn/{p}" for p in who),
            reads=(names.shot(number), names.faces(number), *learned, *map(names.learned, who)),
            writes=(names.shot_project(number),),
            results=(f"{names.shot_project(number)}/generator.safetensors",),
            frames=planned.shot.frames,
        )
        results = (names.edited(number), *((names.layers(number),) if settings.layers else ()))
        done = Task(
            f"edit/{number:04d}",
            common
            | inputs_of(replace(settings.edit(), edits=()))
            | {"regions": _all_wishes(plan), "layers": str(settings.layers)}
            | shown,
            needs=(tuned.name, *(f"solve/{p}" for p in who)),
            reads=(names.shot(number), names.shot_project(number), *map(names.strengths, who)),
            writes=results,
            results=results,
            frames=planned.shot.frames,
        )
        tasks += [tuned, done]
    return tasks


def _person_tasks(
    plan: FilmPlan, person: int, shots: Sequence[tuple[int, int]], learning: Mapping[str, str]
) -> list[Task]:
    clips = [name for number, _ in shots for name in (names.shot(number), names.faces(number))]
    frames = [plan.shots[number - 1].shot for number, _ in shots]
    clip_of = [plan.clip(shot).sha256 for shot in frames]
    whose = ", ".join(
        f"{sha} {s.first}-{s.last}:{face}" for sha, s, (_, face) in zip(clip_of, frames, shots, strict=True)
    )
    learn = Task(
        f"learn/{person}",
        dict(learning) | {"faces": whose, "reel": str(plan.settings.reel_frames)},
        reads=tuple(clips),
        writes=(f"people/{person}",),
        results=(names.learned(person), f"{names.person_project(person)}/generator.safetensors"),
        frames=plan.settings.reel_frames,
    )
    row = plan.person(person)
    asked = {"edits": str(row.edits), "calibrated": str(plan.settings.calibrated), "version": VERSION}
    solve = Task(
        f"solve/{person}",
        asked | {"regions": _all_wishes(plan)},
        needs=(learn.name,),
        reads=(f"people/{person}",),
        writes=(names.strengths(person),),
        results=(names.strengths(person),),
    )
    return [learn, solve]


def _all_wishes(plan: FilmPlan) -> str:
    """What may change follows what all persons need, together."""
    return " ".join(str(wish) for person in plan.persons for wish in (person.edits, person.regions))


def fingerprints(tasks: Sequence[Task]) -> dict[str, dict[str, str]]:
    """The inputs of each task, with the fingerprints of those that it needs; tasks come after what they need."""
    found: dict[str, dict[str, str]] = {}
    for task in tasks:
        needed = {f"after {name}": fingerprint_of(found[name]) for name in task.needs}
        found[task.name] = dict(task.inputs) | needed
    return found
