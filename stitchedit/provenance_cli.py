"""`stitchedit provenance`: what a video says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from stitchedit.endings import one_line


def provenance(
    file: Annotated[Path, typer.Argument(help="The video.", show_default=False)],
    json_: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    """Read back what a video says of its making: the notice in its metadata, and its C2PA manifest."""
    from stitchedit.provenance import read_back

    found = read_back(file)
    if json_:
        typer.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
        return
    for line in found.lines():
        typer.echo(one_line(line))
