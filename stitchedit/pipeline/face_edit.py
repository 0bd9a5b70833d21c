"""A face on its way through `edit`: codes moved, crops stitched, what tuning missed given back, all made steady."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from stitchedit.config import EditConfig
from stitchedit.editing.edits import Edits, OwnLook, joint_fidelity, load_edits, own_look
from stitchedit.editing.stitching_tuning import Chain, stitch, stitching_exit
from stitchedit.editing.strength_range import check_range
from stitchedit.editing.temporal_smoothing import steadied
from stitchedit.errors import ConfigError, ProjectError
from stitchedit.faces.mesh import landmark_model
from stitchedit.files.array_files import save_tensors
from stitchedit.files.atomic import atomic, make_folder
from stitchedit.files.disk_space import FINER, folder_bytes, pictures_bytes, require_disk_space
from stitchedit.files.image_folder import FinePictures, PictureFolder
from stitchedit.masks.region_shape import Shapes
from stitchedit.masks.regions import edited_shape
from stitchedit.masks.stitching_masks import RingMasks, ring_masks
from stitchedit.pipeline.calibration import applied, calibrate
from stitchedit.pipeline.head_map_cache import project_shapes, region_inputs
from stitchedit.pipeline.inversion import Inversion, load_inversion
from stitchedit.pipeline.source_detail import softened, source_detail
from stitchedit.pipeline.strength_search import Answer
from stitchedit.progress import Progress, silent
from stitchedit.project import artefacts
from stitchedit.project.folder import Project
from stitchedit.project.records import Records, inputs_of
from stitchedit.project.stage_runner import Stages
from stitchedit.strength import Keyframes
from stitchedit.types import AskedChange, ByteArray, EditedLatents

log = logging.getLogger(__name__)

MOVES = "moved.safetensors"  # of an edit's folder: its codes and what was asked
CHAIN_SAVED_EVERY = 20  # frames between checkpoints of a stitching chain


@dataclass(slots=True)
class FaceEdit:
    """A face whose codes are moved and whose crops are to be stitched, or are."""

    number: int
    inverted: Inversion
    tuned: Inversion  # the same before its generator was softened
    edited: EditedLatents
    fidelity: float
    look: OwnLook
    config: EditConfig
    folder: Path
    vectors: str  # see `FaceEdits.vectors`
    answers: tuple[Answer | None, ...]  # what each direction does on this clip; empty: not asked
    asked: tuple[AskedChange, ...]
    stages: Stages = field(init=False)  # once begun
    shapes: Shapes = field(init=False)  # once stitched, with the next

    @property
    def stitched(self) -> FinePictures:
        """What is pasted."""
        return FinePictures(self.folder / "stitched", len(self.inverted.crops.frames), self.inverted.crops.size)

    @property
    def drawn(self) -> PictureFolder:
        """The stitched crops before they are made steady; gone once they are."""
        folder = self.folder / "drawn" if self.config.stitch.steady else self.stitched.folder
        return PictureFolder(folder, len(self.stitched), self.stitched.size)

    def require_disk_space(self) -> None:
        """Raises TooLittleRoom."""
        needed = pictures_bytes(len(self.stitched), self.inverted.crops.size)
        if self.config.stitch.steady:
            needed += round(needed * FINER)
        require_disk_space(self.folder, needed - folder_bytes(self.folder))

    def why_stitch(self) -> str | None:
        """Why the crops are to be stitched (again); None, when they are there."""
        path = self.folder / "edit.toml"
        if not path.exists():
            return "not done yet"
        return Records.read(path).why_redo("stitch", self.inputs(), [self._last])

    def begin(self, name: str) -> None:
        """Lock the edit's folder and read its record. Raises InUse, NotWritable, ProjectError."""
        folder = self.inverted.project.take_edit(name)
        self.stages = Stages(Records.open_or_create(folder / "edit.toml"), ("stitch", "video"))

    @property
    def _last(self) -> Path:
        """The last picture, which tells that all are there."""
        return self.stitched.path(len(self.stitched) - 1)

    def inputs(self) -> dict[str, str]:
        """What the stitched crops depend on."""
        project = self.inverted.project
        inputs = {"tune": project.records.fingerprint("tune"), "codes": edit_digest(self.edited)}
        inputs |= {"fidelity": str(self.fidelity), "own_colours": str(self.look.colours)}
        inputs |= {} if self.look.eyes else {"own_eyes": "False"}
        inputs |= {"vectors": self.vectors} if self.vectors else {}  # older records have none
        stitch, whole = inputs_of(self.config.stitch), self.inverted.crops.size
        at = stitching_exit(self.inverted.generator, self.config.stitch, whole)
        stitch["size"] = str(at)
        if at == whole:  # as all were before there was a choice; older records have none
            del stitch["size"]
        if not self.config.stitch.held_px:  # likewise
            del stitch["held_px"]
        return inputs | region_inputs(project, self.config.regions) | stitch

    def stitch(self, progress: Progress) -> None:
        """Stitch the face's crops, unless they are there."""
        checkpoint, inverted = self.folder / "stitch.checkpoint.safetensors", self.inverted
        self.shapes = project_shapes(
            inverted.project, self.config.regions, inverted.crops, inverted.points, inverted.tracks, progress
        )

        def work(fingerprint: str) -> None:
            artefacts.save_moves(self.folder / MOVES, self.edited, self.asked)
            _stitch_all(self, checkpoint, fingerprint, progress)
            if self.config.stitch.steady:
                _steady_all(self, progress)

        self.stages.run("stitch", self.inputs(), [self._last], work)
        if not (self.folder / MOVES).exists():  # stitched by a stitchedit that did not keep them
            artefacts.save_moves(self.folder / MOVES, self.edited, self.asked)
        # Not before the stage is on record: a kill in between would cost it all.
        checkpoint.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "drawn", ignore_errors=True)

    def log(self) -> tuple[list[float], list[float]]:
        """Steps and border loss of every stitched frame. Raises ProjectError."""
        return read_log(self.folder / "stitch.json")


