"""A project that `invert` has finished, opened for what comes after."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stitchedit.compositing.paste import whole_alpha
from stitchedit.config import DEFAULT_LANDMARKS, AlignConfig
from stitchedit.editing.direction import Direction
from stitchedit.editing.edits import Asked, Edits, chosen_regions, load_edits
from stitchedit.editing.move_latents import edit as move_latents
from stitchedit.editing.strength_range import check_range, require_near
from stitchedit.editing.style_space import own_statistics, require_drawn, style_space
from stitchedit.errors import ConfigError, ProjectError
from stitchedit.faces.visibility import absent_runs, doubtful_runs, visibility_flags
from stitchedit.files.image_folder import png_bytes
from stitchedit.image.arrays import to_bytes
from stitchedit.image.contact_sheet import contact_sheet, spread
from stitchedit.inversion.crop_batches import Batches
from stitchedit.masks.weight_maps import look_map
from stitchedit.models import loading
from stitchedit.models.generator import Generator, draw
from stitchedit.pipeline.part_drawing import with_parts
from stitchedit.pipeline.still_edit import still_edit, tinted
from stitchedit.project import artefacts
from stitchedit.project.cleanup import restore_crops
from stitchedit.project.folder import INVERT_STAGES, Project
from stitchedit.strength import Keyframes, Strength
from stitchedit.types import (
    AskedChange,
    ByteArray,
    Crops,
    EditedLatents,
    FacePoints,
    FloatArray,
    Latents,
    SkippedRange,
    Tracks,
)
from stitchedit.video import Frame, VideoSource
from stitchedit.video.recent_frames import RecentFrames

SPREAD_SAMPLES = 100  # faces
SHOWN = 3  # frames, in a notebook
KEPT = 4  # frames, of which `Inversion.warm` keeps what does not depend on an edit
Value = TypeVar("Value")
_warming = threading.Lock()  # held for a moment by whoever looks at what is kept


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Inversion:
    """Everything that `invert` left, loaded: a face of a clip, and the generator that was tuned on it."""

    project: Project
    source: VideoSource
    tracks: Tracks
    crops: Crops
    points: FacePoints
    latents: Latents
    generator: Generator
    _kept: dict[str, OrderedDict[Any, Any]] = field(default_factory=dict)  # see `warm`

    @property
    def landmarks(self) -> str:
        """The model that found the face meshes."""
        return self.project.records.inputs("align").get("landmarks", DEFAULT_LANDMARKS)

    @property
    def inner(self) -> tuple[float, float, float]:
        """Left, top and side of FFHQ's crop in ours, in sides of ours."""
        return aligned(self.project).inner

    @property
    def batches(self) -> Batches:
        return Batches(self.crops, look_map(self.points), self.generator.w_avg.device)

    def moved(self, edits: Edits, *, seed: int = 0, force: bool = False) -> EditedLatents:
        """The codes after an edit.

        Args: force: take directions of other generators, and steps that are longer than to any face.
        Raises: what `move_latents.edit` raises; ConfigError, for a step that is too long.
        """
        strengths = [(self._with_statistics(direction), self._over_frames(strength)) for direction, strength in edits]
        edited = move_latents(self.latents, strengths, self.generator, seed=seed, force=force)
        if edited.offsets is not None:
            space = style_space(self.generator, str(edited.edits[0][0]))
            require_drawn(edited.offsets, space, self.crops.size, ", ".join(name for name, _ in edited.edits))
        if not force:
            for ws in (edited.ws, *(move.ws for move in edited.parts)):
                require_near(float(np.linalg.norm(ws - self.latents.ws, axis=-1).max()), self.spread)
        return edited

    def warm(self, kind: str, key: Hashable, make: Callable[[], Value], most: int = KEPT) -> Value:
        """What does not depend on an edit, made when it is first asked for; the last ones of a kind stay.

        Threads may ask at once; then one thing may be made twice.

        Args:
            key: which of its kind.
            most: how many stay.
        """
        with _warming:
            kept = self._kept.setdefault(kind, OrderedDict())
            if key in kept:
                kept.move_to_end(key)
                there: Value = kept[key]
                return there
        made = make()
        with _warming:
            kept[key] = made
            while len(kept) > most:
                kept.popitem(last=False)
        return made

    @property
    def spread(self) -> float:
        """Mean distance of the generator's faces to the mean face, in W; the same however it is tuned."""
        return self.warm("spread", None, self._measured_spread)

    def _measured_spread(self) -> float:
        random = torch.Generator().manual_seed(0)
        z = torch.randn(SPREAD_SAMPLES, self.generator.z_dim, generator=random).to(self.generator.w_avg.device)
        with torch.inference_mode():
            return float((self.generator.mapping(z)[:, 0] - self.generator.w_avg).norm(dim=-1).mean())

    def synthesized(self, index: int, codes: Latents | EditedLatents | None = None, size: int | None = None) -> Tensor:
        """What the generator draws of a crop's code, [1, 3, S, S] in [-1, 1], without gradients.

        Args:
            codes: None: of its pivot.
            size: S, one of the generator's exits; None: that of the crops.
        """
        ws, device = (codes or self.latents).ws[index : index + 1], self.generator.w_avg.device
        moved = codes.offset(index) if isinstance(codes, EditedLatents) else None
        with torch.inference_mode():
            offset = None if moved is None else torch.from_numpy(moved).to(device)
            drawn = draw(self.generator, torch.tensor(ws).to(device), offset, resolution=size or self.crops.size)
            if isinstance(codes, EditedLatents) and codes.parts:
                return with_parts(self, index, codes, drawn)
            return drawn

    @property
    def quick_size(self) -> int:
        """Pixels of the next exit of the generator below the size of the crops; that size, where there is none."""
        return max((size for size in self.generator.exits if size < self.crops.size), default=self.crops.size)

    def asked(self, edits: Edits) -> tuple[AskedChange, ...]:
        """By how much each direction that says what it is about is to move that in each frame, by its strength."""
        count = len(self.crops.frames)
        return tuple(
            AskedChange(
                direction.name,
                direction.attribute,
                direction.measured_in,
                np.broadcast_to(np.asarray(self._over_frames(strength) * direction.amount, np.float32), count),
            )
            for direction, strength in edits
            if direction.attribute and direction.amount and not direction.part
        )

    def draw(
        self,
        frame: int,
        edits: Asked | Iterable[Asked] = (),
        *,
        regions: str | Sequence[str] | None = None,
        seed: int = 0,
        force: bool = False,
        quick: bool = False,
    ) -> ByteArray:
        """One frame of the clip with an edit: uint8 RGB [H, W, 3], upright.

        It is drawn by itself, as `preview` does it. The video differs in this: there the generator is tuned further so
        that the face meets its surroundings (stitching), what changes is averaged over neighbouring frames, frames in
        which the face is covered or hardly seen fade to the source, a head's border is agreed upon with neighbouring
        frames, and strengths are those that `calibration` finds for the clip. A frame without the face is the source's.

        What does not depend on the edit (frame, crop, masks, the face before the edit) is kept for the frames that were
        looked at last: a second picture of one takes some tenths of a second. A frame that lies far on in the clip has
        to be read up to first.

        Args:
            frame: index in the clip, 0 is the first.
            edits: such as `2 * age` or a list of such, see `editing.edits.load_edits`; none shows the inversion, with
                the source's detail as in an edit.
            regions: what may change: head, face, mouth or eyes, or several of these; None: what the directions need.
            seed: chooses the person of `identity`.
            force: take directions that were made for another generator, and strengths far out of range.
            quick: draw the change at the next smaller exit of the generator, for a slider that is being dragged.
        Raises: ConfigError, for a frame that the clip has not, an unknown region or a strength that is far out of its
            direction's range; DirectionError; EmptyMask.
        """
        asked = load_edits(edits)
        check_range(asked, force=force)
        picture, index = self._read(frame), self.crops.of_frame(frame)
        if index is None:
            return picture.rgb()
        still = still_edit(self, asked, chosen_regions(asked, regions))
        codes = self.moved(asked, seed=seed, force=force)
        return still.draw(picture, index, [codes], self.quick_size if quick else None)[0]

    def frame(self, index: int) -> ByteArray:
        """A frame of the source as it is: uint8 RGB [H, W, 3]. Raises ConfigError, where there is none of it."""
        return self._read(index).rgb()

    def show_region(self, frame: int, regions: str | Sequence[str]) -> ByteArray:
        """A frame of the clip with what an edit of these regions may change tinted: uint8 RGB [H, W, 3].

        Raises: ConfigError, for a frame that the clip has not or an unknown region.
        """
        picture, index = self._read(frame), self.crops.of_frame(frame)
        return picture.rgb() if index is None else tinted(self, picture, index, chosen_regions((), regions))

    def mask(self, frame: int, regions: str | Sequence[str]) -> FloatArray:
        """How much an edit of these regions may change of each pixel of a frame: float32 [H, W] in 0..1.

        Raises: as `show_region`.
        """
        index, chosen = self.crops.of_frame(self._read(frame).index), chosen_regions((), regions)
        if index is None:
            return np.zeros(self.tracks.frame_size[::-1], np.float32)
        shape = still_edit(self, (), chosen).shape(index)
        return whole_alpha(shape, self.crops.quads[index], self.tracks.frame_size)

    @property
    def untouched(self) -> list[SkippedRange]:
        """Frames that an edit leaves as they are, for no face is there, or fades out of, with the reason."""
        doubtful = visibility_flags(self.tracks, self.crops, self.points)
        absent = [replace(run, why="no face") for run in absent_runs(self.tracks)]
        return sorted([*absent, *doubtful_runs(self.tracks, self.crops, doubtful)], key=lambda run: run.first)

    def _read(self, frame: int) -> Frame:
        """A frame of the source. Raises ConfigError, when there is none of this index."""
        if not 0 <= frame < len(self.tracks.state):
            raise ConfigError(f"there is no frame {frame}", f"the clip has frames 0 to {len(self.tracks.state) - 1}")
        return self.warm("frames", None, lambda: RecentFrames(self.source))[frame]

    def frames_of(self, crops: Sequence[int]) -> Iterator[tuple[Frame, int]]:
        """The source's frames of some crops, each with its crop's index; the clip is read no further than the last."""
        left = {int(self.crops.frames[index]): int(index) for index in crops}
        for picture in self.source:
            if picture.index in left:
                yield picture, left.pop(picture.index)
            if not left:
                return

    def _with_statistics(self, direction: Direction) -> Direction:
        """With the SD of the channels that it names, which are found once for a clip where no file tells them."""
        if not direction.channels or direction.statistics or direction.content is not None:
            return direction
        space = style_space(self.generator, direction.name)
        return replace(direction, content=self.warm("statistics", None, lambda: own_statistics(space)))

    def _over_frames(self, strength: Strength) -> float | NDArray[np.float64]:
        """A strength for all edited frames, or one for each."""
        if not isinstance(strength, Keyframes):
            return strength
        return strength.curve(self.crops.frames, self.tracks.rate)

    def __repr__(self) -> str:
        total, size = len(self.tracks.state), self.crops.size
        return f"<Inversion of {self.source.info.path}: {len(self.crops.frames)} of {total} frames, {size} px>"

    def _repr_png_(self) -> bytes:
        """For notebooks: some crops, and the same as the tuned generator draws them."""
        rows = spread(np.arange(len(self.crops.frames)), SHOWN)
        drawn = InversionImages(self)
        pairs = [[self.crops.images[row], drawn[row]] for row in rows]
        labels = [str(self.crops.frames[row]) for row in rows]
        return png_bytes(contact_sheet(pairs, ["source", "inversion"], labels))


