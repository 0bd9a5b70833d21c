"""A project that `invert` has finished, opened for what comes after."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stitchedit.compositing.blenders import BLENDERS, Blender
from stitchedit.compositing.feathering import fade_widths
from stitchedit.compositing.paste import compose
from stitchedit.config import DEFAULT_LANDMARKS, AlignConfig, EditConfig
from stitchedit.editing.edits import Asked, Edits, all_keep_colours, chosen_regions, joint_fidelity, load_edits
from stitchedit.editing.move_latents import edit as move_latents
from stitchedit.editing.residual_transfer import OWN_EYES, OWN_LIPS, OWN_SKIN, carried
from stitchedit.editing.strength_range import check_range, require_near
from stitchedit.editing.style_space import require_drawn, style_space
from stitchedit.errors import ConfigError, ProjectError
from stitchedit.files.image_folder import png_bytes
from stitchedit.image.arrays import require_picture, to_bytes
from stitchedit.image.contact_sheet import contact_sheet, spread
from stitchedit.inversion.crop_batches import Batches
from stitchedit.masks.region_shape import Shape
from stitchedit.masks.regions import still_shape
from stitchedit.masks.weight_maps import eyes_map, face_mask, lips_map, look_map, opening_map
from stitchedit.models import loading
from stitchedit.models.generator import Generator, draw
from stitchedit.project import artefacts
from stitchedit.project.cleanup import restore_crops
from stitchedit.project.folder import INVERT_STAGES, Project
from stitchedit.strength import Keyframes, Strength
from stitchedit.types import AskedChange, ByteArray, Crops, EditedLatents, FacePoints, FloatArray, Latents, Tracks
from stitchedit.video import Frame, VideoSource, open_video, paste

SPREAD_SAMPLES = 100  # faces
SHOWN = 3  # frames, in a notebook
COARSE_PX = 32  # layers up to here hold who somebody is rather than how they are lit


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
    # fidelity -> this with its generator softened, of the last edit that was drawn and wanted that
    _softened: dict[float, Inversion] = field(default_factory=dict)

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
        strengths = [(direction, self._over_frames(strength)) for direction, strength in edits]
        edited = move_latents(self.latents, strengths, self.generator, seed=seed, force=force)
        if edited.offsets is not None:
            space = style_space(self.generator, str(edited.edits[0][0]))
            require_drawn(edited.offsets, space, self.crops.size, ", ".join(name for name, _ in edited.edits))
        if not force:
            require_near(float(np.linalg.norm(edited.ws - self.latents.ws, axis=-1).max()), self.spread)
        return edited

    @property
    def spread(self) -> float:
        """Mean distance of the generator's faces to the mean face, in W; the same however it is tuned."""
        random = torch.Generator().manual_seed(0)
        z = torch.randn(SPREAD_SAMPLES, self.generator.z_dim, generator=random).to(self.generator.w_avg.device)
        with torch.inference_mode():
            return float((self.generator.mapping(z)[:, 0] - self.generator.w_avg).norm(dim=-1).mean())

    def synthesized(self, index: int, codes: Latents | EditedLatents | None = None) -> Tensor:
        """What the generator draws of a crop's code, [1, 3, S, S] in [-1, 1], without gradients; None: of its pivot."""
        ws, device = (codes or self.latents).ws[index : index + 1], self.generator.w_avg.device
        moved = codes.offset(index) if isinstance(codes, EditedLatents) else None
        with torch.inference_mode():
            offset = None if moved is None else torch.from_numpy(moved).to(device)
            return draw(self.generator, torch.from_numpy(ws).to(device), offset, resolution=self.crops.size)

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
            if direction.attribute and direction.amount
        )

    def draw(
        self,
        frame: int,
        edits: Asked | Iterable[Asked] = (),
        *,
        regions: str | Sequence[str] | None = None,
        seed: int = 0,
        force: bool = False,
    ) -> ByteArray:
        """One frame of the clip with an edit, in seconds: uint8 RGB [H, W, 3], upright.

        It is drawn by itself, as `preview` does it. The video differs in this: there the generator is tuned further so
        that the face meets its surroundings (stitching), what changes is averaged over neighbouring frames, frames in
        which the face is covered or hardly seen fade to the source, and strengths are those that `calibration` finds
        for the clip. A frame without the face is the source's.

        Args:
            frame: index in the clip, 0 is the first.
            edits: such as `2 * age` or a list of such, see `editing.edits.load_edits`; none shows the inversion, with
                the source's detail as in an edit.
            regions: what may change: head, face, mouth or eyes, or several of these; None: what the directions need.
            seed: chooses the person of `identity`.
            force: take directions that were made for another generator, and strengths far out of range.
        Raises: ConfigError, for a frame that the clip has not, an unknown region or a strength that is far out of its
            direction's range; DirectionError; EmptyMask.
        """
        asked = load_edits(edits)
        check_range(asked, force=force)
        picture = self._read(frame)
        index = np.flatnonzero(self.crops.frames == frame)
        if not len(index):
            return picture.rgb()
        still = still_edit(self, asked, chosen_regions(asked, regions))
        return still.draw(picture, int(index[0]), [self.moved(asked, seed=seed, force=force)])[0]

    def _read(self, frame: int) -> Frame:
        """A frame of the source. Raises ConfigError, when there is none of this index."""
        if not 0 <= frame < len(self.tracks.state):
            raise ConfigError(f"there is no frame {frame}", f"the clip has frames 0 to {len(self.tracks.state) - 1}")
        return next(picture for picture in self.source if picture.index == frame)

    def frames_of(self, crops: Sequence[int]) -> Iterator[tuple[Frame, int]]:
        """The source's frames of some crops, each with its crop's index; the clip is read no further than the last."""
        left = {int(self.crops.frames[index]): int(index) for index in crops}
        for picture in self.source:
            if picture.index in left:
                yield picture, left.pop(picture.index)
            if not left:
                return

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
    source = open_video(project.require_source(), project.fps)
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


