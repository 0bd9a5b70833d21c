"""The command line: parse, call the pipeline, print. The one place that exits."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from stitchedit.cli.asked import (
    asked_edits,
    by_text,
    paired,
    refuse_same,
    require_directions,
    require_edits,
    require_own_file,
    take_source,
)
from stitchedit.cli.batch import batch
from stitchedit.cli.console import (
    DIRECTION,
    EDIT,
    INVERT,
    Beta,
    Clip,
    Device,
    Directions,
    DryRun,
    FromText,
    Json,
    Preset,
    ProjectPlace,
    Region,
    Source,
    Strengths,
    ToText,
    Uncalibrated,
    Verbose,
    Years,
    either,
    keep_memory,
    report,
    running,
    show_plan,
    shown_to_worker,
)
from stitchedit.cli.directions import app as directions_app
from stitchedit.cli.exit_codes import CODES, explain
from stitchedit.cli.film import film, film_task
from stitchedit.cli.layers import layers as layers_command
from stitchedit.cli.queue import app as queue_app
from stitchedit.cli.retouch import retouch as retouch_command
from stitchedit.cli.signals import stoppable
from stitchedit.cli.streams import require_working_folder
from stitchedit.cli.studio import studio
from stitchedit.cli.weights import app as weights_app
from stitchedit.config import AUDIO, BETA, CODECS, DEFAULT_CLIP, DEFAULT_FPS, PRESETS, SPACES, united
from stitchedit.errors import ConfigError
from stitchedit.pipeline.options import asked_retouches, edit_only, edit_stitch, encode_space, expand_crop, whose_face
from stitchedit.pipeline.presets import edit_preset, invert_preset
from stitchedit.project.log_file import record_ending
from stitchedit.registry import BLENDERS, EMBEDDERS, ENCODERS, LANDMARKS, added

STIT = edit_preset("stit")
YES = {True: "yes", False: "no"}

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
app.add_typer(directions_app, name="directions")
app.add_typer(weights_app, name="weights")
app.add_typer(queue_app, name="queue")
app.command()(batch)
app.command()(studio)
app.command("layers")(layers_command)
app.command("retouch")(retouch_command)
app.command()(film)
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
def invert(
    clip: Annotated[
        Path,
        typer.Argument(help="The video, or numbered pictures: a folder, or 'shot/frame.%04d.exr'.", show_default=False),
    ],
    project: Annotated[Path | None, typer.Option(help="Project folder.", show_default="CLIP.stitch")] = None,
    fps: Annotated[
        str | None, typer.Option(help="Frames a second of numbered pictures.", show_default=str(DEFAULT_FPS))
    ] = None,
    colourspace: Annotated[
        str | None,
        typer.Option(
            help="Of the clip's samples: PQ, HLG, Cineon, a name of $OCIO or the built-in ACES configuration, or none.",
            show_default="as its tags say",
        ),
    ] = None,
    generator: Annotated[str, typer.Option(help="A name of `stitchedit weights list`, or a file.")] = INVERT.generator,
    encoder: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(ENCODERS)}, a name of `weights list`, or a file. network: default generator only."
        ),
    ] = INVERT.encoder,
    landmarks: Annotated[
        str, typer.Option(help=f"Whose landmarks place the crops: {either(LANDMARKS)} (a plug-in: whose mesh).")
    ] = INVERT.landmarks,
    space: Annotated[
        str, typer.Option(help=f"{either(SPACES)}: whether a frame's code may differ by layer.")
    ] = INVERT.encode.space,
    expand: Annotated[
        str | None,
        typer.Option(
            help="L,T,R,B: fractions of the crop's side that StyleGAN3 is to draw beyond it, for hair and neck.",
            show_default=False,
        ),
    ] = None,
    face: Annotated[
        list[str] | None,
        typer.Option(
            help="largest, 1, 2 .., X,Y@SECONDS, 'like IMAGE', or all: whose face; may be repeated.",
            show_default=INVERT.track.face,
        ),
    ] = None,
    from_: Annotated[
        Path | None, typer.Option("--from", help="A STIT run's model_RUN.pt: take its generator, pivots and quads.")
    ] = None,
    preset: Preset = None,
    device: Device = INVERT.device,
    seed: Annotated[int, typer.Option(help="Chooses the random order of frames.")] = INVERT.seed,
    dry_run: DryRun = False,
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Find the face of a clip, or several, and tune a generator on each, into a project folder beside the clip."""
    from stitchedit.models.weights_store import require_known
    from stitchedit.video.sequence_names import parse_fps, require_clip

    config = replace(
        whose_face(encode_space(invert_preset(preset or INVERT.preset), space), face or [INVERT.track.face]),
        generator=generator,
        encoder=encoder,
        landmarks=landmarks,
        device=device,
        seed=seed,
        fps=None if fps is None else parse_fps(fps),
        colourspace=colourspace,
    )
    if expand is not None:
        config = expand_crop(config, expand)
    # What can be wrong is told before torch is loaded.
    if colourspace is not None:
        from stitchedit.video.colourspaces import find_view

        find_view(colourspace)
    require_clip(clip)
    require_known(generator)
    if encoder not in ENCODERS:
        require_known(encoder)
    keep_memory()
    with running(verbose) as progress:
        if from_ is not None:
            if dry_run:
                raise ConfigError(
                    "--dry-run is given beside --from", "a STIT run is taken over in seconds: leave it out"
                )
            if expand is not None:
                raise ConfigError("--expand is given beside --from", "a STIT run brings its own crops: leave it out")
            from stitchedit.pipeline.import_stit import adopt

            summary = adopt(clip, project, from_, config, progress=progress)
        else:
            from stitchedit.pipeline.invert_clip import run_invert
            from stitchedit.pipeline.invert_plan import plan_invert

            plan = plan_invert(clip, project, config)
            if dry_run:
                show_plan(plan, json_)
                return
            summary = run_invert(plan, progress=progress, show=shown_to_worker())
    report(summary.as_json(), summary.lines(), json_)


