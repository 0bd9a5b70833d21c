"""The job from clip to clip, stage by stage; the work itself is in the stages, who is edited in `people`.

invert:  frames -> Tracks -> Crops -> Latents -> tuned generator
edit:    Latents -> EditedLatents -> stitched crops -> frames -> video
"""

from __future__ import annotations

import copy
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from stitchedit.compositing.composite import Layer, pasted
from stitchedit.compositing.paste import BLENDERS
from stitchedit.config import EditConfig, InvertConfig, for_frames
from stitchedit.errors import ConfigError
from stitchedit.faces.alignment import align
from stitchedit.faces.mesh import mesh_points
from stitchedit.faces.visibility import doubtful_runs, doubts
from stitchedit.files.disk_space import folder_bytes, pictures_bytes, restore_crops, see_room
from stitchedit.files.image_folder import PictureFolder, save_png
from stitchedit.inversion.crop_batches import Batches
from stitchedit.inversion.latent_optimization import Encoder
from stitchedit.inversion.pivotal_tuning import tune
from stitchedit.models import loading
from stitchedit.models.generator import Generator
from stitchedit.models.perceptual import Perceptual
from stitchedit.pipeline.clip_sheets import before_after, spread
from stitchedit.pipeline.face_edit import move
from stitchedit.pipeline.inversion import finished, look_map, notes
from stitchedit.pipeline.multi_face import Followed, edits_of_faces, follow_faces, numbered, open_faces, upright
from stitchedit.pipeline.summaries import EditSummary, InvertSummary
from stitchedit.progress import Progress, silent
from stitchedit.project import artefacts
from stitchedit.project.folder import Project, default_root, inputs_of, make_folder
from stitchedit.provenance.manifest import FORMATS, notice, sealer
from stitchedit.strength import Strength, strength_label
from stitchedit.types import ByteArray, CropImages
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


def invert(clip: Path, root: Path | None, config: InvertConfig, *, progress: Progress = silent) -> InvertSummary:
    """Track, align and encode a face of the clip and tune a generator on it, into the project folder `root`.

    Likewise, one after the other, for further faces in `config.others`, see `people`.

    Raises: the errors of its stages, all of them `StitcheditError`.
    """
    device = loading.device(config.device)
    source = open_video(clip, config.fps)
    generator, generator_sha = loading.generator(config.generator, device)
    encoder, encoder_sha = loading.encoder(config.encoder, device, generator, config.encode.space)
    perceptual = loading.perceptual(device)
    root = root or default_root(clip)
    held = 4 * sum(4 * p.numel() for p in generator.parameters())  # the tuned one, and a checkpoint with two moments
    held *= 1 + len(config.others)
    see_room(root, held - min(held, folder_bytes(root)))
    faces = follow_faces(Project.create(root), source, config, progress)
    for number, face in enumerate(faces, 1):
        own = copy.deepcopy(generator) if number < len(faces) else generator  # tuning changes it
        named = progress if len(faces) == 1 else numbered(progress, number)
        tools = _Tools(own, generator_sha, encoder, encoder_sha, perceptual, device)
        _invert_face(face, source, config, tools, named)
    first, *others = [finished(face.project, config.device, face.stages.seconds) for face in faces]
    return replace(first, others=others)


@dataclass(frozen=True, slots=True)
class _Tools:
    """What inversion works with, beside its settings."""

    generator: Generator
    generator_sha: str
    encoder: Encoder
    encoder_sha: str
    perceptual: Perceptual
    device: torch.device


def _invert_face(face: Followed, source: VideoSource, config: InvertConfig, tools: _Tools, progress: Progress) -> None:
    """What comes after tracking."""
    project, stages, tracks, generator = face.project, face.stages, face.tracks, tools.generator

    def do_align(mark: str) -> None:
        keep = partial(_keep_crops, project.crops, len(tracks.frames))
        crops = align(
            upright(source, tracks.frames),
            tracks,
            config.align,
            exits=generator.exits,
            max_size=config.max_size,
            progress=progress,
            keep=keep,
        )
        points = mesh_points(crops, tracks, progress)
        artefacts.save_crops(project.crops, crops, points)

    inputs = {"tracks": face.mark, "exits": str(generator.exits), "max_size": str(config.max_size)}
    mark = stages.run("align", inputs | inputs_of(config.align), [project.crops / "crops.npz"], do_align)
    crops, points = artefacts.load_crops(project.crops)
    restore_crops(project, source, crops)
    batches = Batches(crops, look_map(points), tools.device)

    def do_encode(mark: str) -> None:
        generator.requires_grad_(False)
        settings = for_frames(config.encode, len(batches))
        latents = tools.encoder(batches, generator, tools.perceptual, settings, seed=config.seed, progress=progress)
        artefacts.save_latents(project.latents, latents)

    inputs = {"crops": mark, "generator": tools.generator_sha, "encoder": tools.encoder_sha, "seed": str(config.seed)}
    mark = stages.run("encode", inputs | inputs_of(config.encode), [project.latents], do_encode)
    latents = artefacts.load_latents(project.latents, generator, len(batches))

    def do_tune(mark: str) -> None:
        shapes = artefacts.tuning_shapes(generator, latents)
        report = tune(
            generator.requires_grad_(True),
            latents,
            batches,
            tools.perceptual,
            for_frames(config.tune, len(batches)),
            size=crops.size,
            seed=config.seed,
            resume=artefacts.load_checkpoint(project.checkpoint, mark, shapes),
            save=lambda state: artefacts.save_tensors(project.checkpoint, state, {"fingerprint": mark}),
            progress=progress,
        )
        artefacts.save_latents(project.pivots, report.pivots)
        artefacts.save_tensors(project.generator, generator.state_dict(), {"fingerprint": mark})
        project.note("tuning", f"{len(report.curve)} steps, ended by {report.ended}")

    stages.run("tune", {"latents": mark} | inputs_of(config.tune), [project.pivots, project.generator], do_tune)
    project.checkpoint.unlink(missing_ok=True)  # not before the stage is on record: a kill in between would cost it all


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
        face.see_room()
    see_room(output.parent, _output_bytes(source, config.lossless))
    for face in moved:
        face.stitch(progress if project.faces == 1 else numbered(progress, face.number))

    doubtful = [doubts(f.inverted.tracks, f.inverted.crops, f.inverted.points) for f in moved]
    if config.every_frame:
        doubtful = [np.zeros_like(found) for found in doubtful]
    written: list[str] = []

    def do_write(mark: str) -> None:
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
        "stitch": " ".join(face.mark for face in moved),
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


def _keep_crops(folder: Path, expected: int, images: Iterator[ByteArray]) -> CropImages:
    """Write the crops as they come, so that a clip of any length fits into memory. Raises TooLittleRoom."""
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    count, size = 0, 0
    for count, image in enumerate(images, 1):
        size = image.shape[0]
        if count == 1:
            see_room(folder, pictures_bytes(expected, size))
        PictureFolder(folder, count, size).save(count - 1, image)
    return PictureFolder(folder, count, size)


def _told(frames: Iterator[Frame], total: int, progress: Progress) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        progress("video", frame.index + 1, total)