def move(face: FaceEdits, config: EditConfig, name: str, *, keep: bool = True, progress: Progress = silent) -> FaceEdit:
    """Load a face and move its codes, as far as its strength needs on this clip.

    Args:
        keep: write what was found of that into the project; nothing else is written.
    Raises: what loading an inversion and moving codes raise; ConfigError, for a strength far out of its range.
    """
    check_range(face.edits, force=config.force)
    tuned = load_inversion(face.project, config.device)
    for _, strength in face.edits:
        if isinstance(strength, Keyframes) and (late := strength.late_key(tuned.tracks.frames, tuned.tracks.rate)):
            log.warning("%s", late)
    landmark_model(tuned.landmarks)  # one that is gone is refused here
    edited = tuned.moved(face.edits, seed=config.seed, force=config.force)  # refuses what does not fit
    answers: tuple[Answer | None, ...] = ()
    if config.calibrated:
        answers = calibrate(tuned, face.edits, config.regions, fidelity=config.fidelity, keep=keep, progress=progress)
    if any(answer is not None for answer in answers):
        edited = tuned.moved(applied(face.edits, answers), seed=config.seed, force=config.force)
    fidelity = joint_fidelity(face.edits) if config.fidelity is None else config.fidelity
    inverted, look = softened(tuned, fidelity), own_look(face.edits)
    folder = face.project.edit_folder(name)
    return FaceEdit(
        face.number,
        inverted,
        tuned,
        edited,
        fidelity,
        look,
        config,
        folder,
        face.vectors,
        answers,
        tuned.asked(face.edits),
    )