@app.command()
def edit(
    project: ProjectPlace = None,
    source: Source = None,
    direction: Directions = None,
    strength: Strengths = None,
    years: Years = None,
    from_: FromText = None,
    to: ToText = None,
    beta: Beta = BETA,
    clip: Clip = DEFAULT_CLIP,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Of several inverted faces that one, 2, or those, 1,3; may be given for each direction."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="The video; of pictures a folder, or 'out/frame.%04d.png'.",
            show_default="CLIP.DIRECTION+STRENGTH.mp4",
        ),
    ] = None,
    retouch: Annotated[
        list[str] | None,
        typer.Option(
            help="FRAME=PICTURE: a frame of `stitchedit retouch`, painted over; carried through its shot. May be "
            "repeated.",
            show_default="none",
        ),
    ] = None,
    layers: Annotated[
        Path | None,
        typer.Option(
            help="A folder for layers too: an OpenEXR a frame, and scripts for compositors.", show_default="none"
        ),
    ] = None,
    preset: Annotated[str | None, typer.Option(help=f"{either(PRESETS)}.", show_default="that of invert")] = None,
    region: Region = None,
    lossless: Annotated[bool, typer.Option(help="FFV1 in the source's pixel format, in .mkv.")] = False,
    codec: Annotated[
        str, typer.Option(help=f"{either(CODECS)}: prores (HQ or 4444) and dnxhr (HQ, HQX or 444) in .mov.")
    ] = EDIT.codec,
    audio: Annotated[
        str, typer.Option(help=f"{either(AUDIO)}; copy: PCM stays PCM where the container wants another form of it.")
    ] = EDIT.audio,
    blender: Annotated[
        str | None,
        typer.Option(help=f"{either(BLENDERS)}.", show_default=f"{EDIT.blender}, stit: {STIT.blender}"),
    ] = None,
    match_colours: Annotated[
        bool, typer.Option("--match-colours", help="Bring the face's colours to those of its surroundings.")
    ] = False,
    fidelity: Annotated[
        float | None,
        typer.Option(help="0..1: less of the tuning lets the person change more.", show_default="by direction"),
    ] = None,
    detail: Annotated[
        bool | None,
        typer.Option(
            help="Keep what tuning missed of the source: pores, hairs, gaze.",
            show_default=f"{YES[EDIT.stitch.detail]}, stit: {YES[STIT.stitch.detail]}",
        ),
    ] = None,
    steady: Annotated[
        float | None,
        typer.Option(
            help="Frames that the change is averaged over along the clip's motion.",
            show_default=f"{EDIT.stitch.steady:g}, stit: {STIT.stitch.steady:g}",
        ),
    ] = None,
    every_frame: Annotated[
        bool, typer.Option("--every-frame", help="Edit frames too that are faded out of: covered or hardly seen faces.")
    ] = False,
    metadata_only: Annotated[
        bool, typer.Option("--metadata-only", help="No C2PA manifest; the notice in the metadata stays.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file of the output's name that is not this very edit.")
    ] = False,
    uncalibrated: Uncalibrated = False,
    force: Annotated[
        bool, typer.Option(help="Take directions made for another generator, and strengths over twice the range.")
    ] = False,
    device: Device = EDIT.device,
    seed: Annotated[int, typer.Option(help="Chooses the person of `identity`.")] = EDIT.seed,
    dry_run: DryRun = False,
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Change the face of an inverted clip, or its faces, and write the video."""
    from stitchedit.editing.direction_catalogue import own_regions
    from stitchedit.project.folder import open_project

    edits = asked_edits(direction, strength, years)
    require_edits(edits, force)
    if source is not None:
        take_source(project, source, dry_run)
    opened = open_project(project)
    base = edit_preset(preset or opened.fact("settings", "preset"))
    del opened  # it is opened again where its log is listened to
    config = replace(
        base,
        edits=edits,
        regions=united(region or own_regions(name for name, _ in edits)),
        device=device,
        seed=seed,
        lossless=lossless,
        codec=codec,
        audio=audio,
        fidelity=fidelity,
        metadata_only=metadata_only,
        overwrite=overwrite,
        retouch=asked_retouches(retouch or ()),
        match_colours=match_colours,
        force=force,
        blender=blender or base.blender,
        every_frame=every_frame or base.every_frame,
        calibrated=base.calibrated and not uncalibrated,
    )
    config = edit_only(edit_stitch(config, detail=detail, steady=steady), only or ())
    refuse_same(edits, config.only)
    keep_memory()
    config = replace(config, edits=by_text(edits, (from_, to), beta, clip))
    from stitchedit.pipeline.edit_clip import run_edit
    from stitchedit.pipeline.edit_plan import plan_edit

    with running(verbose) as progress:
        plan = plan_edit(open_project(project), config, output, layers=layers, keep=not dry_run, progress=progress)
        if dry_run:
            show_plan(plan, json_)
            return
        summary = run_edit(plan, progress=progress)
    report(summary.as_json(), summary.lines(), json_)


@app.command()
def preview(
    project: ProjectPlace = None,
    source: Source = None,
    direction: Annotated[str, typer.Option(help=f"{DIRECTION}.")] = "age",
    strength: Annotated[
        list[float] | None, typer.Option(help="May be repeated.", show_default="-2 -1 1 2, within the range")
    ] = None,
    years: Annotated[list[float] | None, typer.Option(help="Strengths of `age` in years; may be repeated.")] = None,
    from_: FromText = None,
    to: ToText = None,
    beta: Beta = BETA,
    clip: Clip = DEFAULT_CLIP,
    region: Region = None,
    parts: Annotated[
        bool, typer.Option(help="Show each part alone too: shape, folds, skin, hair, neck.", show_default=False)
    ] = False,
    frames: Annotated[int, typer.Option(min=1, max=12, help="How many frames.")] = 3,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The PNG.", show_default="CLIP.DIRECTION[.REGION].preview.png")
    ] = None,
    uncalibrated: Uncalibrated = False,
    force: Annotated[
        bool, typer.Option(help="Take a direction made for another generator, and strengths over twice the range.")
    ] = False,
    device: Device = EDIT.device,
    seed: Annotated[int, typer.Option(help="Chooses the person of `identity`.")] = EDIT.seed,
    json_: Json = False,
    verbose: Verbose = False,
) -> None:
    """Draw a few frames at several strengths, without stitching, to choose before a long run."""
    if years and (strength or direction != "age"):
        raise ConfigError("--years counts the strengths of `age` alone", "give it without --direction and --strength")
    from stitchedit.editing.direction_catalogue import own_regions, years_a_strength

    require_own_file(output, ".png")
    strengths = [value / years_a_strength() for value in years] if years else strength
    from stitchedit.project.folder import open_project

    require_directions([direction])
    if strengths:
        require_edits(paired([direction] * len(strengths), strengths), force)
    regions = united(region or own_regions([direction]))
    if source is not None:
        take_source(project, source, False)
    open_project(project)
    keep_memory()
    from stitchedit.pipeline import preview_sheet as previews

    ((asked, _),) = by_text(((direction, 1.0),), (from_, to), beta, clip)
    with running(verbose) as progress:
        path = previews.preview(
            open_project(project),
            asked,
            strengths or None,
            output,
            frames=frames,
            regions=regions,
            force=force,
            calibrated=not uncalibrated,
            apart=parts,
            device=device,
            seed=seed,
            progress=progress,
        )
    report({"sheet": str(path)}, [f"sheet: {path}"], json_)


@app.command()
def sheet(
    clips: Annotated[list[Path], typer.Argument(help="Videos of equal length.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="The PNG.")],
    frames: Annotated[int, typer.Option(min=1, max=12, help="How many moments.")] = 4,
    verbose: Verbose = False,
) -> None:
    """Draw the same moments of several clips side by side."""
    from stitchedit.video.sequence_names import require_clip

    for clip in clips:
        require_clip(clip)
    require_own_file(output, ".png")
    from stitchedit.pipeline.clip_sheets import clips_sheet

    with running(verbose):
        clips_sheet(clips, output, frames)
    report({"sheet": str(output)}, [f"sheet: {output}"], False)


@app.command()
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
