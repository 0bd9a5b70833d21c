"""What a program or notebook calls; `import stitchedit as se` gives these names.

    clip = se.invert("clip.mp4")
    clip.draw(frame=12, edits=[2 * se.direction("age")])
    done = se.edit(clip, [2 * se.direction("age")], output="out.mp4")
    se.evaluate(done).figures["flicker"]

The command line calls the same stages. Nothing is printed: what there is to say goes to the logger "stitchedit", how
far long work is to `progress`. A project is locked while a function here works in it, and at no other time.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from stitchedit.config import EVERYBODY, LARGEST, EditConfig, InvertConfig, TrackConfig
from stitchedit.editing.direction import Change, Direction
from stitchedit.editing.direction_catalogue import find_direction
from stitchedit.editing.edits import Asked, chosen_regions, load_edits
from stitchedit.editing.move_latents import load_direction
from stitchedit.editing.strength_range import check_range
from stitchedit.errors import ConfigError
from stitchedit.faces.tracking import track_faces
from stitchedit.files.locks import released_at_end
from stitchedit.pipeline import calibration, edit_clip, edit_layers, invert_clip
from stitchedit.pipeline.clip_sheets import Portrait, portraits
from stitchedit.pipeline.edit_layers import LayersSummary
from stitchedit.pipeline.import_stit import adopt
from stitchedit.pipeline.inversion import Inversion, load_inversion
from stitchedit.pipeline.multi_face import iter_rgb
from stitchedit.pipeline.options import encode_space, whose_face
from stitchedit.pipeline.presets import edit_preset, invert_preset
from stitchedit.pipeline.preview_sheet import Sheet, draw_sheet
from stitchedit.pipeline.summaries import EditSummary
from stitchedit.progress import Progress, silent
from stitchedit.project.folder import Project, open_project, relocate, root_of
from stitchedit.video import open_seen
from stitchedit.video.sequence_names import parse_fps

if TYPE_CHECKING:
    from stitchedit.evaluation.report import Evaluation

log = logging.getLogger(__name__)

Opened = Inversion | Project | Path | str  # what stands for an inverted clip: a path is that of the clip or its project
Config = TypeVar("Config", InvertConfig, EditConfig)


def direction(name: str | Path) -> Direction:
    """An edit direction with its vector: by its name, its `.toml`, or a vector file (.npy, .npz, .pt, .safetensors).

    Raises: UnknownDirection, DirectionError, HashMismatch.
    """
    return load_direction(find_direction(name))


def find_faces(
    clip: Path | str, *, fps: Fraction | str | None = None, progress: Progress = silent
) -> dict[str, Portrait]:
    """Who is in a clip: a portrait by what `invert(face=...)` takes, "1" the largest face, then "2" and so on.

    The clip is read once, which takes about a third of a second for a frame of full HD; nothing is written.

    Args:
        fps: frames a second of numbered pictures.
    Raises: CannotOpen, CannotDecode; NoFace.
    """
    rate = parse_fps(str(fps)) if fps is not None and not isinstance(fps, Fraction) else fps
    source = open_seen(Path(clip), rate)
    info = source.info
    tracks = track_faces(
        iter_rgb(source),
        TrackConfig(),
        [LARGEST, EVERYBODY],
        frame_size=(info.width, info.height),
        rate=info.rate,
        progress=progress,
        total=round((info.duration or 0) * info.rate),
        name=str(clip),
    )
    numbers = ["1" if choice == LARGEST else choice for choice in tracks]
    return dict(zip(numbers, portraits(source, list(tracks.values())), strict=True))


def invert(
    clip: Path | str,
    project: Path | str | None = None,
    *,
    preset: str | None = None,
    face: str | Sequence[str] | None = None,
    stit_run: Path | str | None = None,
    config: InvertConfig | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> Inversion:
    """Find the face of a clip and tune a generator on it, into a project folder; what is there already is kept.

    Args:
        clip: a video, or numbered pictures: a folder, or `shot/frame.%04d.exr`.
        project: the folder; by default `CLIP.stitch` beside the clip.
        preset: fast, balanced (the default), quality or stit.
        face: "largest", "2", "X,Y@SECONDS", "like IMAGE", "all", or several of these; the first one is returned.
        stit_run: a STIT run's `model_RUN.pt`, whose generator, pivots and quads are taken over.
        config: settings to start from in place of a preset.
        settings: any field of `InvertConfig`; and `space`, "W" or "W+".
    Raises: ConfigError, VideoError, FaceError, WeightsError, DeviceError, OutputError; InUse, while another process
        works in the project.
    """
    chosen = _preset_or(config, preset, lambda: invert_preset(preset or "balanced"))
    if face is not None:
        chosen = whose_face(chosen, [face] if isinstance(face, str) else face)
    if "space" in settings:
        chosen = encode_space(chosen, settings.pop("space"))
    if settings.get("fps") is not None and not isinstance(settings["fps"], Fraction):
        settings["fps"] = parse_fps(str(settings["fps"]))
    chosen = _replaced(chosen, settings, "space")
    root = None if project is None else Path(project)
    with released_at_end():
        if stit_run is not None:
            summary = adopt(Path(clip), root, Path(stit_run), chosen, progress=progress)
        else:
            summary = invert_clip.invert(Path(clip), root, chosen, progress=progress)
    for line in summary.lines():
        log.info("%s", line)
    return open_inversion(summary.project, device=chosen.device)


def open_inversion(
    project: Project | Path | str | None = None,
    *,
    source: Path | str | None = None,
    device: str = "auto",
    read_only: bool = False,
) -> Inversion:
    """A clip that was inverted before.

    Args:
        project: its project folder, or the clip; None: the project in the working folder that was inverted last.
            Another face of the clip is in `persons/2` of the project.
        source: the clip's new place, where it was moved, renamed or put into another container; the project notes it.
        device: auto, cpu or cuda.
        read_only: lock and write nothing, not even what a calibration finds: also while another process has it.
    Raises: NotAProject, StageMissing and other ProjectErrors, InUse among them; WeightsError, DeviceError.
    """
    if read_only and project is not None and not isinstance(project, Project):
        return load_inversion(Project.look(root_of(Path(project))), device)
    if source is not None:
        with _project_of(project) as opened:
            root = opened.root
        with released_at_end():
            relocate(root, Path(source))
    with _project_of(project) as opened:
        return load_inversion(opened, device)


def edit(
    clip: Opened,
    edits: Asked | Iterable[Asked],
    output: Path | str | None = None,
    *,
    preset: str | None = None,
    config: EditConfig | None = None,
    layers: Path | str | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> EditSummary:
    """Change the face of an inverted clip, and write the video.

    Args:
        clip: an inversion, its project, or a path to the project or the clip.
        edits: such as `2 * age`, `age + 0.5 * smile`, or a list of such; they add up.
        output: the video, or a folder or pattern for pictures; by default `CLIP.EDIT.mp4` beside the clip.
        preset: fast, balanced, quality or stit; by default that of `invert`.
        config: settings to start from in place of a preset; its `edits` are not looked at.
        layers: a folder for the edit's layers, as `export_layers` writes them.
        settings: any field of `EditConfig`; and `steady` and `detail` of its `StitchConfig`.
    Returns: what was done; in a notebook it shows frames before and after.
    Raises: ConfigError, ProjectError, DirectionError, VideoError, FaceError, WeightsError, OutputError.
    """
    asked = load_edits(edits)
    with _project_of(clip) as opened:
        chosen = _preset_or(config, preset, lambda: edit_preset(preset or opened.fact("settings", "preset")))
        stitch = {name: settings.pop(name) for name in ("steady", "detail") if name in settings}
        settings["edits"] = asked
        settings["stitch"] = replace(settings.get("stitch", chosen.stitch), **stitch)
        if "regions" in settings or config is None:
            settings["regions"] = chosen_regions(asked, settings.get("regions"))
        if isinstance(clip, Inversion) and config is None:
            settings.setdefault("device", clip.generator.w_avg.device.type)
        chosen = _replaced(chosen, settings, "steady", "detail")
        place, apart = (None if path is None else Path(path) for path in (output, layers))
        return edit_clip.edit(opened, chosen, place, layers=apart, progress=progress)


def export_layers(
    clip: Opened,
    edit: str | Path | None = None,
    folder: Path | str | None = None,
    *,
    scale: float = 1.0,
    overwrite: bool = False,
    progress: Progress = silent,
) -> LayersSummary:
    """Write the layers of an edit that is done, for a compositor: an OpenEXR a frame, `shot.json` and scripts.

    Args:
        clip: an inversion, its project, or a path to the project or the clip.
        edit: its name, such as "age+2", or the video that it wrote; None: the only one there.
        folder: by default `CLIP.EDIT.layers` beside the clip.
        scale: of the edit's change; 0.7 shows less of it.
        overwrite: write into a folder that holds other files too.
    Raises: ProjectError, ConfigError, VideoError, OutputError.
    """
    with _project_of(clip) as opened:
        name, place = None if edit is None else str(edit), None if folder is None else Path(folder)
        return edit_layers.export_layers(opened, name, place, scale=scale, overwrite=overwrite, progress=progress)


def preview(
    clip: Opened,
    edits: Asked | Iterable[Asked],
    strengths: Sequence[float] | None = None,
    *,
    frames: int = 3,
    regions: str | Sequence[str] | None = None,
    seed: int = 0,
    force: bool = False,
    calibrated: bool = True,
    progress: Progress = silent,
) -> Sheet:
    """A few frames with an edit at several strengths, without stitching, to choose before a long run.

    Args:
        edits: a direction, or several that are applied together; multiplied by each of the strengths.
        strengths: None: -2, -1, 1 and 2, or as much of them as the directions' ranges hold.
        frames: how many, spread over those with the face.
        regions, seed, force: as for `Inversion.draw`.
        calibrated: draw what the strengths ask for on this clip, as `edit` does.
    Raises: as `open_inversion` and `Inversion.draw`.
    """
    inverted = clip if isinstance(clip, Inversion) else open_inversion(clip)
    asked = load_edits(edits)
    pixels = draw_sheet(
        inverted,
        asked,
        strengths,
        frames=frames,
        regions=chosen_regions(asked, regions),
        seed=seed,
        force=force,
        calibrated=calibrated,
        progress=progress,
    )
    return Sheet(pixels)


def calibrate(
    clip: Opened,
    edits: Asked | Iterable[Asked],
    *,
    regions: str | Sequence[str] | None = None,
    force: bool = False,
    by_ends: bool = False,
    solve: bool = True,
    progress: Progress = silent,
) -> Change:
    """An edit with the strengths that give on this clip what was asked: for `Inversion.draw`, which takes them so.

    What was asked, what a few frames reached and what limited it goes to the log. Some seconds a direction, once.

    Args:
        edits, regions, force: as for `Inversion.draw`.
        by_ends: for sliders: solve once for each end of a direction's range, and take what lies between from there.
        solve: find out what is not known yet; False, with `by_ends`: apply that as it is, without waiting.
    Raises: as `open_inversion` and `Inversion.draw`.
    """
    inverted = clip if isinstance(clip, Inversion) else open_inversion(clip)
    asked = load_edits(edits)
    check_range(asked, force=force)
    inverted.moved(asked, force=force)  # refuses what does not fit
    chosen = chosen_regions(asked, regions)
    if by_ends:
        found, answers = calibration.applied_by_ends(inverted, asked, chosen, solve=solve, progress=progress)
        return Change(found)
    answers = calibration.calibrate(inverted, asked, chosen, progress=progress)
    calibration.log_answers(answers)
    return Change(calibration.applied(asked, answers))


def evaluate(
    done: EditSummary | Inversion | Project | Path | str,
    *,
    directions: Sequence[str | Direction] = (),
    page: Path | str | None = None,
    progress: Progress = silent,
    **options: Any,
) -> Evaluation:
    """Measure an edit against its source; of an inversion, how close it is to the clip.

    Args:
        done: what `edit` returned, an edited clip, or an inversion or its project.
        directions: what the edit was meant to do, where its file does not say so.
        page: an HTML file to write, with plots and pictures.
        options: `truth`, `project`, `source`, `embedding`, `ceiling`, `device`, `predictors` as `evaluation.run` has
            them; the first three are paths.
    Returns: `.figures` by name, each with its value, unit and target; in a notebook a table of them.
    Raises: ConfigError, ProjectError, VideoError, FaceError.
    """
    from stitchedit.evaluation import html_report  # takes a second, and few measure
    from stitchedit.evaluation.run import evaluate as measure

    known = ("truth", "project", "source", "embedding", "ceiling", "device", "predictors")
    _refuse_unknown(options, known)
    paths = {k: Path(v) for k, v in options.items() if k in ("truth", "project", "source") and v is not None}
    with released_at_end():
        names = [str(asked) for asked in directions]
        found, job = measure(_measured_path(done), directions=names, progress=progress, **(options | paths))
        if page is not None:
            html_report.write_page(found, job, Path(page))
    return found


def _measured_path(done: EditSummary | Inversion | Project | Path | str) -> Path:
    if isinstance(done, EditSummary):
        return done.folder
    if isinstance(done, Inversion):
        return done.project.root
    return done.root if isinstance(done, Project) else Path(done)


@contextmanager
def _project_of(clip: Opened | None) -> Iterator[Project]:
    """The project behind it; locked as long as the context lasts, unless it was open before."""
    if isinstance(clip, Project):
        yield clip
        return
    with released_at_end():
        root = clip.project.root if isinstance(clip, Inversion) else clip
        yield open_project(None if root is None else Path(root))


def _preset_or(config: Config | None, preset: str | None, make: Any) -> Config:
    """The settings to start from. Raises ConfigError, when both are given."""
    if config is not None and preset is not None:
        raise ConfigError("a preset is given beside a config", "give one of them")
    chosen: Config = make() if config is None else config
    return chosen


def _replaced(config: Config, settings: dict[str, Any], *others: str) -> Config:
    """The settings with some replaced. Raises ConfigError, for an unknown name or a value that is not allowed."""
    _refuse_unknown(settings, [field.name for field in fields(config)], others)
    return replace(config, **settings)


def _refuse_unknown(given: Iterable[str], known: Sequence[str], others: Sequence[str] = ()) -> None:
    for name in given:
        if name not in known:
            nearest = difflib.get_close_matches(name, [*known, *others])
            hint = f"did you mean {' or '.join(nearest)}?" if nearest else f"known are {', '.join([*known, *others])}"
            raise ConfigError(f"unknown setting '{name}'", hint)