def load_inversion(project: Project, device: str) -> Inversion:
    """Raises StageMissing, when `invert` did not come to its end; ProjectError, when the clip has changed since."""
    for stage in INVERT_STAGES:
        project.records.fingerprint(stage)
    source = project.open_clip()
    known = project.fact("source", "sha256") == project.records.inputs("track").get("source")
    if not known:
        raise ProjectError(f"{project.source} was not inverted to the end", "run `stitchedit invert` on it again")
    if not project.is_clip(project.source):
        raise project.other_clip(project.source)
    expand = aligned(project).expand
    generator, sha = loading.generator(project.fact("settings", "generator"), loading.device(device), expand)
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


def aligned(project: Project) -> AlignConfig:
    """How far a project's crops reach beyond those of FFHQ; the other settings are the defaults.

    Raises: ProjectError, when the record is damaged.
    """
    text = project.records.inputs("align").get("expand", "0, 0, 0, 0")
    try:
        left, top, right, bottom = (int(part) for part in re.findall(r"\d{1,9}", text))
        return AlignConfig(expand=(left, top, right, bottom))
    except (ValueError, ConfigError) as exc:
        raise ProjectError(
            f"{project.root} has no readable record of its crops", "run `stitchedit invert` again"
        ) from exc


@dataclass(frozen=True, slots=True)
class InversionImages:
    """The crops as the tuned generator draws them, without any edit."""

    inverted: Inversion

    def __len__(self) -> int:
        return len(self.inverted.crops.frames)

    def __getitem__(self, index: int, /) -> ByteArray:
        return to_bytes(self.inverted.synthesized(index)[0])
