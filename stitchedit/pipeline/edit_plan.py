"""What an edit will do, before anything is written: who, which frames, where to, what it takes.

A plan that could be made can be run: settings, names, directions, faces, disk space, output format and certificate
are checked. `run_edit` of `edit_clip` carries it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stitchedit.compositing.blenders import BLENDERS
from stitchedit.config import CODECS, EditConfig
from stitchedit.editing.direction import direction_label
from stitchedit.editing.direction_catalogue import own_regions
from stitchedit.errors import ConfigError, WouldReplace
from stitchedit.faces.visibility import doubtful_runs, visibility_flags
from stitchedit.files.atomic import require_place
from stitchedit.files.disk_space import require_disk_space
from stitchedit.files.utf8_path import as_text
from stitchedit.pipeline.edit_layers import require_layers_place
from stitchedit.pipeline.face_edit import FaceEdit, edits_of_faces, move
from stitchedit.pipeline.multi_face import open_faces
from stitchedit.pipeline.retouching import open_face, require_retouches, retouch_inputs
from stitchedit.pipeline.strength_search import Answer
from stitchedit.pipeline.summaries import edits_json
from stitchedit.progress import Progress, shown_time, silent
from stitchedit.project.folder import Project
from stitchedit.project.outputs import was_begun, was_written, why_replaced
from stitchedit.project.records import Records, fingerprint_of
from stitchedit.provenance.manifest import FORMATS, Seal, asks_for, sealer
from stitchedit.strength import Strength, strength_label
from stitchedit.types import ByteArray, NamedDirection, SkippedRange
from stitchedit.video import VideoSource, means_pictures, try_output, usual_output, written_files
from stitchedit.video.clip_hash import clip_sha256

# An edit of one frame takes about as long as so many steps of tuning: 3.25 s and 0.44 s on 24 frames of 512 px by the
# balanced preset, whose stitching takes at most 8 steps a frame; the first number is what every preset spends.
TUNING_STEPS_A_FRAME, A_STITCHING_STEP = 5.0, 0.3
KEPT = "kept"  # of a stage whose result is there


@dataclass(frozen=True, slots=True)
class EditPlan:
    """An edit that can be carried out; holds the project's locks as long as it lives."""

    project: Project
    config: EditConfig
    name: str  # in file names
    said: str  # in the notice
    output: Path
    seal: Seal | None  # signs the output; None: no manifest
    faces: list[FaceEdit]  # those that get an edit
    doubtful: list[ByteArray]  # by face: why each of its frames is hard to edit, 0 where nothing is wrong
    bytes: int  # of the output, about, while it is written
    notes: tuple[str, ...]  # what of the clip the output will not keep as it is
    replaces: bool  # whether something else than this very edit lies where it is to go
    layers: Path | None = None  # folder for the edit's layers

    @property
    def source(self) -> VideoSource:
        return self.faces[0].inverted.source

    @property
    def frames(self) -> int:
        """Of the clip."""
        return len(self.faces[0].inverted.tracks.state)

    @property
    def edited_frames(self) -> list[int]:
        """In which at least one face is edited, ascending; those of `faded` among them."""
        return [int(f) for f in np.unique(np.concatenate([face.inverted.crops.frames for face in self.faces]))]

    @property
    def faded(self) -> list[SkippedRange]:
        """Frames in which an edit is faded out, with the reasons."""
        pairs = zip(self.faces, self.doubtful, strict=True)
        return [run for f, bad in pairs for run in doubtful_runs(f.inverted.tracks, f.inverted.crops, bad)]

    @property
    def answers(self) -> list[Answer]:
        """What the directions do on this clip, face by face."""
        return [answer for face in self.faces for answer in face.answers if answer is not None]

    @property
    def stages(self) -> dict[str, str]:
        """What is done anew and why, or "kept", by stage and face."""
        numbered = len(self.faces) > 1
        return {f"stitch {f.number}" if numbered else "stitch": f.why_stitch() or KEPT for f in self.faces}

    @property
    def seconds(self) -> float | None:
        """About how long it takes on a machine like that which inverted the clip; None: that is not on record."""
        total = 0.0
        for face in (face for face, reason in zip(self.faces, self.stages.values(), strict=True) if reason != KEPT):
            step = face.inverted.project.seconds_a_tuning_step
            if step is None:
                return None
            steps = TUNING_STEPS_A_FRAME + A_STITCHING_STEP * self.config.stitch.steps
            total += step * steps * len(face.inverted.crops.frames)
        return total

    def video_inputs(self) -> dict[str, str]:
        """What the output depends on."""
        config = self.config
        return {
            "stitch": " ".join(fingerprint_of(face.inputs()) for face in self.faces),
            "blender": config.blender,
            "match_colours": str(config.match_colours),
            "lossless": str(config.lossless),
            "output": str(self.output.resolve()),
            "c2pa": str(self.seal is not None),
            "every_frame": str(config.every_frame),
            "changes": str(config.stitch.detail),
        } | (self._unusual() | retouch_inputs(config.retouch))

    def _unusual(self) -> dict[str, str]:
        """Of what older records have none, for there was no choice."""
        config = self.config
        given = {"audio": (config.audio, "copy"), "codec": (config.codec, CODECS[0])}
        return {name: value for name, (value, usual) in given.items() if value != usual}

    def why_replaced(self) -> str | None:
        """What lies where the output is to go, if it is not this very edit; None, where nothing is lost."""
        files = written_files(self.output, self.source)
        there = [path for path in files if path.exists()]
        records = Records.open_or_create(self.faces[0].folder / "edit.toml")
        begun = was_begun(records, self.output)
        lacks = len(there) < len(files) and was_written(records, self.output) is not None  # pictures of a shot
        if not there or ((begun or lacks) and all(asks_for(path, self.said) for path in there)):
            return None
        return why_replaced(records, self.output, {"stitch": self.faces[0].inputs(), "video": self.video_inputs()})

    def as_json(self) -> dict[str, Any]:
        seconds = self.seconds
        return {
            "project": str(self.project.root),
            "output": str(self.output),
            "replaces": self.replaces,
            "layers": None if self.layers is None else str(self.layers),
            "retouch": [frame for frame, _ in self.config.retouch],
            "edits": edits_json(self.config.edits),
            "faces": [face.number for face in self.faces],
            "regions": list(self.config.regions),
            "preset": self.config.preset,
            "blender": self.config.blender,
            "fidelity": [face.fidelity for face in self.faces],
            "frames": self.frames,
            "edited_frames": len(self.edited_frames),
            "doubtful": [run.as_json() for run in self.faded],
            "stages": self.stages,
            "calibration": [answer.as_json() for answer in self.answers],
            "manifest": self.seal is not None,
            "output_bytes": self.bytes,
            "notes": list(self.notes),
            "seconds": None if seconds is None else round(seconds),
        }

    def lines(self) -> list[str]:
        whom = f", faces {' and '.join(str(face.number) for face in self.faces)}" if len(self.faces) > 1 else ""
        seconds = self.seconds
        took = "not known" if seconds is None else f"about {shown_time(seconds)} where it was inverted"
        return [
            f"project: {self.project.root}",
            f"edit: {self.said}{whom}; preset {self.config.preset}, blender {self.config.blender}",
            *map(str, self.answers),
            f"frames: {self.frames}, edited {len(self.edited_frames)}",
            *([f"fades out, hard to edit: frames {', '.join(map(str, self.faded))}"] if self.faded else []),
            *(f"{stage}: {reason}" for stage, reason in self.stages.items()),
            f"output: {self.output}{', is replaced' if self.replaces else ''}; "
            f"{self.bytes / 1e6:.0f} MB on the disk while it is written",
            *([f"layers: {self.layers}"] if self.layers else []),
            f"C2PA manifest: {'signed' if self.seal else 'none'}",
            *(f"note: {note}" for note in self.notes),
            f"time: {took}; nothing was written",
        ]


