"""An edit as layers for a compositor: `layers.NNNN.exr` a frame, `shot.json`, and scripts that put them together."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from stitchedit.compositing.composite import Composite
from stitchedit.compositing.layers import frame_layers
from stitchedit.errors import ConfigError, WouldReplace
from stitchedit.faces.alignment import crop_to_source
from stitchedit.files.atomic import begin_folder, commit_folder, make_folder, write_new
from stitchedit.files.disk_space import require_disk_space
from stitchedit.files.utf8_path import as_text
from stitchedit.image.resample import inverse
from stitchedit.pipeline.comp_scripts import Shot, layer_file, scripts_of
from stitchedit.pipeline.done_edit import DoneEdit, find_edit, load_edit
from stitchedit.pipeline.face_edit import read_log
from stitchedit.progress import Progress, silent
from stitchedit.project.folder import Project
from stitchedit.provenance.manifest import TAG, notice
from stitchedit.video import SequenceSource, beside
from stitchedit.video.exr import ExrFrame
from stitchedit.video.layer_files import code_attribute, write_layers
from stitchedit.video.timecode import frames_of, timecode_at

VERSION = 1  # of shot.json
RECORD = "shot.json"
MOST_SCALE = 10.0
_FEW_BITS = 8  # a sample, so that half holds mattes and the edit's pictures too, to a quarter of a step
_HALF_BITS = 10  # a sample, whose codes half tells apart
_PACKED = 13  # bytes of a pixel in a frame's file, about: two pictures in half, what is edited in a part of it


@dataclass(frozen=True, slots=True)
class LayersSummary:
    """Result of `layers`."""

    folder: Path
    frames: int
    edited_frames: int
    bytes: int
    samples: str  # half or float: what source and edited are stored in
    scale: float

    def as_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "frames": self.frames,
            "edited_frames": self.edited_frames,
            "bytes": self.bytes,
            "samples": self.samples,
            "scale": self.scale,
        }

    def lines(self) -> list[str]:
        scaled = f", its change times {self.scale:g}" if self.scale != 1 else ""
        return [
            f"layers: {self.folder}: {self.frames} frames, {self.edited_frames} of them edited{scaled}",
            f"size: {self.bytes / 1e6:.1f} MB, samples in {self.samples}; shot.nk, shot.comp, shot_blender.py and "
            "shot.otio put them together",
        ]


def usual_folder(project: Project, name: str, scale: float = 1.0) -> Path:
    """Where layers go unless it is told: `CLIP.EDIT.layers` beside the clip."""
    return beside(project.source, f"{name}{'' if scale == 1 else f'.x{scale:g}'}.layers")


def require_layers_place(folder: Path, overwrite: bool) -> None:
    """Raises WouldReplace, when something else than layers lies there."""
    if folder.exists() and not folder.is_dir():
        raise WouldReplace(folder, "it is no folder", "name another folder")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite and not _is_ours(folder / RECORD):
        raise WouldReplace(folder, "it holds other files than layers", "name another folder, or give --overwrite")


def _is_ours(record: Path) -> bool:
    try:
        told = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(told, dict) and TAG in told


def require_scale(scale: float) -> None:
    """Raises ConfigError, for what is no factor of an edit's change."""
    if not 0 <= scale <= MOST_SCALE:
        raise ConfigError(f"--scale is {scale:g}", f"give a number from 0 to {MOST_SCALE:g}; 1 is the edit as it is")


def export_layers(
    project: Project,
    edit: str | None = None,
    folder: Path | None = None,
    *,
    scale: float = 1.0,
    overwrite: bool = False,
    progress: Progress = silent,
) -> LayersSummary:
    """Write the layers of an edit that a project holds.

    Args:
        edit: see `find_edit`; folder: None: `usual_folder`.
    Raises: ProjectError, and what `write_edit_layers` raises; InUse, while another process makes this edit.
    """
    require_scale(scale)
    name = find_edit(project, edit)
    project.take_edit(name)
    done = load_edit(project, name, progress)
    place = folder or usual_folder(project, name, scale)
    return write_edit_layers(done, place, scale=scale, overwrite=overwrite, progress=progress)


def write_edit_layers(
    edit: DoneEdit, folder: Path, *, scale: float = 1.0, overwrite: bool = False, progress: Progress = silent
) -> LayersSummary:
    """Write the layers of an edit into a folder, which appears when all are there.

    Args:
        scale: of the edit's change; 1: as the edit is, 0: none of it.
        overwrite: put them into a folder that holds other files too.
    Raises: ConfigError, for another scale; WouldReplace, NotWritable, DiskFull, TooLittleRoom; CannotDecode, EmptyMask.
    """
    require_scale(scale)
    require_layers_place(folder, overwrite)
    info, total = edit.source.info, edit.source.count()
    make_folder(folder.parent)
    require_disk_space(folder.parent, total * info.width * info.height * _PACKED)
    numbers = edit.source.numbered.numbers if isinstance(edit.source, SequenceSource) else range(1, total + 1)
    parts = begin_folder(folder)
    try:
        frames = _write_frames(edit, parts, numbers, scale, progress)
        _write_texts(edit, parts, folder, frames, scale)
        size = sum(path.stat().st_size for path in parts.iterdir())
        commit_folder(parts, folder)
    finally:
        shutil.rmtree(parts, ignore_errors=True)
    edited = sum(1 for frame in frames if frame["faces"])
    return LayersSummary(folder, len(frames), edited, size, _samples(edit), scale)


