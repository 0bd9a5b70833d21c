"""What an inversion will do, before anything is written: the clip, whose face, which stages, what it takes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stitchedit.config import InvertConfig, for_frames
from stitchedit.errors import ConfigError
from stitchedit.faces.alignment import exit_for
from stitchedit.faces.landmark_choice import require_ready
from stitchedit.faces.mesh import landmark_model
from stitchedit.files.atomic import require_place
from stitchedit.files.disk_space import folder_bytes, pictures_bytes, require_disk_space
from stitchedit.inversion import encoder_registry
from stitchedit.inversion.encoder import Encoder
from stitchedit.inversion.encoder_registry import SEARCH
from stitchedit.inversion.pivotal_tuning import coarse_exit
from stitchedit.models import loading
from stitchedit.models.generator import Generator
from stitchedit.pipeline.face_warnings import foretold_faces
from stitchedit.progress import shown_time
from stitchedit.project.folder import INVERT_STAGES, Project, default_root
from stitchedit.project.records import Records
from stitchedit.video import VideoSource, foretold, open_seen

# Of a step, times the generator forward and back: the perceptual loss and the optimiser take .3 (256 px) to .45 (512
# px) of that, crops and losses the rest.
TUNE_OVERHEAD = 1.5


@dataclass(frozen=True, slots=True)
class InvertPlan:
    """An inversion that can be carried out."""

    config: InvertConfig
    source: VideoSource
    root: Path  # the project's folder
    device: torch.device
    generator: Generator
    generator_sha: str
    encoder: Encoder
    encoder_sha: str
    finished: tuple[str, ...]  # stages on record in that folder; done again where their inputs changed
    notes: tuple[str, ...]  # how the clip is read, and what of it an edit will not keep
    precision: str = ""  # in which it is tuned, of `models.precision`; "": as it is tried on this machine
    start: str = ""  # what the generator has learned before, by the sha256 of those weights; "": nothing

    @property
    def frames(self) -> int:
        """Of the clip, by decoding it once: what containers claim is often wrong."""
        return self.source.count()

    @property
    def faces(self) -> list[str]:
        """Whose, as `--face` names them."""
        return [self.config.track.face, *self.config.others]

    @property
    def largest_crop(self) -> int:
        """Pixels that no crop is larger than; how large the face is, tracking will tell."""
        side = max(self.source.info.width, self.source.info.height)
        return exit_for(side, self.generator.exits, self.config.max_size)

    @property
    def steps(self) -> dict[str, int]:
        """Of the optimiser, at most, by stage, for a face that is seen in every frame."""
        count = max(1, self.frames)
        return {
            "encode": for_frames(self.config.encode, count).steps,
            "tune": for_frames(self.config.tune, count).steps,
        }

    @property
    def bytes(self) -> int:
        """About what the project takes at most: tuned generators, a checkpoint with two moments, crops."""
        return len(self.faces) * (_held(self.generator) + pictures_bytes(self.frames, self.largest_crop))

    def seconds(self) -> float:
        """About how long tuning takes at most, for each face: one pass of each size is timed, here and now."""
        tune, size = self.config.tune, self.largest_crop
        parts = {coarse_exit(self.generator, tune, size): tune.coarse_part}
        parts[size] = 1 - tune.coarse_part + parts.get(size, 0.0)  # both may be one
        a_step = sum(part * seconds_a_pass(self.generator, px) for px, part in parts.items() if part)
        return TUNE_OVERHEAD * self.steps["tune"] * a_step

    def face_notes(self) -> list[str]:
        """What a few frames show of the faces that will make edits worse. Raises NoFace, ConfigError."""
        return foretold_faces(self.source, self.config, self.generator.exits)

    def as_json(self) -> dict[str, Any]:
        info = self.source.info
        return {
            "project": str(self.root),
            "clip": str(info.path),
            "frames": self.frames,
            "frame_size": [info.width, info.height],
            "colourspace": self.source.view.name if self.source.view else None,
            "faces": self.faces,
            "preset": self.config.preset,
            "generator": self.config.generator,
            "device": str(self.device),
            "finished": list(self.finished),
            "notes": [*self.notes, *self.face_notes()],
            "largest_crop_px": self.largest_crop,
            "steps": self.steps,
            "bytes": self.bytes,
            "tune_seconds": round(self.seconds()),
        }

    def lines(self) -> list[str]:
        info, steps = self.source.info, self.steps
        there = f", is there: {', '.join(self.finished)} on record" if self.finished else ""
        return [
            f"clip: {info.path}, {self.frames} frames of {info.width} x {info.height}"
            + (f", looked at as {self.source.view.name}" if self.source.view else ""),
            f"project: {self.root}{there}",
            f"faces: {', '.join(self.faces)}; preset {self.config.preset}, generator {self.config.generator}",
            f"work: crops of at most {self.largest_crop} px; at most {steps['encode']} steps of encoding and "
            f"{steps['tune']} of tuning a face, tuning about {shown_time(self.seconds())} on this {self.device.type}",
            f"disk: {self.bytes / 1e6:.0f} MB at most",
            *(f"note: {note}" for note in [*self.notes, *self.face_notes()]),
            "nothing was written",
        ]


def plan_invert(clip: Path, root: Path | None, config: InvertConfig) -> InvertPlan:
    """Check everything that can be checked before the work, which writes nothing.

    Raises: CannotOpen; DeviceError; NotFetched, UnknownCheckpoint, HashMismatch; ConfigError, when the encoder does
        not fit the generator; NotWritable; TooLittleRoom; ProjectError, when something else is at `root`.
    """
    device = loading.device(config.device)
    source = open_seen(clip, config.fps, config.colourspace)
    generator, generator_sha = loading.generator(config.generator, device, config.align.expand)
    landmark_model(config.landmarks)  # one that cannot be loaded is refused here
    require_ready(config.landmarks, device.type)
    encoder, encoder_sha = encoder_registry.encoder(config.encoder, device, generator, config.encode.space)
    if any(config.align.expand) and encoder_sha != SEARCH:
        raise ConfigError(
            f"encoder '{config.encoder}' knows the face's own crop, not the larger one of --expand",
            "leave --encoder out, or give --encoder optimize",
        )
    root = root or default_root(clip)
    record = root / "project.toml"
    finished, notes = _on_record(record, clip) if record.exists() else ((), ())
    require_place(record)
    held = (1 + len(config.others)) * _held(generator)
    require_disk_space(root, held - min(held, folder_bytes(root)))
    notes = (*notes, *source.info.notes, *(f"in an edit, {lost}" for lost in foretold(source)))
    return InvertPlan(config, source, root, device, generator, generator_sha, encoder, encoder_sha, finished, notes)


def _on_record(record: Path, clip: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The stages that a project has finished, and a note where they are of another clip."""
    project = Project(record.parent, Records.read(record))
    stages = tuple(stage for stage in INVERT_STAGES if stage in project.records.data["stages"])
    if stages and not project.is_clip(clip):
        return (), (f"{project.other_clip(clip)}: everything is done again",)
    return stages, ()


def seconds_a_pass(generator: Generator, size: int) -> float:
    """A picture of `size` pixels forward and back through all weights, once, after one that is not counted."""
    generator.requires_grad_(True)
    took = 0.0
    for _ in range(2):
        start = time.perf_counter()
        picture = generator.synthesis(generator.w_avg[None, None], resolution=size)
        picture.square().mean().backward()  # type: ignore[no-untyped-call]
        took = time.perf_counter() - start
        generator.zero_grad(set_to_none=True)
    return took


def _held(generator: Generator) -> int:
    """Bytes of a tuned generator, and of a checkpoint of it with two moments."""
    return 4 * sum(4 * p.numel() for p in generator.parameters())