def plan_edit(
    project: Project,
    config: EditConfig,
    output: Path | None = None,
    *,
    layers: Path | None = None,
    keep: bool = True,
    progress: Progress = silent,
) -> EditPlan:
    """Check everything that can be checked before the work, and find the strengths that give what was asked.

    Args:
        output: the video; by default beside the clip, named after the edit.
        layers: a folder for the edit's layers, see `edit_layers`; None: none are written.
        keep: write what was found of strengths into the project, to be known the next time; nothing else is written.
    Raises: ConfigError, when an edit is for nobody, or the output is the clip; DirectionError; CannotEncode;
        NotWritable; WouldReplace; TooLittleRoom; ProjectError and its kin, when `invert` did not come to its end.
    """
    if not config.edits:
        raise ConfigError("no edit given", "name a direction and a strength; see `stitchedit directions list`")
    BLENDERS[config.blender]  # one that cannot be loaded is refused here
    name = edit_name(
        config.edits,
        config.seed,
        config.regions,
        only=config.only,
        calibrated=config.calibrated or config.preset == "stit",
    )
    clip = project.require_source()
    called = f"{name}.retouched" if config.retouch else name
    output = output or usual_output(clip, called, lossless=config.lossless, codec=config.codec)
    if output.resolve() == clip.resolve():
        raise ConfigError(f"{output} is the source clip itself", "choose another name with -o")
    if layers is not None:
        require_layers_place(layers, config.overwrite)
        require_place(layers)
    said, seal = _said(config), None
    whose = edits_of_faces(open_faces(project), config)
    require_retouches(config.retouch, [open_face(face.project) for face in whose])
    _refuse_strange_file(whose[0].project, name, output, config)  # the first one's has the record of the video
    if not config.metadata_only:
        seal = sealer(output, clip, said, clip_sha256(clip))
    source = project.open_clip()
    # before strengths are solved for, which takes a while
    notes = try_output(output, source, lossless=config.lossless, codec=config.codec, audio=config.audio)
    faces = [move(face, config, name, keep=keep, progress=progress) for face in whose]
    for face in faces:
        face.require_disk_space()
    needed = _output_bytes(source, config.lossless or config.codec != CODECS[0])
    require_disk_space(output.parent, needed)
    doubtful = [visibility_flags(f.inverted.tracks, f.inverted.crops, f.inverted.points) for f in faces]
    if config.every_frame:
        doubtful = [np.zeros_like(found) for found in doubtful]
    plan = EditPlan(project, config, name, said, output, seal, faces, doubtful, needed, notes, False, layers)
    lost = plan.why_replaced()
    if lost and not config.overwrite:
        raise WouldReplace(output, lost)
    return replace(plan, replaces=lost is not None)