def _write_frames(
    edit: DoneEdit, parts: Path, numbers: Sequence[int], scale: float, progress: Progress
) -> list[dict[str, Any]]:
    """Every frame's file; gives what is to be told of each."""
    info, told = edit.source.info, []
    notes = notice(edit.said)
    for frame in edit.composited():
        own = frame.source.attributes if isinstance(frame.source, ExrFrame) else {}
        attributes = own | {"comments": notes["comment"], TAG: notes[TAG]}
        if code := timecode_at(info.start_timecode, frame.source.index, info.rate):
            attributes["timeCode"] = code_attribute(code)
        number = numbers[frame.source.index]
        layers = _named_layers(edit, frame, scale)
        path = parts / layer_file(number)
        write_new(path, partial(write_layers, layers, info.rate, attributes, info.sample_aspect_ratio))
        faces = [_told(edit, *patch[:2]) for patch in frame.patches]
        told.append({"file": path.name, "time": float(frame.source.time), "faces": faces})
        progress("layers", len(told), len(numbers))
    return told


def _named_layers(edit: DoneEdit, frame: Composite, scale: float) -> dict[str, NDArray[np.floating[Any]]]:
    """The layers by name, in as many bits as the source's samples need."""
    quads = [edit.faces[layer].layer.crops.quads[crop] for layer, crop, _ in frame.patches]
    apart = frame_layers(frame, quads, half=_samples(edit) == "half", scale=scale)
    few = edit.source.info.depth <= _FEW_BITS
    thin = np.float16 if few else np.float32
    layers: dict[str, NDArray[np.floating[Any]]] = {
        "source": apart.source,
        "edited": apart.edited,
        "delta": apart.delta,
        "matte": apart.matte.astype(thin),
        "inside": apart.inside.astype(thin),
    }
    empty = np.zeros((*apart.matte.shape, 2), np.float32)
    for place, face in enumerate(edit.faces):
        layers["uv" if place == 0 else f"uv{face.number}"] = apart.uvs.get(place, empty)
    return layers


def _samples(edit: DoneEdit) -> str:
    info = edit.source.info
    return "half" if info.depth <= _HALF_BITS or info.pix_fmt.startswith("gbrpf16") else "float"


def _told(edit: DoneEdit, layer: int, crop: int) -> dict[str, Any]:
    """Where a face's crop lies in a frame: the matrix takes source pixels to crop sides, both from the upper left."""
    face = edit.faces[layer]
    quad = face.layer.crops.quads[crop]
    matrix = np.vstack([inverse(crop_to_source(quad)), (0, 0, 1)])
    asked = [
        {"direction": change.direction, "unit": change.unit, "amount": round(float(change.amounts[crop]), 4)}
        for change in face.asked
    ]
    return {
        "face": face.number,
        "corners": [[round(float(v), 4) for v in corner] for corner in quad],  # TL BL BR TR
        "crop_from_frame": [[float(v) for v in row] for row in matrix],
        "asked": asked,
    }


def _write_texts(edit: DoneEdit, parts: Path, folder: Path, frames: list[dict[str, Any]], scale: float) -> None:
    info = edit.source.info
    clip = os.path.relpath(info.path.resolve(), folder.resolve())
    facts = {
        TAG: json.loads(notice(edit.said)[TAG]),
        "version": VERSION,
        "name": edit.name,
        "edit": edit.said,
        "scale": scale,
        "source": as_text(clip),
        "size": [info.width, info.height],
        "rate": str(info.rate),
        "timecode": info.start_timecode,
        "colourspace": edit.source.view.name if edit.source.view else None,
        "samples": _samples(edit),
        "regions": list(edit.regions),
        "blender": edit.put["blender"],
        "border_px": edit.border_px,
        "crop_px": edit.faces[0].layer.crops.size,
        "figures": [{"face": face.number, **_figures(face.folder / "stitch.json")} for face in edit.faces],
        "frames": frames,
    }
    first, last = (int(frames[k]["file"].split(".")[1]) for k in (0, -1))
    start = frames_of(info.start_timecode, info.rate) or 0
    form = info.width, info.height, first, last, info.rate, info.sample_aspect_ratio
    shot = Shot(edit.name, *form, source=facts["source"], start=start)
    for name, text in ({RECORD: json.dumps(facts, indent=1) + "\n"} | scripts_of(shot)).items():
        write_new(parts / name, partial(_put_text, text))


def _put_text(text: str, file: BinaryIO) -> None:
    file.write(text.encode())


def _figures(log: Path) -> dict[str, Any]:
    """How stitching went; nothing, where it kept no log."""
    if not log.exists():
        return {}
    steps, loss = read_log(log)
    mean = {"stitch_steps": float(np.mean(steps)), "border_loss": float(np.mean(loss)), "border_loss_worst": max(loss)}
    return {name: round(float(value), 6) for name, value in mean.items()}