def _stitch_all(face: FaceEdit, checkpoint: Path, fingerprint: str, progress: Progress) -> None:
    """Every frame in turn; what was finished before a checkpoint is not done again."""
    inverted, config = face.inverted, face.config
    batches, size = inverted.batches, inverted.crops.size
    drawn = face.drawn
    make_folder(drawn.folder)
    chain = Chain(inverted.generator, config.stitch)
    records: list[list[float]] = []
    state = artefacts.load_checkpoint(checkpoint, fingerprint, artefacts.stitching_shapes(chain.named))
    if state is not None and 0 <= int(state["done"].item()) == len(state["log"]) <= len(batches):
        chain.resume(state)
        records = state["log"].tolist()

    def rings(index: int, edited: ByteArray) -> RingMasks:
        frame = int(inverted.crops.frames[index])
        now = (
            edited_shape(config.regions, edited, inverted.landmarks, inverted.inner) if config.stitch.interior else None
        )
        own = inverted.crops.images[index] if config.stitch.interior else None
        return ring_masks(face.shapes[index], size, config.stitch.border_px, frame, now, own)

    detail = source_detail(face.tuned, face.fidelity, face.look) if config.stitch.detail else None
    drawn_by_parts = partial(inverted.synthesized, codes=face.edited) if face.edited.parts else None
    crops = stitch(
        chain, inverted.generator, face.edited, batches, rings, size=size, detail=detail, drawn=drawn_by_parts
    )
    for crop in crops:
        drawn.save(crop.index, crop.image)
        records.append([float(crop.steps), crop.border_loss])
        progress("stitch", crop.index + 1, len(batches), f"{crop.steps} steps, border {crop.border_loss:.4f}")
        if chain.done % CHAIN_SAVED_EVERY == 0 and chain.done < len(batches):
            kept = chain.state() | {"log": torch.tensor(records, dtype=torch.float64)}
            save_tensors(checkpoint, kept, {"fingerprint": fingerprint})
    with atomic(checkpoint.with_name("stitch.json")) as temp:
        temp.write_text(json.dumps({"steps": [r[0] for r in records], "border_loss": [r[1] for r in records]}))


def _steady_all(face: FaceEdit, progress: Progress) -> None:
    stitched, crops = face.stitched, face.inverted.crops
    make_folder(stitched.folder)
    pictures = steadied(face.drawn, crops.images, face.inverted.tracks.runs, face.config.stitch.steady)
    for index, picture in enumerate(pictures):
        stitched.save(index, picture)
        progress("steady", index + 1, len(stitched))


def read_log(path: Path) -> tuple[list[float], list[float]]:
    """Steps and border loss of every stitched frame. Raises ProjectError."""
    try:
        log = json.loads(path.read_text())
        return [float(v) for v in log["steps"]], [float(v) for v in log["border_loss"]]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as exc:
        raise ProjectError(f"{path} cannot be read: {exc!r}", f"remove {path.parent} and edit again") from exc


def edit_digest(edited: EditedLatents) -> str:
    """By which a record knows the codes of an edit, and what it adds to styles."""
    digest = hashlib.sha256(np.ascontiguousarray(edited.ws).tobytes())
    if edited.offsets is not None:
        digest.update(np.ascontiguousarray(edited.offsets).tobytes())
    for move in edited.parts:
        digest.update(move.part.encode() + np.ascontiguousarray(move.ws).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class FaceEdits:
    """What is to be done to one face."""

    number: int
    project: Project
    edits: Edits

    @property
    def vectors(self) -> str:
        """Hashes of the vectors that are in memory alone."""
        return " ".join(direction.digest for direction, _ in self.edits if direction.digest)


def edits_of_faces(projects: Sequence[Project], config: EditConfig) -> list[FaceEdits]:
    """Who gets which edits; those who get none are left out. The vectors are read here, once.

    Raises: ConfigError, when an edit is for nobody there; and what `load_edits` raises.
    """
    wanted = config.only or ((),) * len(config.edits)
    for number in {number for numbers in wanted for number in numbers}:
        if number > len(projects):
            there = "1 face was" if len(projects) == 1 else f"{len(projects)} faces were"
            raise ConfigError(f"--only {number}: {there} inverted", "invert the clip with a --face for each, or all")
    asked = load_edits(config.edits)
    faces = []
    for number, project in enumerate(projects, 1):
        own = zip(asked, wanted, strict=True)
        edits = tuple(edit for edit, numbers in own if not numbers or number in numbers)
        if edits:
            faces.append(FaceEdits(number, project, edits))
    return faces
