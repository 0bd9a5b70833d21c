"""`stitchedit preview` and `sheet`: still pictures side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stitchedit.cli.asked import by_text, paired, require_directions, require_edits, require_own_file, take_source
from stitchedit.cli.console import (
    DIRECTION,
    EDIT,
    Beta,
    Clip,
    Device,
    FromText,
    Json,
    ProjectPlace,
    Region,
    Source,
    ToText,
    Uncalibrated,
    Verbose,
    keep_memory,
    report,
    running,
)
from stitchedit.config import BETA, DEFAULT_CLIP, united
from stitchedit.errors import ConfigError


def preview(
    project: ProjectPlace = None,
    source: Source = None,
    direction: Annotated[str, typer.Option(help=f"{DIRECTION}.")] = "age",
    strength: Annotated[
        list[float] | None, typer.Option(help="May be repeated.", show_default="-2 -1 1 2, within the range")
    ] = None,
    years: Annotated[list[float] | None, typer.Option(help="Strengths of `age` in years; may be repeated.")] = None,
    from_: FromText = None,
    to: ToText = None,
    beta: Beta = BETA,
    clip: Clip = DEFAULT_CLIP,
    region: Region = None,
    parts: Annotated[
        bool, typer.Option(help="Show each part alone too: shape, folds, skin, hair, neck.", show_default=False)
    ] = False,
    frames: Annotated[int, typer.Option(min=1, max=12, help="How many frames.")] = 3,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The PNG.", show_default="CLIP.DIRECTION[.REGION].preview.png")
    ] = None,
    uncalibrated: Uncalibrated = False,
    force: Annotated[
        bool, typer.Option(help="Take a direction made for another generator, and strengths over twice the range.")
    ] = False,
    device: Device = EDIT.device,
    seed: Annotated[int, typer.Option(help="Chooses the person of `identity`.")] = EDIT.seed,
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Draw a few frames at several strengths, without stitching, to choose before a long run."""
    if years and (strength or direction != "age"):
        raise ConfigError("--years counts the strengths of `age` alone", "give it without --direction and --strength")
    from stitchedit.editing.direction_catalogue import own_regions, years_a_strength

    require_own_file(output, ".png")
    strengths = [value / years_a_strength() for value in years] if years else strength
    from stitchedit.project.folder import open_project

    require_directions([direction])
    if strengths:
        require_edits(paired([direction] * len(strengths), strengths), force)
    regions = united(region or own_regions([direction]))
    if source is not None:
        take_source(project, source, False)
    open_project(project)
    keep_memory()
    from stitchedit.pipeline import preview_sheet as previews

    ((asked, _),) = by_text(((direction, 1.0),), (from_, to), beta, clip)
    with running(verbose) as progress:
        path = previews.preview(
            open_project(project),
            asked,
            strengths or None,
            output,
            frames=frames,
            regions=regions,
            force=force,
            calibrated=not uncalibrated,
            apart=parts,
            device=device,
            seed=seed,
            progress=progress,
        )
    report({"sheet": str(path)}, [f"sheet: {path}"], json_)


def sheet(
    clips: Annotated[list[Path], typer.Argument(help="Videos of equal length.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="The PNG.")],
    frames: Annotated[int, typer.Option(min=1, max=12, help="How many moments.")] = 4,
    verbose: Verbose = False,
) -> None:
    """Draw the same moments of several clips side by side."""
    from stitchedit.video.sequence_names import require_clip

    for clip in clips:
        require_clip(clip)
    require_own_file(output, ".png")
    from stitchedit.pipeline.clip_sheets import clips_sheet

    with running(verbose):
        clips_sheet(clips, output, frames)
    report({"sheet": str(output)}, [f"sheet: {output}"], False)
