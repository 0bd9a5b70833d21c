"""`stitchedit invert`: a clip into a project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from stitchedit.cli.console import (
    INVERT,
    Device,
    DryRun,
    Json,
    Preset,
    Verbose,
    either,
    keep_memory,
    report,
    running,
    show_plan,
    shown_to_worker,
)
from stitchedit.config import DEFAULT_FPS, SPACES
from stitchedit.errors import ConfigError
from stitchedit.pipeline.options import encode_space, expand_crop, whose_face
from stitchedit.pipeline.presets import edit_preset, invert_preset
from stitchedit.registry import ENCODERS, LANDMARKS

STIT = edit_preset("stit")


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
