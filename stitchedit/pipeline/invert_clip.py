"""The job of `invert`: frames -> Tracks -> Crops -> Latents -> tuned generator."""

from __future__ import annotations

import copy
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from stitchedit.config import InvertConfig, TuneConfig, for_frames
from stitchedit.faces.alignment import align
from stitchedit.faces.landmark_choice import placed
from stitchedit.faces.mesh import landmark_inputs, mesh_points
from stitchedit.files.array_files import save_tensors
from stitchedit.files.atomic import make_folder
from stitchedit.files.disk_space import pictures_bytes, require_disk_space
from stitchedit.files.image_folder import PictureFolder
from stitchedit.inversion.crop_batches import Batches
from stitchedit.inversion.pivotal_tuning import tune
from stitchedit.masks.weight_maps import look_map
from stitchedit.models import loading
from stitchedit.models.perceptual import Perceptual
from stitchedit.models.precision import PRECISIONS, try_precisions
from stitchedit.pipeline.clip_sheets import faces_sheet
from stitchedit.pipeline.face_warnings import all_warnings
from stitchedit.pipeline.invert_plan import InvertPlan, plan_invert
from stitchedit.pipeline.multi_face import TrackedFace, follow_faces, iter_rgb, numbered
from stitchedit.pipeline.summaries import InvertSummary, finished
from stitchedit.pipeline.tuning_view import Show, tuning_view
from stitchedit.progress import Progress, silent
from stitchedit.project import artefacts
from stitchedit.project.cleanup import restore_crops
from stitchedit.project.folder import Project
from stitchedit.project.records import inputs_of
from stitchedit.types import ByteArray, CropImages, Crops, Latents

log = logging.getLogger(__name__)

SHEET = "faces.png"  # in the project: which number is whom


def invert(clip: Path, root: Path | None, config: InvertConfig, *, progress: Progress = silent) -> InvertSummary:
    """Track, align and encode a face of the clip and tune a generator on it, into the project folder `root`.

    Likewise, one after the other, for further faces in `config.others`, see `pipeline.multi_face`.

    Raises: the errors of the plan and of its stages, all of them `StitcheditError`.
    """
    return run_invert(plan_invert(clip, root, config), progress=progress)


def run_invert(plan: InvertPlan, *, progress: Progress = silent, show: Show | None = None) -> InvertSummary:
    """Carry a plan out. Raises the errors of its stages, InUse among them, when another process has the project.

    Args:
        show: is given a picture of how far tuning is, every few seconds; what is made is the same.
    """
    for note in plan.notes:  # before hours of work
        log.warning("%s", note)
    config, perceptual = plan.config, loading.perceptual(plan.device)
    faces = follow_faces(Project.create(plan.root), plan.source, config, progress)
    if len(faces) > 1:  # before hours of work, to be looked at
        sheet = faces[0].project.root / SHEET
        faces_sheet(plan.source, [face.tracks for face in faces], sheet)
        log.info("%d faces; which number is whom: %s", len(faces), sheet)
    for number, face in enumerate(faces, 1):
        own = copy.deepcopy(plan.generator) if number < len(faces) else plan.generator  # tuning changes it
        named = progress if len(faces) == 1 else numbered(progress, number)
        whom = "" if len(faces) == 1 else f"face {number}: "
        invert_face(face, replace(plan, generator=own), perceptual, progress=named, whom=whom, show=show)
    first, *others = [finished(face.project, config.device, face.stages.seconds) for face in faces]
    told = [f"which number is whom: {faces[0].project.root / SHEET}"] if others else []
    return replace(first, others=others, notes=[*first.notes, *told])


@dataclass(frozen=True, slots=True)
class EncodedFace:
    """A face on its way through `invert_face`, before tuning."""

    crops: Crops
    batches: Batches
    latents: Latents


Budget = Callable[[EncodedFace], TuneConfig]  # decides how a face is tuned when its codes are known


