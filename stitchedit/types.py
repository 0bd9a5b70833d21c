"""The values that stages hand on. The comment beside a field is its contract.

Convention for every position: source pixels, x right, y down, the centre of the first pixel at (0.5, 0.5).
T counts the frames of the clip, N those of them that are edited (the others pass through untouched).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
ByteArray = NDArray[np.uint8]
IntArray = NDArray[np.int64]
WeightMap = Callable[[int, int], FloatArray]  # (crop, size) -> float32 [size, size], where the losses look


class FaceState(IntEnum):
    """How a frame came by its landmarks."""

    ABSENT = 0  # no face, or none that can be used: the frame passes through untouched
    FOUND = 1  # detected in this very frame
    FILLED = 2  # interpolated across a short gap


@dataclass(frozen=True, slots=True)
class Tracks:
    """One person's face through the clip."""

    landmarks: FloatArray  # [T, 68, 2] iBUG order, source pixels; NaN where state is ABSENT
    state: ByteArray  # [T] values of FaceState
    frame_size: tuple[int, int]  # (width, height) of the decoded picture in pixels
    rate: Fraction  # average frames a second, for smoothing widths and messages
    cuts: IntArray = field(default_factory=lambda: np.empty(0, np.int64))  # [K] frames that open a new shot, ascending
    scores: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))  # [T] the detector's, or [0]: not known

    @property
    def frames(self) -> IntArray:
        """[N] indices of the frames that have landmarks, ascending."""
        return np.flatnonzero(self.state != FaceState.ABSENT).astype(np.int64)

    def score_of(self, frames: IntArray) -> FloatArray:
        """The detector's scores of some frames; NaN where the face was not detected, or nothing is known."""
        return self.scores[frames] if len(self.scores) else np.full(len(frames), np.nan, np.float32)

    @property
    def runs(self) -> list[slice]:
        """Stretches of the N edited frames without gap or cut inside; nothing is smoothed across their ends."""
        frames = self.frames
        breaks = (np.diff(frames) > 1) | np.isin(frames[1:], self.cuts)
        edges = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(frames)]
        return [slice(start, stop) for start, stop in pairwise(edges) if stop > start]


class NamedDirection(Protocol):
    """What settings know of an edit direction: `stitchedit.editing.direction.Direction` is one."""

    @property
    def name(self) -> str: ...


class CropImages(Protocol):
    """N square RGB pictures, read when asked for: `images[k]` is uint8 [S, S, 3]."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> ByteArray: ...


class FineImages(Protocol):
    """Likewise, with fractions of a grey level where they are float32, on 0..255 too."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> ByteArray | FloatArray: ...


@dataclass(frozen=True, slots=True)
class Crops:
    """The aligned faces of the edited frames."""

    frames: IntArray  # [N] source frame of each crop, ascending
    quads: FloatArray  # [N, 4, 2] source pixels, corners TL BL BR TR
    images: CropImages  # N pictures of size x size
    size: int  # pixels of a crop's side: an exit of the generator

    def of_frame(self, frame: int) -> int | None:
        """Which crop is of a frame; None: the frame has no face, or the clip not the frame."""
        index = np.flatnonzero(self.frames == frame)
        return int(index[0]) if len(index) else None


@dataclass(frozen=True, slots=True)
class FacePoints:
    """The face mesh seen in each crop; masks are drawn from it."""

    points: FloatArray  # [N, P, 2] in units of the crop's side, 0..1; may lie outside


@dataclass(frozen=True, slots=True)
class Latents:
    """The pivots: one code an edited frame."""

    ws: FloatArray  # [N, L, w_dim]; L = 1 in W (every layer takes the same code), L = num_ws in W+

    @property
    def in_w(self) -> bool:
        return bool(self.ws.shape[1] == 1)


@dataclass(frozen=True, slots=True)
class PartMove:
    """The pivots after an edit of which only a part is to be seen."""

    part: str  # of `config.PARTS`
    ws: FloatArray  # [N, num_ws, w_dim]


@dataclass(frozen=True, slots=True)
class EditedLatents:
    """The pivots after the edit."""

    ws: FloatArray  # [N, L, w_dim]
    edits: Sequence[tuple[str, float | NDArray[np.float64]]] = ()  # (direction, strength applied; [N] where it changes)
    offsets: FloatArray | None = None  # [N or 1, S] added to the styles, see `models.generator.draw`; None: nothing is
    parts: tuple[PartMove, ...] = ()  # what they change of the picture is added to that of `ws`

    def offset(self, index: int) -> FloatArray | None:
        """What is added to the styles of a crop, [1, S]."""
        return None if self.offsets is None else self.offsets[min(index, len(self.offsets) - 1)][None]


@dataclass(frozen=True, slots=True)
class AskedChange:
    """By how much an edit was to move what a direction is about."""

    direction: str
    attribute: str
    unit: str  # such as years
    amounts: FloatArray  # [N]


@dataclass(frozen=True, slots=True)
class SkippedRange:
    """A run of frames without a usable face: they go through untouched."""

    first: int
    last: int
    start_s: float
    end_s: float
    why: str = ""

    def __str__(self) -> str:
        why = f": {self.why}" if self.why else ""
        return f"{self.first}-{self.last} ({self.start_s:.2f}-{self.end_s:.2f} s{why})"

    def as_json(self) -> dict[str, Any]:
        facts = {"first": self.first, "last": self.last, "start_s": self.start_s, "end_s": self.end_s}
        return facts | ({"why": self.why} if self.why else {})
