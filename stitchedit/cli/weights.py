"""`stitchedit weights`: list, import, show, verify, remove, fetch."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from stitchedit.cli.console import Json, print_json

app = typer.Typer(help="Generators and encoders that you bring, and where to get them.", no_args_is_help=True)

_TITLES = {
    "generator": "generators",
    "encoder": "encoders",
    "features": "feature networks",
    "damaged": "damaged records",
    "predictor": "predictors that measure",
    "file": "files that others publish",
}


@app.command("list")
def list_(json_: Json = False) -> None:
    """What is here, what can be fetched, and well-known files: what, where from, licence, size."""
    from stitchedit.models.weights import list_weights

    found = list_weights()
    if json_:
        print_json([asdict(line) for line in found])
        return
    for group, title in _TITLES.items():
        lines = [line for line in found if line.role == group]
        if lines:
            typer.echo(f"{title}:")
        for line in lines:
            typer.echo(f"  {line.name}  [{'here' if line.here else 'not here'}]  {line.what}, {_size(line.bytes)}")
            for label, text in (("from", line.where), ("licence", line.licence), ("use", line.use)):
                if text:
                    typer.echo(f"      {label}: {text}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="NVIDIA .pkl, rosinality .pt, STIT model_*.pt, e4e or pSp .pt, ...")],
    name: Annotated[str | None, typer.Option(help="To load it by.", show_default="the file's")] = None,
    licence: Annotated[str | None, typer.Option(help="Kept in the record.", show_default="unknown")] = None,
    source: Annotated[str | None, typer.Option(help="Where the file is from; kept in the record.")] = None,
    made_for: Annotated[
        str | None, typer.Option(help="What directions call this generator.", show_default="seen by its mean w")
    ] = None,
    class_: Annotated[
        int | None, typer.Option("--class", help="Of a generator with labels, which class.", show_default="0")
    ] = None,
    json_: Json = False,
) -> None:
    """Check a file of weights and keep it, converted. Nothing in the file is executed."""
    from stitchedit.models.weights import import_file

    record = import_file(file, name, licence=licence, source=source, made_for=made_for, label=class_)
    if json_:
        print_json(asdict(record))
        return
    typer.echo(f"imported '{record.name}': {record.architecture} {record.role}, {_size(record.bytes)}")
    if record.made_for:
        typer.echo(f'directions for it name made_for = "{record.made_for}"')
    for note in record.notes:
        typer.echo(f"note: {note}")


@app.command("show")
def show_(name: Annotated[str, typer.Argument(help="A name of `weights list`.")], json_: Json = False) -> None:
    """What is known of weights; of "default", with the card of every file that comes with stitchedit."""
    from stitchedit.models.bundled_weights import cards
    from stitchedit.models.weights import show
    from stitchedit.models.weights_store import DEFAULT

    record = asdict(show(name))
    if json_:
        print_json(record)
        return
    for key, value in record.items():
        if value not in ("", 0, ()):
            typer.echo(f"{key}: {'; '.join(value) if isinstance(value, tuple) else value}")
    for card in cards() if name == DEFAULT else ():
        typer.echo(f"\n{card}")


@app.command("verify")
def verify_(json_: Json = False) -> None:
    """Hash every file that is here and compare."""
    from stitchedit.errors import WeightsError
    from stitchedit.models.weights import verify

    verdicts = verify()
    if json_:
        print_json([asdict(verdict) for verdict in verdicts])
    else:
        for verdict in verdicts:
            typer.echo(f"{verdict.name}: {verdict.what}")
    bad = [verdict.name for verdict in verdicts if not verdict.ok]
    if bad:
        raise WeightsError(f"damaged: {', '.join(bad)}", "import or fetch them again, or install stitchedit again")


@app.command("remove")
def remove_(name: Annotated[str, typer.Argument(help="A name of `weights list`.")], json_: Json = False) -> None:
    """Delete imported weights from the store. The file that they came from stays."""
    from stitchedit.models.weights import remove

    remove(name)
    if json_:
        print_json({"removed": name})
    else:
        typer.echo(f"removed '{name}'")


@app.command("fetch")
def fetch_(
    group: Annotated[str, typer.Argument(help="measuring: predictors of age, gender and mood.")], json_: Json = False
) -> None:
    """Download predictors that only measure or teach, with pip. Edits never need them."""
    from stitchedit.models.weights_fetch import fetch

    paths = fetch(group)
    if json_:
        print_json([str(path) for path in paths])
    else:
        for path in paths:
            typer.echo(str(path))


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count < 1e9 else f"{count / 1e9:,.2f} GB"
