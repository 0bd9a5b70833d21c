"""What an edit does to one frame, read off the picture as it is drawn: figures to stand beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from stitchedit.editing.edits import Edits
from stitchedit.faces.detectors import embed, face_box, landmarks
from stitchedit.faces.rulers import Ruler, ruler_of
from stitchedit.pipeline.inversion import Inversion
from stitchedit.types import ByteArray, FloatArray

READ = 16  # readings of source frames, and rulers, that are kept


class Seen(NamedTuple):
    """A frame as it is drawn, and its face."""

    picture: ByteArray  # RGB [H, W, 3]
    points: FloatArray  # 68 landmarks [68, 2]

    def identity_distance(self, other: Seen) -> float:
        """Of dlib's embeddings; 0.6 and more are two people."""
        return float(np.linalg.norm(embed(*self) - embed(*other)))


def see(inverted: Inversion, frame: int, picture: ByteArray) -> Seen:
    """A picture of a frame with the landmarks of its face, looked for where the source's is."""
    return Seen(picture, landmarks(picture, face_box(inverted.tracks.landmarks[frame])))


def kept_ruler(inverted: Inversion, attribute: str) -> Ruler | None:
    """What reads an attribute, its networks loaded once for a clip; None, where nothing here does."""
    return inverted.warm("ruler", attribute, partial(ruler_of, attribute), READ)


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

    def lines(self) -> list[str]:
        return [f"identity distance {self.identity_distance:.2f}", *(str(moved) for moved in self.moved)]


def read_frame(inverted: Inversion, frame: int, drawn: ByteArray, edits: Edits) -> FrameReading | None:
    """Read a frame with an edit, and that of the source, by the rulers that calibration uses.

    Args:
        drawn: the frame as the edit shows it, uint8 RGB [H, W, 3].
        edits: with the strengths that were asked for.
    Returns: None, where the frame has no face.
    """
    index = inverted.crop_of(frame)
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
    return FrameReading(here.identity_distance(source), found)
