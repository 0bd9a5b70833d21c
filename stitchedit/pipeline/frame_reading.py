"""What an edit does to one frame, read off the picture as it is drawn: figures to stand beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from stitchedit import metrics
from stitchedit.compositing.paste import crop_alpha
from stitchedit.editing.edits import Edits, chosen_regions
from stitchedit.faces.alignment import crop
from stitchedit.faces.detectors import embed, face_box, landmarks
from stitchedit.faces.rulers import Ruler, ruler_of
from stitchedit.masks.region_shape import Shape
from stitchedit.pipeline.inversion import Inversion
from stitchedit.pipeline.source_detail import unedited
from stitchedit.pipeline.still_edit import still_edit
from stitchedit.types import ByteArray, EditedLatents, FloatArray

READ = 16  # readings of source frames, and rulers, that are kept


class Seen(NamedTuple):
    """A frame as it is drawn, and its face."""

    picture: ByteArray  # RGB [H, W, 3]
    points: FloatArray  # 68 landmarks [68, 2]

    @property
    def identity(self) -> FloatArray:
        """dlib's embedding [128], found anew at every call."""
        return embed(*self)

    def identity_distance(self, other: Seen) -> float:
        """Of dlib's embeddings; 0.6 and more are two people."""
        return float(np.linalg.norm(self.identity - other.identity))


def see(inverted: Inversion, frame: int, picture: ByteArray) -> Seen:
    """A picture of a frame with the landmarks of its face, looked for where the source's is."""
    return Seen(picture, landmarks(picture, face_box(inverted.tracks.landmarks[frame])))


def kept_ruler(inverted: Inversion, attribute: str) -> Ruler | None:
    """What reads an attribute, its networks loaded once for a clip; None, where nothing here does."""
    return inverted.warm("ruler", attribute, partial(ruler_of, attribute), READ)


class Applied(NamedTuple):
    """How a frame with an edit was drawn."""

    edits: Edits  # with the strengths that were solved for
    regions: tuple[str, ...] | None = None  # None: what the directions need


@dataclass(frozen=True, slots=True)
class Moved:
    """What of a face an edit is about, in a frame of the source and as it is drawn."""

    name: str  # of the direction
    unit: str
    asked: float  # change
    before: float | None  # None: nothing here reads it
    after: float | None

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            return f"{self.name}: nothing here reads it"
        change = f"{self.after - self.before:+.3g} {self.unit} of {self.asked:+.3g} asked"
        return f"{self.name}: {self.before:.3g} before, {self.after:.3g} after, {change}"


@dataclass(frozen=True, slots=True)
class FrameReading:
    """What can be read off a frame of an edit."""

    identity_distance: float  # to the source's frame, of dlib's embedding
    moved: Sequence[Moved]  # one for each direction that names an attribute
    retention: Mapping[str, float] = field(default_factory=dict)  # of what the generator changes, by `metrics.BANDS`

    def lines(self) -> list[str]:
        seen = ", ".join(f"{share:.0%} at {band}" for band, share in self.retention.items() if np.isfinite(share))
        kept = [f"of the generator's change is seen {seen}"] if seen else []
        return [f"identity distance {self.identity_distance:.2f}", *(str(moved) for moved in self.moved), *kept]


def generator_change(tuned: Inversion, edited: Inversion, index: int, codes: EditedLatents) -> FloatArray:
    """What moved codes change of the generator's picture of a crop, float32 [S, S, 3] in grey levels, not rounded.

    Args:
        edited: the same clip with its generator as the edit had it.
        index: of the crop.
    """
    before = unedited(tuned, index, tuned.crops.size).clip(-1, 1)
    after: FloatArray = edited.synthesized(index, codes)[0].clamp(-1, 1).permute(1, 2, 0).cpu().numpy()
    change: FloatArray = (after - before) * np.float32(127.5)
    return change


def note_seen(kept: metrics.Retention, seen: FloatArray, made: FloatArray, shape: Shape, shown: FloatArray) -> None:
    """Count a crop in: what the video changes of it, `seen`, and the generator, `made`, each [S, S, 3] in one unit.

    Args: shown: [S, S] in 0..1, how much of the edit each pixel shows; `shape`: what is edited, inside of which counts.
    """
    kept.add(seen, shown[..., None] * made, np.clip(0.5 - shape.distance(len(shown)), 0, 1).astype(np.float32))


def read_frame(
    inverted: Inversion, frame: int, drawn: ByteArray, edits: Edits, applied: Applied | None = None
) -> FrameReading | None:
    """Read a frame with an edit, and that of the source, by the rulers that calibration uses.

    Args:
        drawn: the frame as the edit shows it, uint8 RGB [H, W, 3].
        edits: with the strengths that were asked for.
        applied: how it was drawn; None: what of the generator's change is seen is not told.
    Returns: None, where the frame has no face.
    """
    index = inverted.crops.of_frame(frame)
    if index is None:
        return None
    source = inverted.warm("seen", frame, lambda: see(inverted, frame, inverted.frame(frame)))
    here, found = see(inverted, frame, drawn), []
    for asked in inverted.asked(edits):
        attribute = asked.attribute
        ruler = kept_ruler(inverted, attribute)
        before = after = None
        if ruler is not None:
            before = inverted.warm("reading", (frame, attribute), partial(ruler, *source), READ)
            after = ruler(*here)
        found.append(Moved(asked.direction, asked.unit, float(asked.amounts[index]), before, after))
    kept = {} if applied is None else _retention(inverted, index, (source.picture, drawn), applied)
    return FrameReading(here.identity_distance(source), found, kept)


def _retention(
    inverted: Inversion, index: int, pictures: tuple[ByteArray, ByteArray], applied: Applied
) -> Mapping[str, float]:
    """`metrics.Retention` of one frame, by band.

    Args:
        pictures: the frame of the source and as it is drawn.
    """
    quad, size = inverted.crops.quads[index], inverted.crops.size
    still = still_edit(inverted, applied.edits, chosen_regions(applied.edits, applied.regions))
    own, edited = (crop(picture, quad, size).astype(np.float32) for picture in pictures)
    made, shape = generator_change(inverted, still.inverted, index, inverted.moved(applied.edits)), still.shape(index)
    kept = metrics.Retention()
    note_seen(kept, edited - own, made, shape, crop_alpha(shape, size))
    return kept.of_band()