def source_detail(
    inverted: Inversion, fidelity: float, own_colours: bool
) -> Callable[[int, Tensor, FloatArray | None], Tensor]:
    """What the tuned generator misses of each frame, carried to where an edit moves it.

    Args:
        fidelity: 0..1, of the edit: the less of the person it is to keep, the less of the eyes' own look but for what
            lies in their opening: where somebody looks is not who it is.
        own_colours: whether lips are to keep their colour, skin its colour and light, as far as fidelity goes.
    """
    size = inverted.crops.size
    before_edit = lru_cache(maxsize=4)(inverted.synthesized)  # few frames are asked for at several strengths

    def detail(index: int, edited: Tensor, inside: FloatArray | None = None) -> Tensor:
        pictures = (inverted.batches.images([index], size), before_edit(index), edited)
        source, before, after = (p[0].permute(1, 2, 0).cpu().numpy() for p in pictures)
        mesh, own = inverted.points.points[index], fidelity**2
        eyes, lips, skin = eyes_map(mesh, size), None, None
        own_eyes = np.asarray(OWN_EYES * (own * eyes + (1 - own) * opening_map(mesh, size)), np.float32)
        if own_colours:
            lips = lips_map(mesh, size)
            skin = (OWN_SKIN * own) * face_mask(mesh, size) * (1 - lips) * (1 - eyes)
            lips = OWN_LIPS * own * lips
        missed = carried(source, before, after, inside, eyes, own_eyes, lips, skin)
        return torch.from_numpy(missed).permute(2, 0, 1)[None].to(edited.device)

    return detail


def softened(inverted: Inversion, fidelity: float) -> Inversion:
    """The same with the generator's coarse layers a part of the way back to where they were before tuning.

    They hold the shape of the person; the finer ones keep the clip's light and colours. 1 leaves all as it is.

    Returns: a copy, where anything changes; the argument stays as it was.
    """
    if fidelity == 1:
        return inverted
    soft = replace(inverted, generator=copy.deepcopy(inverted.generator), _softened={})
    untuned, _ = loading.generator(inverted.project.fact("settings", "generator"), inverted.generator.w_avg.device)
    with torch.no_grad():
        pairs = zip(soft.generator.named_parameters(), untuned.parameters(), strict=True)
        for (name, parameter), start in pairs:
            if soft.generator.layer_px(name) <= COARSE_PX:
                parameter.lerp_(start, 1 - fidelity)
    return soft


@dataclass(frozen=True, slots=True)
class StillEdit:
    """Draws single frames of an edit, each by itself: pasted, but neither stitched nor averaged over time."""

    inverted: Inversion  # with its generator as the edit wants it
    detail: Callable[[int, Tensor, FloatArray | None], Tensor]
    regions: tuple[str, ...]  # as `config.united` gives them
    blender: Blender

    def shape(self, index: int) -> Shape:
        """What may change of the crop with this index; the same for every edit."""
        return still_shape(self.regions, self.inverted.crops.images[index], self.inverted.points.points[index])

    def draw(
        self, frame: Frame, index: int, versions: Sequence[EditedLatents], shape: Shape | None = None
    ) -> list[ByteArray]:
        """A frame of the source with several edits: uint8 RGB [H, W, 3] for each.

        Args:
            index: of the frame among the crops.
            versions: the codes of the whole clip, once for each edit.
            shape: as `shape` gives it, where it is known already: that of a head takes a second.
        Raises: EmptyMask; ConfigError, where the generator draws no picture any more.
        """
        crops = self.inverted.crops
        own, quad = crops.images[index], crops.quads[index]
        shape = shape or self.shape(index)
        put = partial(compose, frame.rgb_float, frame.size, blender=self.blender, own=own, frame=frame.index)
        pictures = []
        for codes in versions:
            drawn = require_picture(self.inverted.synthesized(index, codes))
            crop = to_bytes((drawn + self.detail(index, drawn, None))[0])
            fade = fade_widths([own], [crop], [shape], [])[0]
            pictures.append(paste(frame, *put(crop, quad, shape, fade=fade)).rgb())
        return pictures


def still_edit(inverted: Inversion, edits: Edits, regions: tuple[str, ...], fidelity: float | None = None) -> StillEdit:
    """What draws frames of these edits: the generator as far from its tuning as they want it, the source's detail."""
    fidelity = joint_fidelity(edits) if fidelity is None else fidelity
    kept = inverted._softened
    soft = kept.get(fidelity) or softened(inverted, fidelity)
    if soft is not inverted:
        kept.clear()  # a generator is large
        kept[fidelity] = soft
    detail = source_detail(inverted, fidelity, all_keep_colours(edits))
    return StillEdit(soft, detail, regions, BLENDERS[EditConfig().blender])
