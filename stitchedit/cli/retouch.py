"""`stitchedit retouch`: a frame of an edit that is done, to paint on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stitchedit.cli.console import EditName, Json, ProjectPlace, Verbose, keep_memory, report, running


def retouch(
    project: ProjectPlace = None,
    edit: EditName = None,
    frame: Annotated[int, typer.Option(min=0, help="Which one, 0 is the first.")] = 0,
    crop: Annotated[bool, typer.Option("--crop", help="Only the crop of the face, upright.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="The picture: .exr (light, float), .png or .tif (16 bits).",
            show_default="CLIP.EDIT.frameN.exr",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of that name.")] = False,
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write a frame of an edit as it is before it is encoded, to be painted over and given to `edit --retouch`."""
    from stitchedit.project.folder import open_project
    from stitchedit.video.still_files import require_still_name

    if output is not None:
        require_still_name(output)
    open_project(project)
    keep_memory()
    from stitchedit.pipeline.done_edit import find_edit, load_edit
    from stitchedit.pipeline.retouching import write_frame

    with running(verbose) as progress:
        opened = open_project(project)
        done = load_edit(opened, find_edit(opened, edit), progress)
        path = write_frame(done, frame, output, crop=crop, overwrite=overwrite)
    again = f"paint on it, then: stitchedit edit ... --retouch {frame}={path}"
    report({"frame": frame, "picture": str(path)}, [f"frame {frame}: {path}", again], json_)
