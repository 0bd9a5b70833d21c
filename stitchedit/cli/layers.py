"""`stitchedit layers`: an edit that is done, for a compositor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stitchedit.cli.console import EditName, Json, ProjectPlace, Verbose, keep_memory, report, running


def layers(
    project: ProjectPlace = None,
    edit: EditName = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The folder.", show_default="CLIP.EDIT.layers")
    ] = None,
    scale: Annotated[
        float, typer.Option(help="Of the edit's change: 0.7 shows less of it, 1 the edit as it is.")
    ] = 1.0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write into a folder that holds other files too.")
    ] = False,
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Take an edit that is done apart: an OpenEXR a frame (source, edited, delta, matte, inside, uv), and scripts.

    Nothing is stitched again. docs/layers.md says what adds up to what, and in which programs.
    """
    from stitchedit.project.folder import open_project

    keep_memory()
    from stitchedit.pipeline.edit_layers import export_layers, require_scale

    require_scale(scale)
    with running(verbose) as progress:
        opened = open_project(project)
        summary = export_layers(opened, edit, output, scale=scale, overwrite=overwrite, progress=progress)
    report(summary.as_json(), summary.lines(), json_)
