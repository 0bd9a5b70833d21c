"""One generator a person for the film, then a short tuning a shot.

What a person looks like is learned once, on a reel of all shots. Each shot starts from there, and has to learn only
what sets it apart: its light, a beard, make-up. How much that is, is measured: by how much worse the learned generator
draws the shot than its own reel, so many steps the shot gets.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from stitchedit.config import TuneConfig, for_frames
from stitchedit.errors import ProjectError
from stitchedit.files.hashing import known_sha256
from stitchedit.film.toml_files import read_toml, value_of, write_toml
from stitchedit.image.contact_sheet import spread
from stitchedit.inversion.crop_batches import Batches
from stitchedit.inversion.pivotal_tuning import mean_loss
from stitchedit.masks.weight_maps import look_map
from stitchedit.models import loading
from stitchedit.models.perceptual import Perceptual
from stitchedit.pipeline.invert_clip import EncodedFace, invert_face
from stitchedit.pipeline.invert_plan import InvertPlan
from stitchedit.pipeline.multi_face import TrackedFace
from stitchedit.progress import Progress
from stitchedit.project import artefacts
from stitchedit.project.folder import INVERT_STAGES, Project
from stitchedit.project.stage_runner import Stages
from stitchedit.types import Tracks

log = logging.getLogger(__name__)

# Of the steps that a shot would take by itself.
MOST, LEAST = 0.25, 0.08
ALIKE, STRANGE = 1.3, 3.0
PRECISION = "float32"  # on all machines, whatever one is faster with: the film's packets are to be the same
_LOOKS = 8  # frames by which that is measured


@dataclass(frozen=True, slots=True)
class Learned:
    """What a person's generator learned."""

    steps: int
    loss: float  # mean over the reel, as tuning ended

    def write(self, path: Path) -> None:
        write_toml(path, {"steps": self.steps, "loss": self.loss})

    @classmethod
    def read(cls, path: Path) -> Learned:
        """Raises ProjectError."""
        data = read_toml(path)
        learned = cls(value_of(data, "steps", int, str(path)), value_of(data, "loss", float, str(path)))
        if not learned.loss > 0:
            raise ProjectError(f"{path} is damaged: loss {learned.loss}", "remove it, and run film again")
        return learned


def tracked(project: Project, clip: Path, tracks: Tracks, plan: InvertPlan, known_by: str) -> TrackedFace:
    """A face that was tracked elsewhere, in a project of its own.

    Args:
        known_by: what the tracks depend on.
    """
    config = plan.config
    generator = loading.lasting_name(config.generator)
    sha = project.take_source(clip, preset=config.preset, generator=generator, view=plan.source.view)
    stages = Stages(project.records, INVERT_STAGES)

    def keep(_: str) -> None:
        artefacts.save_tracks(project.tracks, tracks)

    fingerprint = stages.run("track", {"source": sha, "film": known_by}, [project.tracks], keep)
    return TrackedFace(project, stages, tracks, fingerprint)


def learn_person(face: TrackedFace, plan: InvertPlan, perceptual: Perceptual, progress: Progress) -> Learned:
    """Tune the plan's generator on a reel, and measure how well it draws it then."""
    generator = copy.deepcopy(plan.generator)
    own = replace(plan, generator=generator, precision=PRECISION)
    invert_face(face, own, perceptual, progress=progress)
    encoded = encoded_face(face.project, plan)
    artefacts.load_into(face.project.generator, generator)
    loss = _loss(encoded, own, perceptual)
    return Learned(face.project.tuning_steps, loss)


def tune_shot(
    face: TrackedFace, plan: InvertPlan, perceptual: Perceptual, start: Path, learned: Learned, progress: Progress
) -> int:
    """Tune a person's generator a little further on a shot; how many steps it took.

    Args:
        start: the generator that was learned, as safetensors.
    """
    generator = copy.deepcopy(plan.generator)
    artefacts.load_into(start, generator)
    own = replace(plan, generator=generator, start=known_sha256(start), precision=PRECISION)
    invert_face(face, own, perceptual, progress=progress, budget=partial(_budget, own, perceptual, learned))
    return face.project.tuning_steps


def encoded_face(project: Project, plan: InvertPlan) -> EncodedFace:
    """A finished face as it ended: crops, and the pivots that go with the tuned generator."""
    crops, points = artefacts.load_crops(project.crops)
    batches = Batches(crops, look_map(points), plan.device)
    return EncodedFace(crops, batches, artefacts.load_latents(project.pivots, plan.generator, len(crops.frames)))


def steps_needed(alone: int, before: float, learned: float) -> int:
    """Of tuning, for a shot.

    Args:
        alone: steps that it would take by itself.
        before: its loss with the learned generator, before any.
        learned: that of the reel, after.
    """
    need = float(np.clip((before / learned - ALIKE) / (STRANGE - ALIKE), 0, 1))
    return max(1, round(alone * (LEAST + (MOST - LEAST) * need)))


def _budget(plan: InvertPlan, perceptual: Perceptual, learned: Learned, face: EncodedFace) -> TuneConfig:
    before = _loss(face, plan, perceptual)
    alone = for_frames(plan.config.tune, len(face.batches)).steps
    steps = steps_needed(alone, before, learned.loss)
    log.info("the learned generator draws it at %.2f of its reel's loss: %d steps", before / learned.loss, steps)
    return replace(plan.config.tune, steps=steps, full_frames=1, steps_per_frame=0.0, most_steps=steps, plateau=0.0)


def _loss(face: EncodedFace, plan: InvertPlan, perceptual: Perceptual) -> float:
    frames: Sequence[int] = spread(np.arange(len(face.batches)), _LOOKS)
    return mean_loss(
        plan.generator, face.latents, face.batches, perceptual, plan.config.tune, size=face.crops.size, frames=frames
    )
