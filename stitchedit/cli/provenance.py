"""`stitchedit provenance`: what a video says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stitchedit.cli.console import Json, report


def provenance(
    file: Annotated[Path, typer.Argument(help="The video.", show_default=False)],
    json_: Json = False,
) -> None:
    """Read back what a video says of its making: the notice in its metadata, and its C2PA manifest."""
    from stitchedit.provenance.manifest import read_back

    found = read_back(file)
    report(found.as_json(), found.lines(), json_)
