"""What a command says at its end, for people and for machines."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stitchedit.faces.alignment import sides
from stitchedit.faces.visibility import absent_runs, doubtful_runs, visibility_flags
from stitchedit.image.arrays import to_bytes
from stitchedit.image.contact_sheet import spread
from stitchedit.inversion.crop_batches import Batches
from stitchedit.masks.weight_maps import face_mask
from stitchedit.metrics import masked_psnr
from stitchedit.models.generator import Generator
from stitchedit.pipeline.edit_layers import LayersSummary
from stitchedit.pipeline.face_warnings import quality_notes
from stitchedit.pipeline.inversion import load_inversion
from stitchedit.pipeline.strength_search import Answer
from stitchedit.project.folder import Project
from stitchedit.strength import Keyframes, Strength
from stitchedit.types import FacePoints, FaceState, FloatArray, Latents, NamedDirection, SkippedRange
from stitchedit.video import VideoSource

PSNR_FRAMES = 16  # frames, spread over the clip, that the inversion is measured on


def peak_memory_gb() -> float:
    """Largest resident size of this process so far, in GB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e9 if sys.platform == "darwin" else 1e6)


@dataclass(frozen=True, slots=True)
class InvertSummary:
    """Result of `invert`."""

    project: Path
    frames: int
    edited_frames: int
    filled_frames: int  # of those, how many were interpolated
    passed: list[SkippedRange]
    face_px: float  # median side of the crops in source pixels
    crop_px: int
    psnr_mean_db: float  # inversion against source over the face mask, on crops, some frames spread over the clip
    psnr_worst_db: float
    tuning: str  # steps and why it ended
    notes: list[str]
    seconds: dict[str, float] = field(default_factory=dict)  # a stage; 0 when its result was kept
    others: Sequence[InvertSummary] = ()  # of the further faces
    doubtful: Sequence[SkippedRange] = ()  # frames with a face that an edit is faded out of

    def as_json(self) -> dict[str, Any]:
        others = {"others": [other.as_json() for other in self.others]} if self.others else {}
        return others | {
            "project": str(self.project),
            "frames": self.frames,
            "edited_frames": self.edited_frames,
            "filled_frames": self.filled_frames,
            "passed": [p.as_json() for p in self.passed],
            "doubtful": [p.as_json() for p in self.doubtful],
            "face_px": round(self.face_px, 1),
            "crop_px": self.crop_px,
            "psnr_mean_db": round(self.psnr_mean_db, 2),
            "psnr_worst_db": round(self.psnr_worst_db, 2),
            "tuning": self.tuning,
            "notes": self.notes,
            "seconds": {k: round(v, 1) for k, v in self.seconds.items()},
            "peak_memory_gb": round(peak_memory_gb(), 2),
        }

    def lines(self) -> list[str]:
        said = [
            f"project: {self.project}",
            f"frames: {self.frames}, the face in {self.edited_frames} of them (crops of {self.crop_px} px, "
            f"the face's square is {self.face_px:.0f} px wide)",
        ]
        if self.filled_frames:
            said.append(f"interpolated over short gaps: {self.filled_frames} frames")
        if self.passed:
            said.append(f"untouched, no usable face: frames {', '.join(map(str, self.passed))}")
        if self.doubtful:
            said.append(f"hard to edit, so edits fade out: frames {', '.join(map(str, self.doubtful))}")
        said.append(
            f"inversion: PSNR {self.psnr_mean_db:.1f} dB, worst frame {self.psnr_worst_db:.1f} dB; {self.tuning}"
        )
        said += [f"note: {note}" for note in self.notes] + [_cost(self.seconds)]
        for number, other in enumerate(self.others, 2):
            lines = [line for line in other.lines() if not line.startswith("note: ") or line not in said]  # of the clip
            said += [f"face {number}: {line}" for line in lines]
        return said


