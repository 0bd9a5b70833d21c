"""What a clip is to all that works on it, whatever it is stored as: `stitchedit.video` gives these names.

`Frame` and `VideoSource` are what stages rely on. Two kinds of clip have them: files of video (`_video_in`) and folders
of pictures (`_sequence_in`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from stitchedit.types import ByteArray, FloatArray
from stitchedit.video.orientation import Orientation
from stitchedit.video.yuv import Box


@dataclass(frozen=True, slots=True)
class ColourTags:
    """Code points of ITU-T H.273, as in FFmpeg; 2 says "unspecified". Range: 0 unspecified, 1 limited, 2 full."""

    primaries: int
    transfer: int
    matrix: int
    range: int


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a clip is. Sizes in pixels; counts are of streams."""

    path: Path
    format: str  # FFmpeg's name of the container
    codec: str  # FFmpeg's name of the decoder, such as "h264"
    width: int  # of the upright picture, as `Frame.rgb` gives it
    height: int
    stored_width: int  # of the picture as it is decoded; swapped when it is stored on its side
    stored_height: int
    orientation: Orientation
    pix_fmt: str  # of the frames as they travel; FFmpeg's spelling
    depth: int  # bits of a sample
    time_base: Fraction  # seconds of a tick; PTS and durations count ticks
    rate: Fraction  # frames a second on average; a clip of variable rate has no other
    start: int  # PTS of the first frame, in ticks
    duration: Fraction | None  # seconds, as the container claims
    sample_aspect_ratio: Fraction  # width of a pixel by its height
    colour: ColourTags
    interlaced: bool
    audio_streams: int
    subtitle_streams: int
    matrix: bytes = b""  # display matrix as FFmpeg's side data, empty when there is none
    hdr: tuple[bytes, bytes] = (b"", b"")  # mastering display and content light level, as FFmpeg's side data
    side_data: tuple[str, ...] = ()  # FFmpeg's names of what the first picture carries, see `video.side_data`
    timecode: str = ""  # of an MPEG-2 stream's first picture, where there is one
    start_timecode: str = ""  # of the first frame, as tags, tracks or pictures have it: HH:MM:SS:FF, ; before FF drops
    size_bytes: int = 0  # of all its files
    notes: tuple[str, ...] = ()  # what a user should know about how the clip is read

    @property
    def rotation(self) -> int:
        """Degrees by which the stored picture is turned clockwise to stand upright: 0, 90, 180, 270."""
        return self.orientation.degrees


class View(Protocol):
    """How a file's samples look: what stands between them and the picture that faces are worked on in."""

    @property
    def name(self) -> str: ...

    def shown(self, values: FloatArray) -> FloatArray:
        """RGB as the file has it, [h, w, 3], 1 for its largest code or light of 1, on sRGB's curve times 255.

        Neither is clipped.
        """

    def stored(self, codes: FloatArray) -> FloatArray:
        """The inverse of `shown`, float32."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something of the file that could not be read as it should."""

    frame: int  # index of the frame where it showed; frames before it are whole
    why: str


class Frame(Protocol):
    """One picture of a clip, with every sample as it is stored.

    Positions are those of the upright picture, x right, y down. RGB is on a scale of 0..255 as it is shown: in the
    clip's own transfer curve or, where a `View` says how its samples look (linear light, log footage), on sRGB's.
    """

    @property
    def index(self) -> int:
        """0 is the first."""

    @property
    def pts(self) -> int:
        """In ticks of `time_base`, strictly rising."""

    @property
    def duration(self) -> int:
        """In ticks; 0 when not known."""

    @property
    def time_base(self) -> Fraction:
        """Seconds of a tick."""

    @property
    def time(self) -> Fraction:
        """When the frame is shown, in seconds."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright picture."""

    def rgb_float(self, box: Box | None = None) -> FloatArray:
        """RGB of the upright picture or of a box of it (x0, y0, x1, y1), float32 [h, w, 3] on 0..255, not clipped.

        Raises ValueError when the box is empty or leaves the picture.
        """

    def rgb(self, box: Box | None = None) -> ByteArray:
        """The same, rounded and clipped to uint8."""

    def values(self) -> FloatArray:
        """RGB of the whole upright picture as the file has it, float32 [h, w, 3], not clipped.

        1 is white of a video's codes; of linear light it is light of 1.
        """

    def values_of(self, rgb: FloatArray) -> FloatArray:
        """Which `values` are shown as this RGB on 0..255, [h, w, 3]."""

    def pasted(self, patch: FloatArray, alpha: FloatArray, box: Box) -> Frame:
        """See `paste`; both float32."""


class VideoSource(Protocol):
    """A clip that can be gone through several times, each time from its first frame; frames stream.

    Iteration raises: CannotDecode, when a picture cannot be had or is of another kind than the first.
    """

    view: View | None  # None: see `opening.open_video`

    @property
    def info(self) -> VideoInfo: ...

    @property
    def frames(self) -> int | None:
        """How many there are, where it is known."""

    @property
    def damage(self) -> list[Damage]:
        """What was found wrong with the file by the passes so far, in the order of the frames."""

    def count(self) -> int:
        """The number of frames, found out if it must be."""

    def __iter__(self) -> Iterator[Frame]: ...


def paste(frame: Frame, patch: FloatArray | ByteArray, alpha: FloatArray, box: Box) -> Frame:
    """A new frame with `patch` blended in; every stored sample where alpha is 0 keeps its exact value.

    The argument is left as it is.

    Args:
        patch: RGB on 0..255, [h, w, 3], float32 or uint8.
        alpha: 0..1, [h, w].
        box: where it goes (x0, y0, x1, y1) with w = x1 - x0, h = y1 - y0; it may leave the picture.
    Raises: ValueError, when the shapes do not fit.
    """
    return frame.pasted(patch.astype(np.float32, copy=False), alpha.astype(np.float32, copy=False), box)