def invert_face(
    face: TrackedFace,
    plan: InvertPlan,
    perceptual: Perceptual,
    *,
    progress: Progress = silent,
    whom: str = "",
    show: Show | None = None,
    budget: Budget | None = None,
) -> None:
    """What comes after tracking.

    Args:
        plan: its generator is tuned in place, from the weights that it has: `plan.start` names them.
        whom: stands before warnings.
        budget: None: the plan's settings for a clip of that many frames.
    """
    project, stages, tracks = face.project, face.stages, face.tracks
    generator, config, source = plan.generator, plan.config, plan.source

    def do_align(fingerprint: str) -> None:
        keep = partial(_keep_crops, project.crops, len(tracks.frames))
        own = placed(iter_rgb(source, tracks.frames), tracks, config.landmarks, plan.device.type, progress)
        crops = align(
            iter_rgb(source, tracks.frames),
            own,
            config.align,
            exits=generator.exits,
            max_size=config.max_size,
            progress=progress,
            keep=keep,
        )
        points = mesh_points(crops, tracks, progress, config.landmarks, config.align.inner)
        artefacts.save_crops(project.crops, crops, points)

    inputs = {"tracks": face.fingerprint, "exits": str(generator.exits), "max_size": str(config.max_size)}
    inputs |= landmark_inputs(config.landmarks)
    fingerprint = stages.run("align", inputs | inputs_of(config.align), [project.crops / "crops.npz"], do_align)
    crops, points = artefacts.load_crops(project.crops)
    restore_crops(project, source, crops)
    for told in all_warnings(tracks, crops, points):  # before what takes long
        log.warning("%s%s", whom, told)
    batches = Batches(crops, look_map(points), plan.device)

    def do_encode(fingerprint: str) -> None:
        generator.requires_grad_(False)
        steps = for_frames(config.encode, len(batches))
        latents = plan.encoder(batches, generator, perceptual, steps, seed=config.seed, progress=progress)
        artefacts.save_latents(project.latents, latents)

    inputs = {
        "crops": fingerprint,
        "generator": plan.generator_sha,
        "encoder": plan.encoder_sha,
        "seed": str(config.seed),
    } | ({"start": plan.start} if plan.start else {})  # most have none
    fingerprint = stages.run("encode", inputs | inputs_of(config.encode), [project.latents], do_encode)
    latents = artefacts.load_latents(project.latents, generator, len(batches))
    settings = budget(EncodedFace(crops, batches, latents)) if budget else for_frames(config.tune, len(batches))

    def do_tune(fingerprint: str) -> None:
        shapes = artefacts.tuning_shapes(generator, latents)
        resume = artefacts.load_checkpoint(project.checkpoint, fingerprint, shapes)
        generator.requires_grad_(True)
        kept = plan.precision or project.records.data.get("notes", {}).get("precision")
        if not plan.precision and (resume is None or kept not in PRECISIONS):
            kept = try_precisions(generator, torch.from_numpy(latents.ws[:1]).to(generator.w_avg.device))
            project.note("precision", kept)
            log.log(logging.INFO if kept != "float32" else logging.DEBUG, "tune: the generator draws in %s", kept)
        report = tune(
            generator,
            latents,
            batches,
            perceptual,
            settings,
            size=crops.size,
            seed=config.seed,
            precision=kept,
            resume=resume,
            save=lambda state: save_tensors(project.checkpoint, state, {"fingerprint": fingerprint}),
            watch=None if show is None else tuning_view(generator, crops, show),
            progress=progress,
        )
        artefacts.save_latents(project.pivots, report.pivots)
        save_tensors(project.generator, generator.state_dict(), {"fingerprint": fingerprint})
        project.note("tuning", f"{len(report.curve)} steps, ended by {report.ended}")

    wanted = inputs_of(settings if budget else config.tune)
    stages.run("tune", {"latents": fingerprint} | wanted, [project.pivots, project.generator], do_tune)
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
