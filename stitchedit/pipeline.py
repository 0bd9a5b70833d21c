"""The job from clip to clip, stage by stage; the work itself is in the stages.

invert:  frames -> Tracks -> Crops -> Latents -> tuned generator
edit:    Latents -> EditedLatents -> stitched crops -> frames -> video
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from stitchedit import artefacts, loading
from stitchedit.align import align
from stitchedit.batches import Batches
from stitchedit.blend import BLENDERS
from stitchedit.config import EditConfig, InvertConfig, for_frames
from stitchedit.data import (
    ByteArray,
    CropImages,
    EditedLatents,
    FloatArray,
    IntArray,
)
from stitchedit.direction import find_direction
from stitchedit.edit import edit as move_latents
from stitchedit.errors import ConfigError, NoFace, ProjectError
from stitchedit.generator import Generator
from stitchedit.inverted import Inverted, finished, load_inverted, look_map, notes, soften, source_detail
from stitchedit.pasted import pasted
from stitchedit.persons import evidence
from stitchedit.pictures import PictureFolder, save_png
from stitchedit.progress import Progress, silent
from stitchedit.project import (
    INVERT_STAGES,
    Inputs,
    Project,
    Records,
    atomic,
    default_root,
    fingerprint,
    inputs_of,
    make_folder,
)
from stitchedit.provenance import FORMATS, notice, sealer
from stitchedit.regions import project_shapes, region_inputs
from stitchedit.room import folder_bytes, pictures_bytes, restore_crops, see_room
from stitchedit.segment import edited_mesh, mesh_points, ring_masks
from stitchedit.shape import Shapes, face_shape
from stitchedit.stills import before_after, spread
from stitchedit.stitch import Chain, RingMasks, stitch
from stitchedit.strengths import Keyframes, Strength, strength_label
from stitchedit.summary import EditSummary, InvertSummary
from stitchedit.track import track
from stitchedit.tune import tune
from stitchedit.video import Frame, VideoSource, open_video, try_writing, usual_suffix, write_video

log = logging.getLogger(__name__)

CHAIN_SAVED_EVERY = 20  # frames between checkpoints of a stitching chain


@dataclass
class Stages:
    """Runs stages whose inputs changed, skips the others, keeps the time."""

    records: Records
    order: tuple[str, ...]  # a stage that is done again makes those after it void
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, stage: str, inputs: Inputs, results: list[Path], work: Callable[[str], object]) -> str:
        """Do `work(fingerprint)` unless its recorded result still holds; log the reason; give the fingerprint."""
        mark = fingerprint(inputs)
        reason = self.records.why_redo(stage, inputs, results)
        self.seconds[stage] = 0.0
        if reason is None:
            log.info("%s: nothing changed, kept", stage)
            return mark
        log.info("%s: %s", stage, reason)
        for void in self.order[self.order.index(stage) :]:
            self.records.forget(void)
        start = time.monotonic()
        work(mark)
        self.seconds[stage] = time.monotonic() - start
        self.records.finish(stage, inputs, seconds=round(self.seconds[stage], 1))
        return mark


def invert(clip: Path, root: Path | None, config: InvertConfig, *, progress: Progress = silent) -> InvertSummary:
    """Track, align and encode the clip's face and tune a generator on it, into the project folder `root`.

    Raises: the errors of its stages, all of them `StitcheditError`.
    """
    device = loading.device(config.device)
    source = open_video(clip)
    generator, generator_sha = loading.generator(config.generator, device)
    encoder, encoder_sha = loading.encoder(config.encoder, device, generator, config.encode.space)
    perceptual = loading.perceptual(device)
    root = root or default_root(clip)
    held = 4 * sum(4 * p.numel() for p in generator.parameters())  # the tuned one, and a checkpoint with two moments
    see_room(root, held - min(held, folder_bytes(root)))
    project = Project.create(root)
    stages = Stages(project.records, INVERT_STAGES)
    sha = project.take_source(clip, preset=config.preset, generator=loading.lasting_name(config.generator))

    def do_track(mark: str) -> None:
        info = source.info
        frames = _upright(source)
        try:
            tracks = track(
                frames,
                config.track,
                frame_size=(info.width, info.height),
                rate=info.rate,
                progress=progress,
                total=round((info.duration or 0) * info.rate),
                name=str(clip),
            )
        except (NoFace, ConfigError):
            project.discard_if_empty()
            raise
        artefacts.save_tracks(project.tracks, tracks)

    inputs = {"source": sha} | inputs_of(config.track) | evidence(config.track.face)
    mark = stages.run("track", inputs, [project.tracks], do_track)
    tracks = artefacts.load_tracks(project.tracks)

    def do_align(mark: str) -> None:
        keep = partial(_keep_crops, project.crops, len(tracks.frames))
        crops = align(
            _upright(source, tracks.frames),
            tracks,
            config.align,
            exits=generator.exits,
            max_size=config.max_size,
            progress=progress,
            keep=keep,
        )
        points = mesh_points(crops, tracks, progress)
        artefacts.save_crops(project.crops, crops, points)

    inputs = {"tracks": mark, "exits": str(generator.exits), "max_size": str(config.max_size)}
    mark = stages.run("align", inputs | inputs_of(config.align), [project.crops / "crops.npz"], do_align)
    crops, points = artefacts.load_crops(project.crops)
    restore_crops(project, source, crops)
    batches = Batches(crops, look_map(points), device)

    def do_encode(mark: str) -> None:
        generator.requires_grad_(False)
        latents = encoder(
            batches, generator, perceptual, for_frames(config.encode, len(batches)), seed=config.seed, progress=progress
        )
        artefacts.save_latents(project.latents, latents)

    inputs = {"crops": mark, "generator": generator_sha, "encoder": encoder_sha, "seed": str(config.seed)}
    mark = stages.run("encode", inputs | inputs_of(config.encode), [project.latents], do_encode)
    latents = artefacts.load_latents(project.latents, generator, len(batches))

    def do_tune(mark: str) -> None:
        shapes = artefacts.tuning_shapes(generator, len(batches))
        report = tune(
            generator.requires_grad_(True),
            latents,
            batches,
            perceptual,
            for_frames(config.tune, len(batches)),
            size=crops.size,
            seed=config.seed,
            resume=artefacts.load_checkpoint(project.checkpoint, mark, shapes),
            save=lambda state: artefacts.save_tensors(project.checkpoint, state, {"fingerprint": mark}),
            progress=progress,
        )
        artefacts.save_tensors(project.generator, generator.state_dict(), {"fingerprint": mark})
        project.note("tuning", f"{len(report.curve)} steps, ended by {report.ended}")

    stages.run("tune", {"latents": mark} | inputs_of(config.tune), [project.generator], do_tune)
    project.checkpoint.unlink(missing_ok=True)  # not before the stage is on record: a kill in between would cost it all
    return finished(project, config.device, stages.seconds)


def edit(project: Project, config: EditConfig, output: Path | None, *, progress: Progress = silent) -> EditSummary:
    """Move the codes, stitch, paste and write the video; by default beside the clip.

    Raises: the errors of its stages, all of them `StitcheditError`.
    """
    name = edit_name(config.edits, config.seed, config.regions)
    suffix = ".mkv" if config.lossless else usual_suffix(project.source)
    output = output or project.source.with_name(f"{project.source.stem}.{name}{suffix}")
    if output.resolve() == project.source.resolve():
        raise ConfigError(f"{output} is the source clip itself", "choose another name with -o")
    make_folder(output.parent)
    said = ", ".join(f"{Path(n).stem} {strength_label(s)}" for n, s in config.edits)
    said += "" if config.regions == ("face",) else f", region:{'+'.join(config.regions)}"
    seal = None
    if not config.metadata_only:
        seal = sealer(output, project.source, said, project.fact("source", "sha256"))
    inverted = load_inverted(project, config.device)
    try_writing(output, inverted.source, lossless=config.lossless)
    crops, generator = inverted.crops, inverted.generator
    strengths = [(n, _over_frames(s, inverted)) for n, s in config.edits]
    edited = move_latents(inverted.latents, strengths, generator, seed=config.seed, force=config.force)
    fidelity = config.fidelity
    if fidelity is None:
        fidelity = min((find_direction(n).fidelity for n, s in config.edits if s), default=1.0)
    tuned = inverted.generator if fidelity == 1 else copy.deepcopy(inverted.generator)
    soften(inverted, fidelity)
    shapes = project_shapes(project, config.regions, crops, inverted.points, inverted.tracks, progress)
    folder = project.take_edit(name)
    stitched = PictureFolder(folder / "stitched", len(crops.frames), crops.size)
    make_folder(stitched.folder)
    see_room(folder, pictures_bytes(len(stitched), crops.size) - folder_bytes(folder))
    see_room(output.parent, _output_bytes(inverted.source, config.lossless))
    stages = Stages(Records.open_or_create(folder / "edit.toml"), ("stitch", "video"))

    checkpoint = folder / "stitch.checkpoint.safetensors"

    def do_stitch(mark: str) -> None:
        _stitch_all(inverted, tuned, edited, shapes, config, stitched, checkpoint, mark, progress)

    inputs = {"tune": project.records.fingerprint("tune"), "codes": _digest(edited.ws), "fidelity": str(fidelity)}
    inputs |= region_inputs(project, config.regions)
    mark = stages.run("stitch", inputs | inputs_of(config.stitch), [stitched.path(stitched.count - 1)], do_stitch)
    checkpoint.unlink(missing_ok=True)

    written: list[str] = []

    def do_write(mark: str) -> None:
        frames = pasted(
            inverted.source,
            crops,
            shapes,
            stitched,
            inverted.tracks,
            border_px=config.stitch.border_px,
            blender=BLENDERS[config.blender],
            match=config.match_colours,
        )
        told = _told(frames, len(inverted.tracks.state), progress)
        tags = notice(said)
        done = write_video(output, inverted.source, told, lossless=config.lossless, metadata=tags, seal=seal)
        written.extend(done.notes)

    inputs = {
        "stitch": mark,
        "blender": config.blender,
        "match_colours": str(config.match_colours),
        "lossless": str(config.lossless),
        "output": str(output.resolve()),
        "c2pa": str(seal is not None),
    }
    stages.run("video", inputs, [output], do_write)
    stages.records.note_output("video", output)
    steps, losses = _read_log(folder / "stitch.json")
    sheet = folder / "sheet.png"
    save_png(before_after(inverted.source, open_video(output), spread(crops.frames, 4), name), sheet)
    return EditSummary(
        output=output,
        sheet=sheet,
        frames=len(inverted.tracks.state),
        edited_frames=len(crops.frames),
        edits=config.edits,
        stitch_steps=float(np.mean(steps)),
        border_loss=float(np.mean(losses)),
        border_loss_worst=float(np.max(losses)),
        notes=[*notes(inverted.source), *written, *_unsigned(output, config.metadata_only)],
        seconds=stages.seconds,
    )


def _output_bytes(source: VideoSource, lossless: bool) -> int:
    """About the room that a video takes while it is written: coded finer than the source, with a signed copy."""
    info = source.info
    raw = float((info.duration or 0) * info.rate) * info.stored_width * info.stored_height * info.depth / 8
    return round(raw if lossless else 4 * info.path.stat().st_size)


def _unsigned(output: Path, metadata_only: bool) -> list[str]:
    if metadata_only or output.suffix.lower() in FORMATS:
        return []
    return [f"{output.suffix} holds no C2PA manifest: the notice of the edit is in the metadata alone"]


def edit_name(edits: Sequence[tuple[str, Strength]], seed: int, regions: Sequence[str] = ("face",)) -> str:
    """What an edit is called in file names: `age+2`, `smile-1.identity+1.seed3`, `age+2.head`, or `age+0@0+2@48`."""
    name = ".".join(f"{Path(direction).stem}{strength_label(strength)}" for direction, strength in edits)
    region = "" if tuple(regions) == ("face",) else f".{'-'.join(regions)}"
    return name + region + (f".seed{seed}" if seed else "")


def _stitch_all(
    inverted: Inverted,
    tuned: Generator,
    edited: EditedLatents,
    shapes: Shapes,
    config: EditConfig,
    stitched: PictureFolder,
    checkpoint: Path,
    mark: str,
    progress: Progress,
) -> None:
    """Every frame in turn; what was finished before a checkpoint is not done again."""
    batches, size = inverted.batches, inverted.crops.size
    chain = Chain(inverted.generator, config.stitch)
    records: list[list[float]] = []
    state = artefacts.load_checkpoint(checkpoint, mark, artefacts.stitching_shapes(chain.named))
    if state is not None and 0 <= int(state["done"].item()) == len(state["log"]) <= len(batches):
        chain.resume(state)
        records = state["log"].tolist()

    def rings(index: int, edited: ByteArray) -> RingMasks:
        frame = int(inverted.crops.frames[index])
        mesh = edited_mesh(edited) if config.stitch.interior and "head" not in config.regions else None
        now = None if mesh is None else face_shape(mesh)
        return ring_masks(shapes[index], size, config.stitch.border_px, frame, now)

    detail = source_detail(replace(inverted, generator=tuned)) if config.stitch.detail else None
    for crop in stitch(chain, inverted.generator, edited, batches, rings, size=size, detail=detail):
        stitched.save(crop.index, crop.image)
        records.append([float(crop.steps), crop.border_loss])
        progress("stitch", crop.index + 1, len(batches), f"{crop.steps} steps, border {crop.border_loss:.4f}")
        if chain.done % CHAIN_SAVED_EVERY == 0 and chain.done < len(batches):
            kept = chain.state() | {"log": torch.tensor(records, dtype=torch.float64)}
            artefacts.save_tensors(checkpoint, kept, {"fingerprint": mark})
    with atomic(checkpoint.with_name("stitch.json")) as temp:
        temp.write_text(json.dumps({"steps": [r[0] for r in records], "border_loss": [r[1] for r in records]}))


def _read_log(path: Path) -> tuple[list[float], list[float]]:
    """Steps and border loss of every stitched frame."""
    try:
        log = json.loads(path.read_text())
        return [float(v) for v in log["steps"]], [float(v) for v in log["border_loss"]]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as exc:
        raise ProjectError(f"{path} cannot be read: {exc!r}", f"remove {path.parent} and edit again") from exc


def _upright(source: VideoSource, wanted: IntArray | None = None) -> Iterator[tuple[int, ByteArray]]:
    """(index, RGB) of all frames, or of the wanted ones."""
    chosen = None if wanted is None else set(wanted.tolist())
    for frame in source:
        if chosen is None or frame.index in chosen:
            yield frame.index, frame.rgb()


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


def _over_frames(strength: Strength, inverted: Inverted) -> float | NDArray[np.float64]:
    """A strength for all edited frames, or one for each."""
    if not isinstance(strength, Keyframes):
        return strength
    return strength.curve(inverted.crops.frames, inverted.tracks.rate)


def _told(frames: Iterator[Frame], total: int, progress: Progress) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        progress("video", frame.index + 1, total)


def _digest(array: FloatArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