@dataclass(frozen=True, slots=True)
class EditSummary:
    """Result of `edit`."""

    output: Path
    sheet: Path
    frames: int
    edited_frames: int
    edits: Sequence[tuple[str | NamedDirection, Strength]]
    stitch_steps: float  # optimiser steps a frame, mean
    border_loss: float  # mean over frames, after stitching
    border_loss_worst: float
    notes: list[str]
    seconds: dict[str, float] = field(default_factory=dict)
    faces: int = 1
    doubtful: Sequence[SkippedRange] = ()  # frames with a face that the edit was faded out of
    answers: Sequence[Answer] = ()  # what the directions do on this clip
    layers: LayersSummary | None = None

    @property
    def folder(self) -> Path:
        """The folder of the edit in its project."""
        return self.sheet.parent

    def _repr_png_(self) -> bytes | None:
        """For notebooks: frames before and after."""
        return self.sheet.read_bytes() if self.sheet.is_file() else None

    def as_json(self) -> dict[str, Any]:
        return {
            "output": str(self.output),
            "sheet": str(self.sheet),
            "frames": self.frames,
            "edited_frames": self.edited_frames,
            "faces": self.faces,
            "doubtful": [p.as_json() for p in self.doubtful],
            "edits": edits_json(self.edits),
            "calibration": [answer.as_json() for answer in self.answers],
            "layers": None if self.layers is None else self.layers.as_json(),
            "stitch_steps_mean": round(self.stitch_steps, 2),
            "border_loss_mean": round(self.border_loss, 5),
            "border_loss_worst": round(self.border_loss_worst, 5),
            "notes": self.notes,
            "seconds": {k: round(v, 1) for k, v in self.seconds.items()},
            "peak_memory_gb": round(peak_memory_gb(), 2),
        }

    def lines(self) -> list[str]:
        of_faces = f" ({self.faces} faces)" if self.faces > 1 else ""
        return [
            f"video: {self.output}",
            f"sheet: {self.sheet}",
            *map(str, self.answers),
            f"frames: {self.frames}, edited {self.edited_frames}{of_faces}; stitching: {self.stitch_steps:.1f} steps a "
            f"frame, border loss {self.border_loss:.4f} (worst {self.border_loss_worst:.4f})",
            *([f"faded out, hard to edit: frames {', '.join(map(str, self.doubtful))}"] if self.doubtful else []),
            *(self.layers.lines() if self.layers else []),
            *(f"note: {note}" for note in self.notes),
            _cost(self.seconds),
        ]


def edits_json(edits: Sequence[tuple[str | NamedDirection, Strength]]) -> list[dict[str, Any]]:
    """Directions and strengths as plain values."""
    return [{"direction": str(name), "strength": _strength_json(strength)} for name, strength in edits]


def _strength_json(strength: Strength) -> Any:
    """A number, or the keyframes as they were given."""
    if not isinstance(strength, Keyframes):
        return strength
    unit = {True: "second", False: "frame"}
    return [{unit[key.in_seconds]: float(key.at), "strength": key.strength} for key in strength.keys]


def _cost(seconds: dict[str, float]) -> str:
    spent = ", ".join(f"{stage} {s:.0f} s" if s else f"{stage} kept" for stage, s in seconds.items())
    return f"time: {spent}; peak memory {peak_memory_gb():.1f} GB"


def finished(project: Project, device: str, seconds: dict[str, float]) -> InvertSummary:
    """What there is to say of a project that is inverted."""
    inverted = load_inversion(project, device)
    tracks, crops = inverted.tracks, inverted.crops
    psnr = inversion_psnr(inverted.generator, inverted.latents, inverted.batches, inverted.points)
    return InvertSummary(
        project=project.root,
        frames=len(tracks.state),
        edited_frames=len(crops.frames),
        filled_frames=int((tracks.state == FaceState.FILLED).sum()),
        passed=absent_runs(tracks),
        face_px=float(np.median(sides(crops.quads))),
        crop_px=crops.size,
        psnr_mean_db=float(psnr.mean()),
        psnr_worst_db=float(psnr.min()),
        tuning=project.fact("notes", "tuning"),
        notes=[*notes(inverted.source), *_damage(project), *quality_notes(crops, inverted.points)],
        seconds=seconds,
        doubtful=doubtful_runs(tracks, crops, visibility_flags(tracks, crops, inverted.points)),
    )


def notes(source: VideoSource) -> list[str]:
    """What a user should know of how the clip was read."""
    return [*source.info.notes, *(f"frame {d.frame}: {d.why}" for d in source.damage)]


def _damage(project: Project) -> list[str]:
    """What was broken in the clip when its faces were searched; it has not been read since."""
    told = str(project.records.data.get("notes", {}).get("damage", ""))
    return [told] if told else []


def inversion_psnr(generator: Generator, latents: Latents, batches: Batches, points: FacePoints) -> FloatArray:
    """PSNR in dB of the unedited inversion on the crops where the face mask is above a half, of some frames.

    On crops, before pasting: `stitchedit evaluate` has the figure on source pixels.
    """
    size = batches.crops.size
    values = []
    for index in spread(np.arange(len(batches)), PSNR_FRAMES):
        with torch.no_grad():
            ws = torch.from_numpy(latents.ws[index : index + 1]).to(generator.w_avg.device)
            image = to_bytes(generator.synthesis(ws, resolution=size)[0])
        mask = face_mask(points.points[index], size)
        values.append(masked_psnr(image, batches.crops.images[index], mask))
    return np.array(values, np.float32)