def _refuse_strange_file(project: Project, name: str, output: Path, config: EditConfig) -> None:
    """All that can be known of a file in the output's place before strengths are solved for. Raises WouldReplace."""
    if output.is_file() and not config.overwrite:
        records = Records.open_or_create(project.edit_folder(name) / "edit.toml")
        lost = None if was_begun(records, output) else why_replaced(records, output, {})
        if lost:
            raise WouldReplace(output, lost)


def unsigned_note(plan: EditPlan) -> list[str]:
    """Said where a manifest was wanted and the output's format has no place for one."""
    output = plan.output
    if plan.config.metadata_only or output.suffix.lower() in FORMATS:
        return []
    kind = output.suffix if output.is_file() else "a shot of pictures"
    return [f"{kind} holds no C2PA manifest: the notice of the edit is in the metadata alone"]


def edit_name(
    edits: Sequence[tuple[str | NamedDirection, Strength]],
    seed: int,
    regions: Sequence[str] = (),
    *,
    only: Sequence[tuple[int, ...]] = (),
    calibrated: bool = True,
) -> str:
    """What an edit is called in file names: `age+2`, `smile-1.identity+1.seed3`, `age+2.face`, or `age+0@0+2@48`.

    Regions are told where they are others than the directions' own.

    Edits that are for some faces only have these behind them: `age+2.face1.smile+1.face2-3`.
    """
    parts = []
    for (direction, strength), faces in zip(edits, only or ((),) * len(edits), strict=True):
        parts.append(f"{direction_label(direction)}{strength_label(strength)}")
        parts += [f"face{'-'.join(map(str, faces))}"] if faces else []
    name = ".".join(parts)
    usual = not regions or tuple(regions) == own_regions(direction for direction, _ in edits)
    region = "" if usual else f".{'-'.join(regions)}"
    return name + region + ("" if calibrated else ".uncalibrated") + (f".seed{seed}" if seed else "")


def _output_bytes(source: VideoSource, fine: bool) -> int:
    """About the room that a video takes while it is written: coded finer than the source, with a signed copy.

    Args:
        fine: without losses, or with such as ProRes has.
    """
    info = source.info
    raw = float((info.duration or 0) * info.rate) * info.stored_width * info.stored_height * info.depth / 8
    if means_pictures(info.path):
        return round(1.5 * info.size_bytes)
    return round(raw if fine else 4 * info.size_bytes)


def _said(config: EditConfig) -> str:
    """An edit in words, for the notice: `age +2, smile +1 (face 2), region:head`."""
    whom = config.only or ((),) * len(config.edits)
    parts = []
    for (name, strength), faces in zip(config.edits, whom, strict=True):
        only = f" (face {' and '.join(map(str, faces))})" if faces else ""
        parts.append(f"{direction_label(name)} {strength_label(strength)}{only}")
    parts += [] if config.regions == ("face",) else [f"region:{'+'.join(config.regions)}"]
    parts += [f"retouch:{'+'.join(str(frame) for frame, _ in config.retouch)}"] if config.retouch else []
    return as_text(", ".join(parts))  # names of files among them
