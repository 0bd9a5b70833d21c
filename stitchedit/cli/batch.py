"""`stitchedit batch`: the same edit for many clips, or for the shots of a time line, as jobs of the queue."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stitchedit.cli.asked import asked_edits
from stitchedit.cli.console import Device, Directions, Json, Preset, Region, Strengths, Years, report, running
from stitchedit.cli.queue import job_line, open_queue, require_command
from stitchedit.errors import QueueError

if TYPE_CHECKING:
    from stitchedit.cutlist.shots import CutList
    from stitchedit.queue.folder import Queue
    from stitchedit.strength import Strength


def batch(
    folder: Annotated[
        Path, typer.Argument(help="A folder of videos, or a time line: .otio, .edl, .aaf.", show_default=False)
    ],
    more: Annotated[list[str] | None, typer.Argument(help="After --, further options of `edit`.")] = None,
    direction: Directions = None,
    strength: Strengths = None,
    years: Years = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="A folder for the results.",
            show_default="beside each clip; of a time line CUT.shots",
        ),
    ] = None,
    handles: Annotated[int, typer.Option(min=0, help="Of a time line: frames on each side beyond what it shows.")] = 8,
    media: Annotated[
        Path | None, typer.Option(help="Where media lie that the time line names alone, as an EDL.", show_default=False)
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(help="A shot of the time line that stays as it is; may be repeated.")
    ] = None,
    fps: Annotated[str | None, typer.Option(help="Frames a second of an EDL.", show_default=False)] = None,
    face: Annotated[list[str] | None, typer.Option(help="As of `invert`; may be repeated.")] = None,
    preset: Preset = None,
    region: Region = None,
    device: Device = "auto",
    queue_folder: Annotated[Path | None, typer.Option("--queue", help="As --folder of `queue`.")] = None,
    json_: Json = False,
) -> None:
    """Queue the same edit for every video of a folder, or every shot of a time line, which is written with the results.

    What is not inverted yet is inverted first.
    """
    both = [*_options("--preset", [preset] if preset else []), *_options("--device", [device])]
    invert = [*_options("--face", face), *both]
    edit = [*_options("--direction", direction), *_options("--strength", strength), *_options("--region", region)]
    edit += [*_options("--years", [years] if years else []), *both, *(more or ())]
    require_command(["edit", "CLIP", *edit])
    require_command(["invert", "CLIP", *invert])
    from stitchedit.cutlist.reading import is_cut_list

    queue = open_queue(queue_folder)
    if is_cut_list(folder) and not folder.is_dir():
        from stitchedit.cutlist.reading import read_cut_list
        from stitchedit.video.sequence_names import parse_fps

        cuts = read_cut_list(folder, media, rate=None if fps is None else parse_fps(fps), skip=skip or ())
        name = edit_name(asked_edits(direction, strength, years))
        _add_shots(queue, cuts, handles, (output, name), (invert, edit), json_)
        return
    if media or skip or fps is not None:
        raise QueueError(f"{folder} is no time line", "--media, --skip and --fps are for .otio, .edl and .aaf")
    from stitchedit.pipeline.clip_folder import find_clips
    from stitchedit.queue.batch import add_clips

    clips, skipped = find_clips(folder)
    jobs = add_clips(queue, clips, invert, edit, output)
    lines = [
        *skipped,
        *map(job_line, jobs),
        f"{len(jobs)} jobs for {len(clips)} clips: `stitchedit queue run` does them",
    ]
    report({"jobs": [job.as_json() for job in jobs], "skipped": skipped}, lines, json_)


def _add_shots(
    queue: Queue,
    cuts: CutList,
    handles: int,
    place: tuple[Path | None, str],
    options: tuple[list[str], list[str]],
    json_: bool,
) -> None:
    """`place`: the folder of the clips, and the edit's name."""
    from stitchedit.pipeline.cut_shots import plan_shots
    from stitchedit.queue.shots import add_shots

    output, name = place
    folder = output or cuts.path.with_suffix(".shots")
    line = cuts.path.with_name(f"{cuts.path.stem}.{name}.otio")
    clips = plan_shots(cuts, handles)
    with running(False) as progress:
        jobs, written = add_shots(queue, cuts, clips, (folder, line), options, progress)
    lines = [
        *cuts.kept,
        *map(job_line, jobs),
        f"{len(jobs)} jobs for {len(clips)} shots: `stitchedit queue run` does them",
    ]
    lines += [f"time line: {path}, complete when they are done" for path in written]
    facts = {
        "jobs": [job.as_json() for job in jobs],
        "kept": list(cuts.kept),
        "timelines": [str(path) for path in written],
    }
    report(facts, lines, json_)


def edit_name(edits: Iterable[tuple[str, Strength]]) -> str:
    """Such as `age+2.smile-1`, for file names."""
    from stitchedit.editing.direction import direction_label
    from stitchedit.strength import strength_label

    return ".".join(f"{direction_label(name)}{strength_label(strength)}" for name, strength in edits) or "edit"


def _options(name: str, values: list[str] | None) -> list[str]:
    return [word for value in values or () for word in (name, value)]
