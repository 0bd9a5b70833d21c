"""`stitchedit clean`: give back the room that a project takes, but for what took long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stitchedit.project import cleanup


def clean(
    project: Annotated[Path | None, typer.Argument(help="Project folder.", show_default="newest here")] = None,
) -> None:
    """Remove crops and intermediate pictures of a project; what needs them makes them again."""
    from stitchedit.files import disk_space
    from stitchedit.project.folder import PERSONS, Project, newest_project

    root = project if project is not None else newest_project(Path())
    Project.open(root)  # a folder that is none must not become one
    opened = Project.create(root)
    freed = cleanup.clean(opened)
    for record in sorted(opened.root.glob(f"{PERSONS}/*/project.toml")):
        freed += cleanup.clean(Project.create(record.parent))
    typer.echo(f"freed {freed / 1e6:.1f} MB, {disk_space.folder_bytes(root) / 1e6:.1f} MB are left in {root}")
