"""The command line: parse, call the pipeline, print. The one place that exits."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from stitchedit.cli.batch import batch
from stitchedit.cli.console import Json, report
from stitchedit.cli.directions import app as directions_app
from stitchedit.cli.edit_command import edit
from stitchedit.cli.evaluate_command import evaluate
from stitchedit.cli.exit_codes import CODES, explain
from stitchedit.cli.film import film, film_task
from stitchedit.cli.invert_command import invert
from stitchedit.cli.layers import layers as layers_command
from stitchedit.cli.preview_command import preview, sheet
from stitchedit.cli.queue import app as queue_app
from stitchedit.cli.retouch import retouch as retouch_command
from stitchedit.cli.signals import stoppable
from stitchedit.cli.streams import require_working_folder
from stitchedit.cli.studio import studio
from stitchedit.cli.weights import app as weights_app
from stitchedit.project.log_file import record_ending

app = typer.Typer(
    name="stitchedit",
    help="Edit faces in real video with a generator tuned on the clip's own frames.",
    epilog=CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help comes up twice as fast
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(invert)
app.command()(edit)
app.command()(preview)
app.command()(evaluate)
app.command()(film)
app.command()(batch)
app.command()(studio)
app.command("layers")(layers_command)
app.command("retouch")(retouch_command)
app.command()(sheet)
app.add_typer(directions_app, name="directions")
app.add_typer(weights_app, name="weights")
app.add_typer(queue_app, name="queue")
app.command("film-task", hidden=True)(film_task)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stitchedit {metadata.version('stitchedit')}")
        raise typer.Exit


@app.callback()
def _whole(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
def provenance(
    file: Annotated[Path, typer.Argument(help="The video.", show_default=False)],
    json_: Json = False,
) -> None:
    """Read back what a video says of its making: the notice in its metadata, and its C2PA manifest."""
    from stitchedit.provenance.manifest import read_back

    found = read_back(file)
    report(found.as_json(), found.lines(), json_)


@app.command()
def clean(
    project: Annotated[Path | None, typer.Argument(help="Project folder.", show_default="newest here")] = None,
) -> None:
    """Remove crops and intermediate pictures of a project; what needs them makes them again."""
    from stitchedit.files.disk_space import folder_bytes
    from stitchedit.project import cleanup
    from stitchedit.project.folder import PERSONS, Project, newest_project, root_of

    root = root_of(project) if project is not None else newest_project(Path())
    Project.open(root)  # a folder that is none must not become one
    opened = Project.create(root)
    freed = cleanup.clean(opened)
    for record in sorted(opened.root.glob(f"{PERSONS}/*/project.toml")):
        freed += cleanup.clean(Project.create(record.parent))
    typer.echo(f"freed {freed / 1e6:.1f} MB, {folder_bytes(root) / 1e6:.1f} MB are left in {root}")


@app.command()
def doctor(json_: Json = False) -> None:
    """Show versions, devices, weights, video libraries and compiler."""
    from stitchedit.cli.doctor import examine

    facts = examine()
    report(facts, [f"{name}: {value}" for name, value in facts.items()], json_)


def main() -> None:
    """Entry point: a user's mistake is two lines and the exit code of its kind; a bug keeps its traceback."""
    try:
        with stoppable():
            require_working_folder()
            app()
    except Exception as exc:
        lines, code = explain(exc, record_ending(exc))
        for line in lines:
            typer.echo(line, err=True)
        sys.exit(code)


if __name__ == "__main__":
    main()
