"""`stitchedit evaluate`: an edited clip, measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stitchedit.cli.asked import require_directions, require_own_file
from stitchedit.cli.console import EDIT, Device, Json, Verbose, either, keep_memory, report, running
from stitchedit.registry import EMBEDDERS, added


def evaluate(
    edit: Annotated[
        Path, typer.Argument(help="An edited clip, or a project for its unedited inversion.", show_default=False)
    ],
    truth: Annotated[Path | None, typer.Option(help="The clip with just the asked for truly changed.")] = None,
    project: Annotated[Path | None, typer.Option(help="Project folder.", show_default="that which wrote EDIT")] = None,
    source: Annotated[Path | None, typer.Option(help="The clip that EDIT was made of, where no project is.")] = None,
    direction: Annotated[
        list[str] | None, typer.Option(help="What was asked for; may be repeated.", show_default="as EDIT says")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The HTML page.", show_default="EDIT.evaluation.html")
    ] = None,
    embedding: Annotated[str, typer.Option(help=f"Identity embedding: {either(EMBEDDERS)}.")] = "dlib",
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help=f"A metric of a plug-in, to be measured too: {either(added('metrics')) or 'none is installed'}."
        ),
    ] = None,
    ceiling: Annotated[bool, typer.Option(help="Read the source after H.264 too, as the most to expect.")] = True,
    device: Device = EDIT.device,
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Measure an edited clip against its source: figures as text or JSON, and a page with plots and pictures."""
    from stitchedit.video.sequence_names import require_clip

    for clip in (truth, source, None if edit.exists() else edit):  # a folder that exists may be a project
        if clip is not None:
            require_clip(clip)
    require_directions(direction or ())
    require_own_file(output, ".html", ".htm")
    keep_memory()
    from stitchedit.evaluation import html_report
    from stitchedit.evaluation.run import evaluate as measure
    from stitchedit.files.atomic import make_folder

    with running(verbose) as progress:
        if output is not None:
            make_folder(output.parent)  # before minutes of work
        found, job = measure(
            edit,
            project=project,
            source=source,
            truth=truth,
            directions=direction or (),
            embedding=embedding,
            more_metrics=metric or (),
            ceiling=ceiling,
            device=device,
            progress=progress,
        )
        path = output or html_report.default_page(found)
        html_report.write_page(found, job, path)
    report(found.as_json() | {"page": str(path)}, [*found.lines(), f"page: {path}"], json_)
