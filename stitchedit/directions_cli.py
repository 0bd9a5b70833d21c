"""`stitchedit directions`: list, report, learn."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

app = typer.Typer(help="The edits that are known, and how to learn others.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


@app.command("list")
def list_(json_: Json = False) -> None:
    """The directions that come with stitchedit, what strength 1 means, and for which generator."""
    from stitchedit.direction import list_directions

    found = list_directions()
    if json_:
        _print_json([direction.as_json() for direction in found])
        return
    width = max((len(d.name) for d in found), default=0)
    for d in found:
        span = f" ({d.range[0]:g}..{d.range[1]:g})" if d.range else ""
        typer.echo(f"{d.name:<{width}}  {d.unit}{span}  [{d.made_for}]")


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))
