"""The job from clip to clip, stage by stage; the work itself is in the stages, who is edited in `multi_face`.

invert:  frames -> Tracks -> Crops -> Latents -> tuned generator
edit:    Latents -> EditedLatents -> stitched crops -> frames -> video
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from stitchedit.compositing.blenders import BLENDERS
from stitchedit.compositing.composite import Layer, pasted
from stitchedit.config import EditConfig
from stitchedit.errors import ConfigError
from stitchedit.faces.visibility import doubtful_runs, visibility_flags
from stitchedit.files.atomic import make_folder
from stitchedit.files.disk_space import require_disk_space
from stitchedit.files.image_folder import save_png
from stitchedit.image.contact_sheet import spread
from stitchedit.pipeline.clip_sheets import before_after
from stitchedit.pipeline.face_edit import edits_of_faces, move
from stitchedit.pipeline.multi_face import numbered, open_faces
from stitchedit.pipeline.summaries import EditSummary, notes
from stitchedit.progress import Progress, silent
from stitchedit.project.folder import Project
from stitchedit.provenance.manifest import FORMATS, notice, sealer
from stitchedit.strength import Strength, strength_label
from stitchedit.video import (
    Frame,
    VideoSource,
    means_pictures,
    open_video,
    try_writing,
    usual_output,
    write_video,
    written_files,
)

log = logging.getLogger(__name__)


def edit(project: Project, config: EditConfig, output: Path | None, *, progress: Progress = silent) -> EditSummary:
    """Move the codes, stitch, paste and write the video; by default beside the clip.

    Every face that was inverted is stitched in turn, then all are put back in one pass over the frames.

    Raises: the errors of its stages, all of them `StitcheditError`.
    """
    name = edit_name(config.edits, config.seed, config.regions, only=config.only)
    output = output or usual_output(project.source, name, lossless=config.lossless)
    if output.resolve() == project.source.resolve():
        raise ConfigError(f"{output} is the source clip itself", "choose another name with -o")
    make_folder(output.parent)
    said = _said(config)
    said += "" if config.regions == ("face",) else f", region:{'+'.join(config.regions)}"
    seal = None
    if not config.metadata_only:
        seal = sealer(output, project.source, said, project.fact("source", "sha256"))
    faces = edits_of_faces(open_faces(project), config)
    moved = [move(face, config, name, progress) for face in faces]  # refuses what cannot be before hours of work
    source, total = moved[0].inverted.source, len(moved[0].inverted.tracks.state)
    try_writing(output, source, lossless=config.lossless)
    for face in moved:
        face.require_disk_space()
    require_disk_space(output.parent, _output_bytes(source, config.lossless))
    for face in moved:
        face.stitch(progress if project.faces == 1 else numbered(progress, face.number))

    doubtful = [visibility_flags(f.inverted.tracks, f.inverted.crops, f.inverted.points) for f in moved]
    if config.every_frame:
        doubtful = [np.zeros_like(found) for found in doubtful]
    written: list[str] = []

    def do_write(fingerprint: str) -> None:
        layers = [
            Layer(f.inverted.crops, f.shapes, f.stitched, f.inverted.tracks, bad > 0, config.stitch.detail)
            for f, bad in zip(moved, doubtful, strict=True)
        ]
        frames = pasted(
            source,
            layers,
            border_px=config.stitch.border_px,
            blender=BLENDERS[config.blender],
            match=config.match_colours,
        )
        told = _told(frames, total, progress)
        tags = notice(said)
        done = write_video(output, source, told, lossless=config.lossless, metadata=tags, seal=seal)
        written.extend(done.notes)

    inputs = {
        "stitch": " ".join(face.fingerprint for face in moved),
        "blender": config.blender,
        "match_colours": str(config.match_colours),
        "lossless": str(config.lossless),
        "output": str(output.resolve()),
        "c2pa": str(seal is not None),
        "every_frame": str(config.every_frame),
        "changes": str(config.stitch.detail),
    }
    stages = moved[0].stages
    stages.run("video", inputs, written_files(output, source), do_write)
    stages.records.note_output("video", output)
    for face in moved[1:]:  # on record with every face, so that each is known as one of those in the video
        face.stages.records.copy("video", stages.records)
        stages.seconds["stitch"] += face.stages.seconds["stitch"]
    steps, losses = (np.concatenate(parts) for parts in zip(*(face.log() for face in moved), strict=True))
    sheet, shown = moved[0].folder / "sheet.png", np.unique(np.concatenate([f.inverted.crops.frames for f in moved]))
    save_png(before_after(source, open_video(output), spread(shown, 4), name), sheet)
    return EditSummary(
        output=output,
        sheet=sheet,
        frames=total,
        edited_frames=len(shown),
        faces=len(moved),
        edits=config.edits,
        stitch_steps=float(np.mean(steps)),
        border_loss=float(np.mean(losses)),
        border_loss_worst=float(np.max(losses)),
        notes=[*notes(source), *written, *_unsigned(output, config.metadata_only)],
        seconds=stages.seconds,
        doubtful=[
            run
            for f, found in zip(moved, doubtful, strict=True)
            for run in doubtful_runs(f.inverted.tracks, f.inverted.crops, found)
        ],
    )


def _output_bytes(source: VideoSource, lossless: bool) -> int:
    """About the room that a video takes while it is written: coded finer than the source, with a signed copy."""
    info = source.info
    raw = float((info.duration or 0) * info.rate) * info.stored_width * info.stored_height * info.depth / 8
    if means_pictures(info.path):
        return round(1.5 * info.size_bytes)
    return round(raw if lossless else 4 * info.size_bytes)


def _unsigned(output: Path, metadata_only: bool) -> list[str]:
    if metadata_only or output.suffix.lower() in FORMATS:
        return []
    kind = output.suffix if output.is_file() else "a shot of pictures"
    return [f"{kind} holds no C2PA manifest: the notice of the edit is in the metadata alone"]


def _said(config: EditConfig) -> str:
    """An edit in words, for the notice: `age +2, smile +1 (face 2)`."""
    whom = config.only or ((),) * len(config.edits)
    parts = []
    for (name, strength), faces in zip(config.edits, whom, strict=True):
        only = f" (face {' and '.join(map(str, faces))})" if faces else ""
        parts.append(f"{Path(name).stem} {strength_label(strength)}{only}")
    return ", ".join(parts)


def edit_name(
    edits: Sequence[tuple[str, Strength]],
    seed: int,
    regions: Sequence[str] = ("face",),
    *,
    only: Sequence[tuple[int, ...]] = (),
) -> str:
    """What an edit is called in file names: `age+2`, `smile-1.identity+1.seed3`, `age+2.head`, or `age+0@0+2@48`.

    Edits that are for some faces only have these behind them: `age+2.face1.smile+1.face2-3`.
    """
    parts = []
    for (direction, strength), faces in zip(edits, only or ((),) * len(edits), strict=True):
        parts.append(f"{Path(direction).stem}{strength_label(strength)}")
        parts += [f"face{'-'.join(map(str, faces))}"] if faces else []
    name = ".".join(parts)
    region = "" if tuple(regions) == ("face",) else f".{'-'.join(regions)}"
    return name + region + (f".seed{seed}" if seed else "")


def _told(frames: Iterator[Frame], total: int, progress: Progress) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        progress("video", frame.index + 1, total)
