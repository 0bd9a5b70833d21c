"""A project that `invert` has finished, opened for what comes after."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from stitchedit.config import DEFAULT_LANDMARKS
from stitchedit.editing.residual_transfer import OWN_EYES, OWN_LIPS, OWN_SKIN, carried
from stitchedit.errors import ProjectError
from stitchedit.image.arrays import to_bytes
from stitchedit.inversion.crop_batches import Batches
from stitchedit.masks.weight_maps import eyes_map, face_mask, lips_map, look_map
from stitchedit.models import loading
from stitchedit.models.generator import Generator
from stitchedit.project import artefacts
from stitchedit.project.cleanup import restore_crops
from stitchedit.project.folder import INVERT_STAGES, Project
from stitchedit.types import ByteArray, Crops, FacePoints, FloatArray, Latents, Tracks
from stitchedit.video import VideoSource, open_video
from stitchedit.video.clip_hash import clip_sha256

COARSE_PX = 32  # layers up to here hold who somebody is rather than how they are lit


@dataclass(frozen=True, slots=True)
class Inversion:
    """Everything that `invert` left, loaded."""

    project: Project
    source: VideoSource
    tracks: Tracks
    crops: Crops
    points: FacePoints
    latents: Latents
    generator: Generator

    @property
    def landmarks(self) -> str:
        """The model that found the face meshes."""
        return self.project.records.inputs("align").get("landmarks", DEFAULT_LANDMARKS)

    @property
    def batches(self) -> Batches:
        return Batches(self.crops, look_map(self.points), self.generator.w_avg.device)


def load_inversion(project: Project, device: str) -> Inversion:
    """Raises StageMissing, when `invert` did not come to its end; ProjectError, when the clip has changed since."""
    for stage in INVERT_STAGES:
        project.records.fingerprint(stage)
    source = open_video(project.source, project.fps)
    sha = clip_sha256(project.source)
    if sha != project.fact("source", "sha256") or sha != project.records.inputs("track").get("source"):
        raise ProjectError(f"{project.source} has changed since it was inverted", "run `stitchedit invert` on it again")
    generator, sha = loading.generator(project.fact("settings", "generator"), loading.device(device))
    if sha not in project.records.inputs("encode").values():
        raise ProjectError(f"{project.root} was tuned from another generator", "run `stitchedit invert` to the end")
    artefacts.load_into(project.generator, generator)
    tracks = artefacts.load_tracks(project.tracks)
    crops, points = artefacts.load_crops(project.crops)
    if tracks.frame_size != (source.info.width, source.info.height) or not np.array_equal(tracks.frames, crops.frames):
        raise ProjectError(f"tracks, crops and clip of {project.root} do not fit", "run `stitchedit invert` again")
    restore_crops(project, source, crops)
    latents = artefacts.load_latents(project.pivots, generator, len(crops.frames))
    return Inversion(project, source, tracks, crops, points, latents, generator)


@dataclass(frozen=True, slots=True)
class InversionImages:
    """The crops as the tuned generator draws them, without any edit."""

    inverted: Inversion

    def __len__(self) -> int:
        return len(self.inverted.crops.frames)

    def __getitem__(self, index: int, /) -> ByteArray:
        generator = self.inverted.generator
        ws = torch.from_numpy(self.inverted.latents.ws[index : index + 1]).to(generator.w_avg.device)
        with torch.inference_mode():
            return to_bytes(generator.synthesis(ws, resolution=self.inverted.crops.size)[0])


def source_detail(
    inverted: Inversion, fidelity: float, own_colours: bool
) -> Callable[[int, Tensor, FloatArray | None], Tensor]:
    """What the tuned generator misses of each frame, carried to where an edit moves it.

    Args:
        fidelity: 0..1, of the edit: the less of the person it is to keep, the less of the eyes' own look.
        own_colours: whether lips are to keep their colour, skin its colour and light, as far as fidelity goes.
    """
    generator, size = inverted.generator, inverted.crops.size

    @lru_cache(maxsize=1)  # a preview asks for one frame at several strengths
    def before_edit(index: int) -> Tensor:
        ws = torch.from_numpy(inverted.latents.ws[index : index + 1]).to(generator.w_avg.device)
        with torch.inference_mode():
            return generator.synthesis(ws, resolution=size)

    def detail(index: int, edited: Tensor, inside: FloatArray | None = None) -> Tensor:
        pictures = (inverted.batches.images([index], size), before_edit(index), edited)
        source, before, after = (p[0].permute(1, 2, 0).cpu().numpy() for p in pictures)
        mesh, own = inverted.points.points[index], fidelity**2
        eyes, lips, skin = eyes_map(mesh, size), None, None
        if own_colours:
            lips = lips_map(mesh, size)
            skin = (OWN_SKIN * own) * face_mask(mesh, size) * (1 - lips) * (1 - eyes)
            lips = OWN_LIPS * own * lips
        missed = carried(source, before, after, inside, eyes, OWN_EYES * own, lips, skin)
        return torch.from_numpy(missed).permute(2, 0, 1)[None].to(edited.device)

    return detail


def soften(inverted: Inversion, fidelity: float) -> Inversion:
    """Take the generator's coarse layers a part of the way back to where they were before tuning, in place.

    They hold the shape of the person; the finer ones keep the clip's light and colours. 1 leaves all as it is.

    Returns: the same with the generator as it was tuned: a copy, if it was changed.
    """
    if fidelity == 1:
        return inverted
    tuned = replace(inverted, generator=copy.deepcopy(inverted.generator))
    untuned, _ = loading.generator(inverted.project.fact("settings", "generator"), inverted.generator.w_avg.device)
    with torch.no_grad():
        pairs = zip(inverted.generator.named_parameters(), untuned.parameters(), strict=True)
        for (name, parameter), start in pairs:
            if inverted.generator.layer_px(name) <= COARSE_PX:
                parameter.lerp_(start, 1 - fidelity)
    return tuned
