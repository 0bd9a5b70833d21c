"""`stitchedit film`: a whole film, its people and its shots; and `stitchedit film-task`, one task of it for farms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stitchedit.cli.asked import asked_edits, require_edits
from stitchedit.cli.console import (
    INVERT,
    Device,
    Directions,
    Json,
    Preset,
    Region,
    Strengths,
    Verbose,
    Years,
    either,
    keep_memory,
    report,
    running,
)
from stitchedit.config import AUDIO, CODECS, EditConfig, united
from stitchedit.errors import ConfigError
from stitchedit.pipeline.presets import invert_preset

Film = Annotated[
    Path,
    typer.Argument(
        help="The film: a file of video, a folder of them, or a cut list: .otio, .edl, .aaf.", show_default=False
    ),
]


def film(
    clip: Film,
    who: Annotated[
        list[str] | None,
        typer.Option(help="Number or name in people.toml, all, or 'like IMAGE'; may be repeated.", show_default=False),
    ] = None,
    direction: Directions = None,
    strength: Strengths = None,
    years: Years = None,
    region: Region = None,
    people: Annotated[
        bool, typer.Option("--people", help="Only look who is in it: people.png and people.toml in the folder.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only plan: plan.toml, and what it takes of time, memory, disk, money.")
    ] = False,
    folder: Annotated[Path | None, typer.Option(help="The film's folder.", show_default="CLIP.film")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="The video; of a folder of clips a folder.",
            show_default="CLIP.film.mp4, CLIPS.edited",
        ),
    ] = None,
    shots_only: Annotated[
        bool,
        typer.Option(
            "--shots",
            help="Leave one lossless file a shot and a time line, and put nothing together; always so of a cut list.",
        ),
    ] = False,
    layers: Annotated[
        bool, typer.Option("--layers", help="Layers of each edited shot too, as of `edit`, in the film's folder.")
    ] = False,
    handles: Annotated[int, typer.Option(min=0, help="Of a cut list: frames on each side beyond what it shows.")] = 8,
    media: Annotated[
        Path | None, typer.Option(help="Where media lie that a cut list names alone, as an EDL.", show_default=False)
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(help="A shot of the cut list that stays as it is; may be repeated.")
    ] = None,
    fps: Annotated[str | None, typer.Option(help="Frames a second of an EDL.", show_default=False)] = None,
    colourspace: Annotated[
        str | None, typer.Option(help="Of all clips' samples, as of `invert`.", show_default="as their tags say")
    ] = None,
    openjd: Annotated[
        Path | None, typer.Option(help="Only plan, and write an Open Job Description template of it.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes on this machine, without Ray.")] = 1,
    threads: Annotated[
        int, typer.Option(min=0, max=256, help="Of a task; 0: the machine's cores by the workers, as first planned.")
    ] = 0,
    ray: Annotated[
        str | None, typer.Option(help="auto, or the address of a Ray cluster: its machines do the tasks.")
    ] = None,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs of a task on a Ray cluster.")] = 0.0,
    store: Annotated[
        str | None,
        typer.Option(help="s3://, gs:// ..: where all machines find shots and results.", show_default="the folder"),
    ] = None,
    price: Annotated[float, typer.Option(min=0, help="Of a machine's hour, for --dry-run.")] = 0.0,
    generator: Annotated[str, typer.Option(help="A name of `stitchedit weights list`, or a file.")] = "default",
    encoder: Annotated[str, typer.Option(help="As of `invert`.")] = "default",
    preset: Preset = None,
    steps: Annotated[
        int, typer.Option(min=0, help="Of tuning a person, at most.", show_default="that of the preset")
    ] = 0,
    lossless: Annotated[bool, typer.Option(help="FFV1 in the film's pixel format, in .mkv.")] = False,
    codec: Annotated[str, typer.Option(help=f"{either(CODECS)}, as of `edit`.")] = CODECS[0],
    audio: Annotated[str, typer.Option(help=f"{either(AUDIO)}.")] = AUDIO[0],
    metadata_only: Annotated[bool, typer.Option("--metadata-only", help="No C2PA manifest.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another file of the output's name.")] = False,
    uncalibrated: Annotated[bool, typer.Option("--uncalibrated", help="Apply vectors as they are.")] = False,
    force: Annotated[bool, typer.Option(help="Take directions made for another generator.")] = False,
    device: Device = "auto",
    seed: Annotated[int, typer.Option(help="Chooses the random order of frames.")] = 0,
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Edit the people of a whole film: shots, who is who, one generator a person, a little tuning a shot."""
    from stitchedit.cutlist.reading import is_cut_list, read_cut_list
    from stitchedit.film.plan import FilmSettings
    from stitchedit.pipeline.clip_folder import find_clips
    from stitchedit.video.sequence_names import parse_fps, require_clip

    edits = asked_edits(direction, strength, years) if direction or strength or years is not None else ()
    require_edits(edits, force)
    invert_preset(preset or INVERT.preset)
    EditConfig(lossless=lossless, codec=codec, audio=audio)
    if colourspace is not None:
        from stitchedit.video.colourspaces import find_view

        find_view(colourspace)
    rate, cuts = None if fps is None else parse_fps(fps), is_cut_list(clip) and not clip.is_dir()
    if output is not None and (shots_only or cuts):
        raise ConfigError("-o is given, and nothing is put together", "--folder names where shots and time line go")
    if not cuts and (media or skip or fps is not None):
        raise ConfigError(f"{clip} is no cut list", "--media, --skip and --fps are for .otio, .edl and .aaf")
    if cuts:
        read_cut_list(clip, media, rate=rate, skip=skip or ())
    elif clip.is_dir():
        find_clips(clip)
    else:
        require_clip(clip)
    if ray is not None:
        from stitchedit.film.on_ray import require_ray

        require_ray()
    keep_memory()
    from stitchedit.film import run as film_run
    from stitchedit.film.given import Given
    from stitchedit.film.join import Output, usual_film
    from stitchedit.film.make import Choice
    from stitchedit.models.loading import lasting_name
    from stitchedit.parallel import cores

    settings = FilmSettings(
        preset=preset or FilmSettings().preset,
        generator=lasting_name(generator),
        encoder=lasting_name(encoder),
        device=device,
        seed=seed,
        threads=threads or max(1, cores() // workers),
        calibrated=not uncalibrated,
        force=force,
        steps=steps,
        colourspace=colourspace or "",
        layers=layers,
    )
    settings.invert()
    choice = Choice(tuple(who or ()), edits, united(region) if region else ())
    given = Given(clip, settings.colourspace, handles, media, rate, tuple(skip or ()))
    where = film_run.Where(given, folder, store, workers, ray, gpus)
    place = output or usual_film(given, lossless, codec)
    wanted = Output(place, lossless, codec, audio, metadata_only, overwrite)
    with running(verbose) as progress:
        done = film_run.film(
            where, choice, settings, wanted, film_run.Until(people, dry_run, shots_only, price, openjd), progress
        )
    report(done.as_json(), done.lines(), json_)


def film_task(
    address: Annotated[str, typer.Argument(help="The film's folder, or its address.", show_default=False)],
    task: Annotated[str, typer.Argument(help="Such as tune/0007.", show_default=False)],
    verbose: Verbose = False,
) -> None:
    """Do one task of a planned film: for farms that start their own processes."""
    keep_memory()
    from stitchedit.errors import ProjectError
    from stitchedit.film.worker import do_task

    with running(verbose) as progress:
        outcome = do_task(address, task, progress)
        if not outcome.good:
            error = ProjectError(f"{task}: {outcome.said}", "the same command tries it again")
            error.exit_code = outcome.exit_code or ProjectError.exit_code
            raise error
    report(
        {"task": task, "state": outcome.state, "seconds": round(outcome.seconds, 1)},
        [f"{task}: {outcome.state}"],
        False,
    )
