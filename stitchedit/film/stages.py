"""What the tasks of a film do: each a function of the film's folder and its plan, which reads and writes only there."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from stitchedit.config import TrackConfig, united
from stitchedit.editing.direction_catalogue import own_regions
from stitchedit.editing.edits import load_edits
from stitchedit.files.atomic import make_folder
from stitchedit.files.hashing import known_sha256
from stitchedit.film import folder as names
from stitchedit.film.clips import Film
from stitchedit.film.faces import find_faces
from stitchedit.film.folder import FilmFolder
from stitchedit.film.learning import Learned, learn_person, tracked, tune_shot
from stitchedit.film.people_table import PersonRow
from stitchedit.film.plan import FilmPlan
from stitchedit.film.reel import write_reel
from stitchedit.film.toml_files import read_toml, tables_of, value_of, write_toml
from stitchedit.models import loading
from stitchedit.pipeline.calibration import applied, calibrate
from stitchedit.pipeline.edit_clip import run_edit
from stitchedit.pipeline.edit_plan import plan_edit
from stitchedit.pipeline.inversion import load_inversion
from stitchedit.pipeline.invert_plan import plan_invert
from stitchedit.progress import Progress
from stitchedit.project import artefacts
from stitchedit.project.folder import Project, face_root
from stitchedit.strength import Strength, parse_strength, shifted, strength_option

log = logging.getLogger(__name__)


def faces(folder: FilmFolder, number: int, progress: Progress) -> None:
    """Find who is seen in a shot."""
    colourspace = Film.read(folder.at(names.RECORD)).colourspace
    clip, into = folder.at(names.shot(number)), folder.at(names.faces(number))
    find_faces(clip, into, TrackConfig(), progress, colourspace=colourspace)


def learn(folder: FilmFolder, plan: FilmPlan, person: int, progress: Progress) -> None:
    """Learn a person from a reel of all shots."""
    shots = plan.frames_of(person)
    clips = [folder.at(names.shot(number)) for number, _ in shots]
    own = [artefacts.load_tracks(_tracks(folder, number, face)) for number, face in shots]
    reel = folder.at(names.reel(person))
    make_folder(reel.parent)
    tracks = write_reel(reel, clips, own, plan.settings.reel_frames, plan.settings.colourspace)
    seen = replace(plan.settings.invert(), colourspace=None)  # the reel's pictures are as they look
    base = plan_invert(reel, folder.at(names.person_project(person)), seen)
    project = Project.create(base.root)
    known_by = " ".join(f"{number}.{face}" for number, face in shots)
    face = tracked(project, reel, tracks, base, f"{known_by}, {plan.settings.reel_frames} frames")
    learned = learn_person(face, base, loading.perceptual(base.device), progress)
    learned.write(folder.at(names.learned(person)))


def solve(folder: FilmFolder, plan: FilmPlan, person: int, progress: Progress) -> None:
    """Find the strengths that give a person what was asked: one for all shots, so that nobody's age jumps at a cut."""
    row = plan.person(person)
    edits = load_edits(row.strengths())
    told: list[str] = []
    if plan.settings.calibrated:
        inversion = load_inversion(Project.open(folder.at(names.person_project(person))), plan.settings.device)
        answers = calibrate(inversion, edits, film_regions(plan), progress=progress)
        edits = applied(edits, answers)
        told = [str(answer) for answer in answers if answer is not None]
        for line in told:
            log.info("%s: %s", row.label, line)
    pairs = zip(row.edits, edits, strict=True)
    entries = [{"direction": name, "strength": strength_option(strength)} for (name, _), (_, strength) in pairs]
    write_toml(folder.at(names.strengths(person)), {"edit": entries, "found": told})


def tune(folder: FilmFolder, plan: FilmPlan, number: int, progress: Progress) -> None:
    """Tune the generators of a shot's people on it, a little."""
    clip, chosen = folder.at(names.shot(number)), _faces_of(plan, number)
    base = plan_invert(clip, folder.at(names.shot_project(number)), plan.settings.invert())
    perceptual, opened = loading.perceptual(base.device), []
    for place, (face, person) in enumerate(chosen, 1):
        opened.append(Project.create(face_root(base.root, place)))
        path = _tracks(folder, number, face)
        own = tracked(opened[-1], clip, artefacts.load_tracks(path), base, f"face {face}, {known_sha256(path)}")
        start = folder.at(names.person_project(person)) / "generator.safetensors"
        steps = tune_shot(own, base, perceptual, start, Learned.read(folder.at(names.learned(person))), progress)
        log.info("shot %d, %s: %d steps of tuning", number, plan.person(person).label, steps)
    opened[0].take_faces(len(opened))


def edit(folder: FilmFolder, plan: FilmPlan, number: int, progress: Progress) -> None:
    """Edit a shot into a lossless clip."""
    planned = plan.shots[number - 1]
    edits: list[tuple[str, Strength]] = []
    only: list[tuple[int, ...]] = []
    for place, (_, person) in enumerate(_faces_of(plan, number), 1):
        for name, strength in read_strengths(folder.at(names.strengths(person))):
            edits.append((name, shifted(strength, planned.shot.first, plan.clip(planned.shot).rate)))
            only.append((place,))
    config = replace(plan.settings.edit(), edits=tuple(edits), only=tuple(only), regions=film_regions(plan))
    project = Project.open(folder.at(names.shot_project(number)))
    layers = folder.at(names.layers(number)) if plan.settings.layers else None
    made = folder.at(names.edited(number))
    run_edit(plan_edit(project, config, made, layers=layers, progress=progress), progress=progress)


def read_strengths(path: Path) -> list[tuple[str, Strength]]:
    """What `solve` found. Raises ProjectError."""
    entries = tables_of(read_toml(path), "edit", str(path))
    pairs = [(value_of(e, "direction", str, str(path)), value_of(e, "strength", str, str(path))) for e in entries]
    return [(name, parse_strength(text)) for name, text in pairs]


def film_regions(plan: FilmPlan) -> tuple[str, ...]:
    """What may change, the same in all shots: what any of the persons needs."""
    return united([region for person in plan.persons for region in regions_of(person)])


def regions_of(person: PersonRow) -> tuple[str, ...]:
    return united(person.regions) if person.regions else own_regions(name for name, _ in person.edits)


def _faces_of(plan: FilmPlan, number: int) -> list[tuple[int, int]]:
    return plan.shots[number - 1].faces([person.number for person in plan.persons])


def _tracks(folder: FilmFolder, number: int, face: int) -> Path:
    return folder.at(names.faces(number)) / str(face) / "tracks.npz"
