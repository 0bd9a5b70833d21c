"""`stitchedit directions`: list, report, inspect, export, text, learn."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stitchedit.cli.console import Beta, Clip, Device, Json, keep_memory, print_json, running
from stitchedit.config import BETA, DEFAULT_CLIP
from stitchedit.errors import ConfigError

if TYPE_CHECKING:
    from stitchedit.learning.labelled_faces import Encode
    from stitchedit.learning.own_samples import Reader
    from stitchedit.models.generator import Generator
    from stitchedit.progress import Progress

app = typer.Typer(help="The edits that are known, and how to learn others.", no_args_is_help=True)

GeneratorName = Annotated[str, typer.Option("--generator", help="A name of `stitchedit weights list`, or a file.")]


@app.command("list")
def list_(json_: Json = False) -> None:
    """The directions that come with stitchedit, what strength 1 means, and for which generator."""
    from stitchedit.editing.direction_catalogue import list_directions

    found = list_directions()
    if json_:
        print_json([direction.as_json() for direction in found])
        return
    width = max((len(d.name) for d in found), default=0)
    for d in found:
        span = f" ({d.range[0]:g}..{d.range[1]:g})" if d.range else ""
        typer.echo(f"{d.name:<{width}}  {d.unit}{span}  [{d.made_for}]")


@app.command()
def report(
    direction: Annotated[str, typer.Argument(help="Name, TOML or vector file.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for NAME.png and NAME.json.")] = Path(),
    measure: Annotated[
        int, typer.Option(min=0, max=200, help="Measure anew on so many people; 0: show what the TOML says.")
    ] = 0,
    generator: GeneratorName = "default",
    force: Annotated[bool, typer.Option(help="Take a direction made for another generator.")] = False,
    device: Device = "auto",
    json_: Json = False,
) -> None:
    """Draw what a direction does: faces across its range, effects on every attribute, calibration curve."""
    keep_memory()
    from stitchedit.editing.direction_catalogue import find_direction
    from stitchedit.learning.direction_report import curve_strengths, report_direction
    from stitchedit.models import loading

    with running(False) as progress:
        found = find_direction(direction)
        network, _ = loading.generator(generator, loading.device(device))
        faces = measure * (2 + len(curve_strengths(found)))
        facts = report_direction(
            found, network, output / found.name, count=measure, force=force, tick=_counter(progress, "measure", faces)
        )
    if json_:
        print_json(facts)
        return
    for line in _facts(facts):
        typer.echo(line)
    typer.echo(f"report: {output / found.name}.png {output / found.name}.json")


@app.command()
def inspect(
    file: Annotated[str, typer.Argument(help="A file of an edit, or a direction.", show_default=False)],
    json_: Json = False,
) -> None:
    """Say what a file of an edit holds, or what a direction does; nothing in a file is executed."""
    keep_memory()
    from stitchedit.editing.direction_catalogue import find_direction
    from stitchedit.editing.edit_files import read_edit

    if Path(file).suffix == ".toml" or not os.path.lexists(file):
        direction = find_direction(file)
        kind, said = direction.kind, direction.unit
    else:
        found = read_edit(Path(file))
        kind, said = type(found).__name__, found.said
    if json_:
        print_json({"file": file, "kind": kind, "said": said})
        return
    typer.echo(f"{file}: {said}")


@app.command()
def export(
    direction: Annotated[str, typer.Argument(help="Name, TOML or file of an edit.", show_default=False)],
    form: Annotated[str, typer.Option("--format", help="interfacegan, e4e, ganspace or stylespace.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for what is written.")] = Path(),
    generator: GeneratorName = "default",
    force: Annotated[bool, typer.Option(help="Take a direction made for another generator.")] = False,
    json_: Json = False,
) -> None:
    """Write a direction as the file that another repository reads: a step of length 1 (stylespace: as it is)."""
    keep_memory()
    from stitchedit.editing.direction_catalogue import find_direction
    from stitchedit.editing.export_direction import export_direction
    from stitchedit.models import loading

    with running(False):
        found = find_direction(direction)
        network, _ = loading.generator(generator, loading.device("cpu"))
        done = export_direction(found, network, form, output, force=force)
    if json_:
        print_json({"file": str(done.path), "shape": list(done.shape), "length": done.length, "rows": done.rows})
        return
    for line in done.lines():
        typer.echo(line)


@app.command()
def text(
    name: Annotated[str, typer.Argument(help="What to call it.", show_default=False)],
    table: Annotated[Path, typer.Argument(help="StyleCLIP's fs3.npy.", show_default=False)],
    from_: Annotated[str, typer.Option("--from", help="Such as 'face'.")],
    to: Annotated[str, typer.Option("--to", help="Such as 'face with a beard'.")],
    beta: Beta = BETA,
    clip: Clip = DEFAULT_CLIP,
    made_for: Annotated[str, typer.Option(help="The generator that the table belongs to.")] = "",
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for what is written.")] = Path(),
) -> None:
    """Keep an edit by two texts as a direction of its own: NAME.toml and NAME.npy. Needs stitchedit[clip]."""
    keep_memory()
    from stitchedit.editing.direction import checked_name
    from stitchedit.editing.text_direction import keep_direction, text_direction
    from stitchedit.files.atomic import require_place

    checked_name(name)
    require_place(output / name)
    found = text_direction(table, from_, to, beta=beta, clip=clip, name=name)
    typer.echo(f"wrote: {keep_direction(found, output, made_for)}")


@app.command()
def learn(
    name: Annotated[str, typer.Argument(help="What to call it; pca and factorise number theirs.", show_default=False)],
    labels: Annotated[
        Path | None, typer.Option(help="CSV: a column `image` or `seed`, and columns of numbers. Header first.")
    ] = None,
    label: Annotated[str, typer.Option(help="The column to learn.")] = "label",
    positive: Annotated[Path | None, typer.Option(help="Folder of pictures that show it.")] = None,
    negative: Annotated[Path | None, typer.Option(help="Folder of pictures that do not.")] = None,
    pca: Annotated[int, typer.Option(help="So many principal components of W.")] = 0,
    factorise: Annotated[int, typer.Option(help="So many closed-form factors of the affine weights (SeFa).")] = 0,
    attribute: Annotated[
        str,
        typer.Option(help="From the generator's own samples: age, smile, yaw .., or a coefficient such as jawOpen."),
    ] = "",
    text_: Annotated[
        str, typer.Option("--text", help="The same by a text, such as 'face with a beard'. Needs stitchedit[clip].")
    ] = "",
    from_: Annotated[str, typer.Option("--from", help="With --text: from which text.")] = "face",
    clip: Clip = DEFAULT_CLIP,
    samples: Annotated[int, typer.Option(help="Of --attribute and --text: how many are drawn and read.")] = 1000,
    people: Annotated[int, typer.Option(min=2, help="Of the same: on how many the step is tried.")] = 12,
    hold: Annotated[
        list[str] | None,
        typer.Option(help="Leave alone: a column of the table, or, in FFHQ's W, an attribute or `identity`."),
    ] = None,
    amount: Annotated[
        float | None, typer.Option(help="Change of the label at strength 1.", show_default="its standard deviation")
    ] = None,
    unit: Annotated[str, typer.Option(help="What the label counts, such as years.")] = "",
    layers: Annotated[
        str | None, typer.Option(help="Rows of W+ that move, FIRST:END, such as 0:4.", show_default="all")
    ] = None,
    measure: Annotated[
        int, typer.Option(min=0, max=200, help="Measure what it does on so many people, in FFHQ-like generators.")
    ] = 0,
    psi: Annotated[float, typer.Option(help="Truncation of seeds.")] = 0.7,
    generator: GeneratorName = "default",
    encoder: Annotated[
        str, typer.Option(help="For pictures: network (default generator only), a name of `weights list`, or a file.")
    ] = "network",
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for what is written.")] = Path(),
    device: Device = "auto",
    json_: Json = False,
) -> None:
    """Learn a direction from labelled faces, two sets of pictures or the generator's own samples, or find some.

    Writes NAME.safetensors, NAME.toml and the report NAME.png, NAME.json; `edit --direction NAME.toml` takes it.
    """
    own = attribute or text_
    ways = [labels is not None, positive is not None or negative is not None, pca != 0, factorise != 0]
    ways += [bool(attribute), bool(text_)]
    if sum(ways) != 1 or (positive is None) != (negative is None):
        raise ConfigError(
            "it is not clear what to learn from",
            "give --labels, --positive with --negative, --attribute, --text, --pca or --factorise",
        )
    keep_memory()
    from stitchedit.editing.direction import checked_name
    from stitchedit.files.atomic import require_place
    from stitchedit.learning import labelled_faces, learn_attribute, learn_direction
    from stitchedit.models import loading

    with running(False) as progress:
        checked_name(name)
        require_place(output / name)  # before faces are encoded
        where = loading.device(device)
        if labels is not None:
            columns = labelled_faces.columns_of(labels)
            faces = labelled_faces.read_table(labels, label, [h for h in hold or () if h in columns])
        elif positive is not None and negative is not None:
            columns, faces = (), labelled_faces.two_sets(positive, negative)
        network, _ = loading.generator(generator, where)
        rows = learn_direction.checked_layers(layers, network)
        job = learn_direction.Output(output, rows, measure, _counter(progress, "measure", 0))
        if own:
            read = _reader(attribute, text_, from_, clip)
            effort = learn_attribute.Effort(samples, people)
            tick = _counter(progress, "sample", samples)
            found = [learn_attribute.learn_attribute(name, read, network, job, effort, tick)]
        elif pca or factorise:
            found = learn_direction.learn_axes(name, network, job, components=pca, factors=factorise)
        else:
            held = [h for h in hold or () if h not in columns]
            learn_direction.check_hold(held, network)
            tick = _counter(progress, "encode", len(faces.faces))
            encode = _encoder(encoder, network) if any(isinstance(face, Path) for face in faces.faces) else None
            w = labelled_faces.codes(faces, network, encode, psi, tick)
            found = [
                learn_direction.learn_labelled(name, faces, w, network, job, hold=held, amount=amount, measured_in=unit)
            ]
    if json_:
        print_json([direction.as_json() for direction in found])
        return
    for direction in found:
        for line in _facts(direction.as_json()):
            typer.echo(line)
        typer.echo(f"wrote: {direction.file.with_suffix('.toml')}")


def _reader(attribute: str, text: str, neutral: str, clip: str) -> Reader:
    """What reads an attribute, or how near a face is to a text, off the generator's samples."""
    from stitchedit.learning.own_samples import reader_of

    if not text:
        return reader_of(attribute)
    from stitchedit.learning.text_label import text_label

    return reader_of(text, text_label(neutral, text, clip))


