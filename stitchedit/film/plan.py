"""`plan.toml`: what will be done to which shot, for all tasks and machines to read. Made anew when what it is made of
changes; between that it is the user's to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from stitchedit.config import EditConfig, InvertConfig, united
from stitchedit.errors import ProjectError
from stitchedit.film.clips import AGAIN, SCHEMA, Clip, clips_of, kind_of, require_shots
from stitchedit.film.people_table import PersonRow, person_row
from stitchedit.film.shots import Shot
from stitchedit.film.toml_files import read_toml, tables_of, value_of, write_toml
from stitchedit.pipeline.presets import edit_preset, invert_preset

COMMENT = """What `stitchedit film` will do, shot by shot. It may be changed: `edit = false` leaves a shot as it is,
`people` names the person (people.toml) of each face of the shot, 0 for nobody; settings hold for all tasks.
It is made anew, and this one kept as plan.old.toml, when people.toml or the options of the command change."""


@dataclass(frozen=True, slots=True)
class FilmSettings:
    """What all tasks share."""

    preset: str = "balanced"
    generator: str = "default"  # a name or a file that all machines have
    encoder: str = "default"
    device: str = "auto"
    seed: int = 0
    threads: int = 1  # of a task: results depend on it in their last bits
    reel_frames: int = 48  # of a person, from all shots, that the shared generator learns from
    calibrated: bool = True
    force: bool = False
    steps: int = 0  # of tuning, at most, for the shared generator; 0: as the preset has it
    encode_steps: int = 0  # at most, a clip; 0: as the preset has it
    stitch_steps: int = -1  # at most, a frame; -1: as the preset has it
    colourspace: str = ""  # of all clips' samples; empty: as their own tags say
    layers: bool = False  # of each edited shot, for compositors

    def invert(self) -> InvertConfig:
        """Raises ConfigError."""
        base = invert_preset(self.preset)
        tune, encode = base.tune, base.encode
        if self.steps:
            tune = replace(tune, steps=self.steps, full_frames=1, most_steps=self.steps)
        if self.encode_steps:
            encode = replace(encode, steps=self.encode_steps, most_steps=self.encode_steps)
        whole = replace(base, tune=tune, encode=encode)
        whole = replace(whole, generator=self.generator, encoder=self.encoder, device=self.device, seed=self.seed)
        return replace(whole, colourspace=self.colourspace or None)

    def edit(self) -> EditConfig:
        """Without edits. Raises ConfigError."""
        base = edit_preset(self.preset)
        stitch = base.stitch
        if self.stitch_steps >= 0:
            stitch = replace(stitch, steps=self.stitch_steps, first_steps=max(self.stitch_steps, 1))
        return replace(
            base,
            device=self.device,
            seed=self.seed,
            lossless=True,
            metadata_only=True,
            overwrite=True,
            force=self.force,
            calibrated=False,
            stitch=stitch,
        )


@dataclass(frozen=True, slots=True)
class PlannedShot:
    """A shot and the person of each of its faces."""

    shot: Shot
    people: tuple[int, ...]  # by face of the shot; 0: nobody
    edit: bool = True  # false: it is left as it is

    def faces(self, persons: Sequence[int]) -> list[tuple[int, int]]:
        """(face of the shot, person) of those who are among some persons."""
        return [(face, person) for face, person in enumerate(self.people, 1) if self.edit and person in persons]


@dataclass(frozen=True, slots=True)
class FilmPlan:
    """What `plan.toml` holds."""

    given: Path  # a clip, a folder of clips, or a cut list
    kind: str  # one of `clips.KINDS`
    clips: tuple[Clip, ...]
    made_of: str  # hash of what it was made of
    stitchedit: str  # the version that made it
    settings: FilmSettings
    persons: tuple[PersonRow, ...]  # who is edited
    shots: tuple[PlannedShot, ...]

    def clip(self, shot: Shot) -> Clip:
        return self.clips[shot.clip - 1]

    def edited(self) -> list[tuple[PlannedShot, list[tuple[int, int]]]]:
        """Shots with the faces that are edited in them, (face, person)."""
        persons = [person.number for person in self.persons]
        pairs = [(planned, planned.faces(persons)) for planned in self.shots]
        return [(planned, faces) for planned, faces in pairs if faces]

    def person(self, number: int) -> PersonRow:
        return next(person for person in self.persons if person.number == number)

    def frames_of(self, person: int) -> list[tuple[int, int]]:
        """(shot, face) of a person, in the order of the film."""
        return [(p.shot.number, face) for p, faces in self.edited() for face, who in faces if who == person]


def write_plan(path: Path, plan: FilmPlan, estimate: dict[str, Any] | None = None) -> None:
    """Raises NotWritable, DiskFull."""
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "film": {
            "given": str(plan.given),
            "kind": plan.kind,
            "made_of": plan.made_of,
            "stitchedit": plan.stitchedit,
        },
        "clip": [clip.table() for clip in plan.clips],
        "settings": asdict(plan.settings),
        "person": [
            {"number": p.number, "name": p.name, "edits": [list(e) for e in p.edits], "regions": list(p.regions)}
            for p in plan.persons
        ],
        "shot": [
            {
                "number": s.shot.number,
                "clip": s.shot.clip,
                "first": s.shot.first,
                "last": s.shot.last,
                "people": list(s.people),
                "edit": s.edit,
            }
            for s in plan.shots
        ],
    }
    write_toml(path, data | ({"estimate": estimate} if estimate else {}), COMMENT)


def read_plan(path: Path) -> FilmPlan:
    """Raises ProjectError, ConfigError."""
    data = read_toml(path)
    if data.get("schema") != SCHEMA:
        raise ProjectError(f"{path} has schema {data.get('schema')!r}, this stitchedit knows {SCHEMA}", "remove it")
    film, where = value_of(data, "film", dict, str(path)), f"{path}, film"
    persons = tuple(person_row(entry, f"{path}, person") for entry in tables_of(data, "person", str(path)))
    for person in persons:
        united(person.regions or None)
    shots = tuple(_shot(entry, f"{path}, shot {k}") for k, entry in enumerate(tables_of(data, "shot", str(path)), 1))
    clips, kind = clips_of(data, str(path)), kind_of(film, where)
    require_shots([planned.shot for planned in shots], len(clips), kind, str(path))
    return FilmPlan(
        Path(value_of(film, "given", str, where)),
        kind,
        clips,
        value_of(film, "made_of", str, where),
        value_of(film, "stitchedit", str, where),
        _settings(value_of(data, "settings", dict, str(path)), f"{path}, settings"),
        persons,
        shots,
    )


def _settings(table: dict[str, Any], where: str) -> FilmSettings:
    known = {f.name: f for f in fields(FilmSettings)}
    for key in table:
        if key not in known:
            raise ProjectError(f"{where} has {key}, which is no setting", f"known are {', '.join(known)}")
    given: dict[str, Any] = {key: value_of(table, key, type(getattr(FilmSettings(), key)), where) for key in table}
    settings = FilmSettings(**given)
    if not 1 <= settings.threads <= 256 or not 1 <= settings.reel_frames <= 4096:
        raise ProjectError(f"{where}: threads or reel_frames out of range", "give 1 to 256 threads, 1 to 4096 frames")
    settings.invert(), settings.edit()
    return settings


def _shot(entry: dict[str, Any], where: str) -> PlannedShot:
    people = value_of(entry, "people", list, where, [])
    if not all(type(n) is int and n >= 0 for n in people):
        raise ProjectError(f"{where}: people = {people!r}", "give the number of a person for each face, 0 for nobody")
    numbers = [value_of(entry, key, int, where) for key in ("number", "first", "last", "clip")]
    if numbers[2] < numbers[1]:
        raise ProjectError(f"{where} ends before it begins", AGAIN)
    return PlannedShot(Shot(*numbers), tuple(people), value_of(entry, "edit", bool, where, True))
