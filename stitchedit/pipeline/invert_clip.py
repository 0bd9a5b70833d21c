"""The job of `invert`: frames -> Tracks -> Crops -> Latents -> tuned generator."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from stitchedit.config import InvertConfig, for_frames
from stitchedit.faces.alignment import align
from stitchedit.faces.mesh import mesh_points
from stitchedit.files.array_files import save_tensors
from stitchedit.files.atomic import make_folder
from stitchedit.files.disk_space import folder_bytes, pictures_bytes, require_disk_space
from stitchedit.files.image_folder import PictureFolder
from stitchedit.inversion import encoder_registry
from stitchedit.inversion.crop_batches import Batches
from stitchedit.inversion.encoder import Encoder
from stitchedit.inversion.pivotal_tuning import tune
from stitchedit.masks.weight_maps import look_map
from stitchedit.models import loading
from stitchedit.models.generator import Generator
from stitchedit.models.perceptual import Perceptual
from stitchedit.pipeline.multi_face import TrackedFace, follow_faces, iter_rgb, numbered
from stitchedit.pipeline.summaries import InvertSummary, finished
from stitchedit.progress import Progress, silent
from stitchedit.project import artefacts
from stitchedit.project.cleanup import restore_crops
from stitchedit.project.folder import Project, default_root
from stitchedit.project.records import inputs_of
from stitchedit.types import ByteArray, CropImages
from stitchedit.video import VideoSource, open_video


def invert(clip: Path, root: Path | None, config: InvertConfig, *, progress: Progress = silent) -> InvertSummary:
    """Track, align and encode a face of the clip and tune a generator on it, into the project folder `root`.

    Likewise, one after the other, for further faces in `config.others`, see `pipeline.multi_face`.

    Raises: the errors of its stages, all of them `StitcheditError`.
    """
    device = loading.device(config.device)
    source = open_video(clip, config.fps)
    generator, generator_sha = loading.generator(config.generator, device)
    encoder, encoder_sha = encoder_registry.encoder(config.encoder, device, generator, config.encode.space)
    perceptual = loading.perceptual(device)
    root = root or default_root(clip)
    held = 4 * sum(4 * p.numel() for p in generator.parameters())  # the tuned one, and a checkpoint with two moments
    held *= 1 + len(config.others)
    require_disk_space(root, held - min(held, folder_bytes(root)))
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


def _invert_face(
    face: TrackedFace, source: VideoSource, config: InvertConfig, tools: _Tools, progress: Progress
) -> None:
    """What comes after tracking."""
    project, stages, tracks, generator = face.project, face.stages, face.tracks, tools.generator

    def do_align(fingerprint: str) -> None:
        keep = partial(_keep_crops, project.crops, len(tracks.frames))
        crops = align(
            iter_rgb(source, tracks.frames),
            tracks,
            config.align,
            exits=generator.exits,
            max_size=config.max_size,
            progress=progress,
            keep=keep,
        )
        points = mesh_points(crops, tracks, progress)
        artefacts.save_crops(project.crops, crops, points)

    inputs = {"tracks": face.fingerprint, "exits": str(generator.exits), "max_size": str(config.max_size)}
    fingerprint = stages.run("align", inputs | inputs_of(config.align), [project.crops / "crops.npz"], do_align)
    crops, points = artefacts.load_crops(project.crops)
    restore_crops(project, source, crops)
    batches = Batches(crops, look_map(points), tools.device)

    def do_encode(fingerprint: str) -> None:
        generator.requires_grad_(False)
        settings = for_frames(config.encode, len(batches))
        latents = tools.encoder(batches, generator, tools.perceptual, settings, seed=config.seed, progress=progress)
        artefacts.save_latents(project.latents, latents)

    inputs = {
        "crops": fingerprint,
        "generator": tools.generator_sha,
        "encoder": tools.encoder_sha,
        "seed": str(config.seed),
    }
    fingerprint = stages.run("encode", inputs | inputs_of(config.encode), [project.latents], do_encode)
    latents = artefacts.load_latents(project.latents, generator, len(batches))

    def do_tune(fingerprint: str) -> None:
        shapes = artefacts.tuning_shapes(generator, latents)
        report = tune(
            generator.requires_grad_(True),
            latents,
            batches,
            tools.perceptual,
            for_frames(config.tune, len(batches)),
            size=crops.size,
            seed=config.seed,
            resume=artefacts.load_checkpoint(project.checkpoint, fingerprint, shapes),
            save=lambda state: save_tensors(project.checkpoint, state, {"fingerprint": fingerprint}),
            progress=progress,
        )
        artefacts.save_latents(project.pivots, report.pivots)
        save_tensors(project.generator, generator.state_dict(), {"fingerprint": fingerprint})
        project.note("tuning", f"{len(report.curve)} steps, ended by {report.ended}")

    stages.run("tune", {"latents": fingerprint} | inputs_of(config.tune), [project.pivots, project.generator], do_tune)
    project.checkpoint.unlink(missing_ok=True)  # not before the stage is on record: a kill in between would cost it all


def _keep_crops(folder: Path, expected: int, images: Iterator[ByteArray]) -> CropImages:
    """Write the crops as they come, so that a clip of any length fits into memory. Raises TooLittleRoom."""
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    count, size = 0, 0
    for count, image in enumerate(images, 1):
        size = image.shape[0]
        if count == 1:
            require_disk_space(folder, pictures_bytes(expected, size))
        PictureFolder(folder, count, size).save(count - 1, image)
    return PictureFolder(folder, count, size)
