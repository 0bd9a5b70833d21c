"""Edited shots -> films: each clip with its edited shots in their places, its own sound and times, coded once."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from stitchedit.errors import ConfigError, ProjectError, WouldReplace
from stitchedit.files.atomic import make_folder
from stitchedit.files.hashing import file_sha256
from stitchedit.files.utf8_path import as_text
from stitchedit.film import folder as names
from stitchedit.film.clips import FOLDER
from stitchedit.film.folder import FilmFolder
from stitchedit.film.given import Given
from stitchedit.film.graph import edit_tasks, fingerprints
from stitchedit.film.outcome import Outcome
from stitchedit.film.plan import FilmPlan
from stitchedit.film.shot_files import put_back
from stitchedit.film.stages import film_regions
from stitchedit.models import weights
from stitchedit.pipeline.edit_clip import told_of
from stitchedit.progress import Progress, silent
from stitchedit.project.records import Records, fingerprint_of
from stitchedit.provenance.manifest import notice, sealer
from stitchedit.strength import parse_strength, strength_label
from stitchedit.video import open_video, try_output, usual_output, write_video

log = logging.getLogger(__name__)

RECORD = "tasks/join.toml"


@dataclass(frozen=True, slots=True)
class Output:
    """What is written of a film."""

    path: Path  # a file, or a folder for those of a folder of clips
    lossless: bool = False
    codec: str = "h264"
    audio: str = "copy"
    metadata_only: bool = False
    overwrite: bool = False


def usual_film(given: Given, lossless: bool, codec: str) -> Path:
    """`CLIP.film.mp4`, or `CLIPS.edited` for a folder of clips."""
    if given.kind == FOLDER:
        place = given.path.resolve()
        return place.with_name(f"{place.name}.edited")
    return usual_output(given.path, "film", lossless=lossless, codec=codec)


def places(plan: FilmPlan, output: Output) -> dict[int, Path]:
    """The file of each clip in which somebody is edited, by its number. Raises ConfigError, where two are one."""
    edited = sorted({planned.shot.clip for planned, _ in plan.edited()})
    if plan.kind != FOLDER:
        return dict.fromkeys(edited, output.path)
    if output.path.exists() and output.path.resolve() == plan.given.resolve():
        raise ConfigError(f"{output.path} is the folder of the clips", "choose another one with -o")
    found: dict[int, Path] = {}
    for number in edited:
        clip = plan.clips[number - 1].path
        suffix = usual_output(clip, "film", lossless=output.lossless, codec=output.codec).suffix
        place = output.path / f"{clip.stem}{suffix}"
        if place in found.values():
            raise ConfigError(f"two clips would be written to {place}", "rename one of them")
        found[number] = place
    return found


def require_output(plan: FilmPlan, folder: FilmFolder, output: Output) -> list[str]:
    """What the outputs will not keep of the clips, and clips that have none.

    Raises: CannotEncode, NotWritable, WouldReplace, ConfigError, before any work.
    """
    notes, files = [], places(plan, output)
    records = Records.open_or_create(folder.at(RECORD))
    for number, clip in enumerate(plan.clips, 1):
        if number not in files:
            notes.append(f"{clip.path} is left out: nobody in it is edited")
            continue
        path = files[number]
        if path.exists() and path.samefile(clip.path):
            raise ConfigError(f"{path} is the film itself", "choose another name with -o")
        if path.exists() and not _is_own(records, number, path) and not output.overwrite:
            raise WouldReplace(path, "it is not the film that was put together from here")
        told = try_output(path, open_video(clip.path), lossless=output.lossless, codec=output.codec, audio=output.audio)
        notes += [f"{clip.path.name}: {line}" for line in told] if len(files) > 1 else told
    return notes


def without_hole(plan: FilmPlan, outcomes: Sequence[Outcome]) -> list[int]:
    """Clips whose edited shots are all done."""
    bad = {outcome.name for outcome in outcomes if not outcome.good}
    holes = {planned.shot.clip for planned, _ in plan.edited() if f"edit/{planned.shot.number:04d}" in bad}
    return sorted({planned.shot.clip for planned, _ in plan.edited()} - holes)


def put_together(
    plan: FilmPlan, folder: FilmFolder, output: Output, clips: Collection[int], progress: Progress = silent
) -> list[Path]:
    """Write some clips of a film with their edited shots in their places; the files, also of those that are kept.

    Raises: WouldReplace, CannotEncode, DiskFull, ProjectError.
    """
    tasks = edit_tasks(plan, weights.sha256_of(plan.settings.generator))
    inputs = fingerprints(tasks)
    done = {t.number: fingerprint_of(inputs[t.name]) for t in tasks if t.stage == "edit"}
    files = {number: path for number, path in places(plan, output).items() if number in clips}
    for number, path in files.items():
        shots = {p.shot.number: p.shot for p in plan.shots if p.shot.clip == number}
        facts = {"output": str(path.resolve()), "lossless": str(output.lossless), "audio": output.audio}
        facts |= {"codec": output.codec, "c2pa": str(not output.metadata_only)}
        facts |= {"clip": plan.clips[number - 1].sha256} | {f"shot {n}": done[n] for n in shots if n in done}
        records = Records.open_or_create(folder.at(RECORD))
        if _is_own(records, number, path) and records.why_redo(_stage(number), facts, [path]) is None:
            log.info("join: nothing changed, %s is kept", path)
            continue
        edited = {n: folder.at(names.edited(n)) for n in shots if n in done}
        _write(plan, number, edited, path, output, progress)
        make_folder(records.path.parent)
        records.finish(_stage(number), facts, sha256=file_sha256(path))
    return list(files.values())


def _write(
    plan: FilmPlan, number: int, edited: dict[int, Path], path: Path, output: Output, progress: Progress
) -> None:
    clip, said = plan.clips[number - 1], as_text(said_of(plan, number))
    shots = {p.shot.number: p.shot for p in plan.shots if p.shot.clip == number}
    source, total = open_video(clip.path), 1 + max(shot.last for shot in shots.values())
    seal = None if output.metadata_only else sealer(path, clip.path, said, clip.sha256)
    make_folder(path.parent)
    written = write_video(
        path,
        source,
        told_of(put_back(source, edited, shots), "join", total, progress),
        lossless=output.lossless,
        codec=output.codec,
        audio=output.audio,
        metadata=notice(said),
        seal=seal,
    )
    if written.frames != total:
        raise ProjectError(f"{clip.path} has {written.frames} frames, the plan {total}", "remove the film's folder")


def said_of(plan: FilmPlan, clip: int) -> str:
    """The edit of a clip in words, for the notice: `age -2 (person 1), smile +1 (person 3)`."""
    who = {person for planned, faces in plan.edited() if planned.shot.clip == clip for _, person in faces}
    parts = [
        f"{Path(name).stem} {strength_label(parse_strength(text))} (person {person.number})"
        for person in plan.persons
        if person.number in who
        for name, text in person.edits
    ]
    regions = film_regions(plan)
    return ", ".join([*parts, *([] if regions == ("face",) else [f"region:{'+'.join(regions)}"])])


def _stage(number: int) -> str:
    return "join" if number == 1 else f"join {number}"


def _is_own(records: Records, number: int, path: Path) -> bool:
    """Whether what lies in an output's place was put together from here."""
    known = records.data["stages"].get(_stage(number), {}).get("sha256")
    return path.is_file() and known == file_sha256(path)