def _encoder(name: str, generator: Generator) -> Encode | None:
    """What makes w of pictures. None, where the one that comes along does not fit the generator."""
    from stitchedit.inversion import encoder_initialization
    from stitchedit.inversion.encoder import check_fit, codes_of
    from stitchedit.models import weights
    from stitchedit.models.w_encoder import load_w_encoder

    device = generator.w_avg.device
    if name == "network":
        return load_w_encoder().to(device) if encoder_initialization.fits(generator) else None
    network = weights.load_encoder(name).to(device)
    check_fit(network, generator, name, "W")
    return lambda images: codes_of(network, generator, images, "W")


def _facts(facts: dict[str, Any]) -> list[str]:
    """A direction's figures, a line each."""
    lines = [f"{facts['name']}: {facts['unit']}"]
    if facts["held_out_r"] is not None:
        lines.append(f"held-out correlation: {facts['held_out_r']:.3f}")
    if facts["effects"]:
        effects = ", ".join(f"{key} {value:+.2f}" for key, value in facts["effects"].items())
        lines.append(f"effects at strength 1, SD ({facts['checked_on']}): {effects}")
    elif not facts["curve"]:
        lines.append("what it moves beside was not measured: `stitchedit directions report` does with --measure 40")
    if facts["identity_distance"] is not None:
        lines.append(f"identity distance at strength 1: {facts['identity_distance']:.3f}")
    if facts.get("missed"):
        lines.append(f"misses its aims: {', '.join(facts['missed'])}")
    return lines


def _counter(progress: Progress, stage: str, total: int) -> Callable[[], None]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        progress(stage, done, total)

    return tick
