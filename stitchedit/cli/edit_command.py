"""`stitchedit edit`: a project into the edited clip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from stitchedit.cli.asked import asked_edits, by_text, refuse_same, require_edits, take_source
from stitchedit.cli.console import (
    EDIT,
    Beta,
    Clip,
    Device,
    Directions,
    DryRun,
    FromText,
    Json,
    ProjectPlace,
    Region,
    Source,
    Strengths,
    ToText,
    Uncalibrated,
    Verbose,
    Years,
    either,
    keep_memory,
    report,
    running,
    show_plan,
)
from stitchedit.config import AUDIO, BETA, CODECS, DEFAULT_CLIP, PRESETS, united
from stitchedit.pipeline.options import asked_retouches, edit_only, edit_stitch
from stitchedit.pipeline.presets import edit_preset
from stitchedit.registry import BLENDERS

STIT = edit_preset("stit")
YES = {True: "yes", False: "no"}


def edit(
    project: ProjectPlace = None,
    source: Source = None,
    direction: Directions = None,
    strength: Strengths = None,
    years: Years = None,
    from_: FromText = None,
    to: ToText = None,
    beta: Beta = BETA,
    clip: Clip = DEFAULT_CLIP,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Of several inverted faces that one, 2, or those, 1,3; may be given for each direction."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="The video; of pictures a folder, or 'out/frame.%04d.png'.",
            show_default="CLIP.DIRECTION+STRENGTH.mp4",
        ),
    ] = None,
    retouch: Annotated[
        list[str] | None,
        typer.Option(
            help="FRAME=PICTURE: a frame of `stitchedit retouch`, painted over; carried through its shot. May be "
            "repeated.",
            show_default="none",
        ),
    ] = None,
    layers: Annotated[
        Path | None,
        typer.Option(
            help="A folder for layers too: an OpenEXR a frame, and scripts for compositors.", show_default="none"
        ),
    ] = None,
    preset: Annotated[str | None, typer.Option(help=f"{either(PRESETS)}.", show_default="that of invert")] = None,
    region: Region = None,
    lossless: Annotated[bool, typer.Option(help="FFV1 in the source's pixel format, in .mkv.")] = False,
    codec: Annotated[
        str, typer.Option(help=f"{either(CODECS)}: prores (HQ or 4444) and dnxhr (HQ, HQX or 444) in .mov.")
    ] = EDIT.codec,
    audio: Annotated[
        str, typer.Option(help=f"{either(AUDIO)}; copy: PCM stays PCM where the container wants another form of it.")
    ] = EDIT.audio,
    blender: Annotated[
        str | None,
        typer.Option(help=f"{either(BLENDERS)}.", show_default=f"{EDIT.blender}, stit: {STIT.blender}"),
    ] = None,
    match_colours: Annotated[
        bool, typer.Option("--match-colours", help="Bring the face's colours to those of its surroundings.")
    ] = False,
    fidelity: Annotated[
        float | None,
        typer.Option(help="0..1: less of the tuning lets the person change more.", show_default="by direction"),
    ] = None,
    detail: Annotated[
        bool | None,
        typer.Option(
            help="Keep what tuning missed of the source: pores, hairs, gaze.",
            show_default=f"{YES[EDIT.stitch.detail]}, stit: {YES[STIT.stitch.detail]}",
        ),
    ] = None,
    steady: Annotated[
        float | None,
        typer.Option(
            help="Frames that the change is averaged over along the clip's motion.",
            show_default=f"{EDIT.stitch.steady:g}, stit: {STIT.stitch.steady:g}",
        ),
    ] = None,
    every_frame: Annotated[
        bool, typer.Option("--every-frame", help="Edit frames too that are faded out of: covered or hardly seen faces.")
    ] = False,
    metadata_only: Annotated[
        bool, typer.Option("--metadata-only", help="No C2PA manifest; the notice in the metadata stays.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file of the output's name that is not this very edit.")
    ] = False,
    uncalibrated: Uncalibrated = False,
    force: Annotated[
        bool, typer.Option(help="Take directions made for another generator, and strengths over twice the range.")
    ] = False,
    device: Device = EDIT.device,
    seed: Annotated[int, typer.Option(help="Chooses the person of `identity`.")] = EDIT.seed,
    dry_run: DryRun = False,
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Change the face of an inverted clip, or its faces, and write the video."""
    from stitchedit.editing.direction_catalogue import own_regions
    from stitchedit.project.folder import open_project

    edits = asked_edits(direction, strength, years)
    require_edits(edits, force)
    if source is not None:
        take_source(project, source, dry_run)
    opened = open_project(project)
    base = edit_preset(preset or opened.fact("settings", "preset"))
    del opened  # it is opened again where its log is listened to
    config = replace(
        base,
        edits=edits,
        regions=united(region or own_regions(name for name, _ in edits)),
        device=device,
        seed=seed,
        lossless=lossless,
        codec=codec,
        audio=audio,
        fidelity=fidelity,
        metadata_only=metadata_only,
        overwrite=overwrite,
        retouch=asked_retouches(retouch or ()),
        match_colours=match_colours,
        force=force,
        blender=blender or base.blender,
        every_frame=every_frame or base.every_frame,
        calibrated=base.calibrated and not uncalibrated,
    )
    config = edit_only(edit_stitch(config, detail=detail, steady=steady), only or ())
    refuse_same(edits, config.only)
    keep_memory()
    config = replace(config, edits=by_text(edits, (from_, to), beta, clip))
    from stitchedit.pipeline.edit_clip import run_edit
    from stitchedit.pipeline.edit_plan import plan_edit

    with running(verbose) as progress:
        plan = plan_edit(open_project(project), config, output, layers=layers, keep=not dry_run, progress=progress)
        if dry_run:
            show_plan(plan, json_)
            return
        summary = run_edit(plan, progress=progress)
    report(summary.as_json(), summary.lines(), json_)
