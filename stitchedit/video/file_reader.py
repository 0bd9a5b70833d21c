"""Reading video: what `stitchedit.video` gives for input. Import it from there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from stitchedit.errors import CannotDecode, CannotOpen
from stitchedit.types import ByteArray, FloatArray
from stitchedit.video.base import ColourTags, Damage, VideoInfo, View
from stitchedit.video.container_patches import missing_bytes
from stitchedit.video.decoder import Decoder
from stitchedit.video.orientation import Orientation, from_matrix, parse_matrix
from stitchedit.video.pixel_formats import Layout, find_layout, readable_as, samples
from stitchedit.video.side_data import carried, gop_timecode
from stitchedit.video.yuv import Box, Colour, colour_of, paste_rgb, read_rgb, to_bytes

log = logging.getLogger(__name__)

_MOST_RATE = 1000  # frames a second that are believed without a second look
_MAX_DAMAGE = 1000  # records of damage kept at most


@dataclass(frozen=True, slots=True)
class CodedFrame:
    """A `Frame` that FFmpeg decoded, in its own pixel format. `planes` alone shows what is stored, as it is stored."""

    index: int  # 0 is the first
    pts: int  # in ticks of `time_base`, strictly rising
    duration: int  # in ticks; 0 when not known
    time_base: Fraction
    video: av.VideoFrame = field(repr=False)
    colour: Colour = field(repr=False)
    orientation: Orientation = field(repr=False)
    view: View | None = field(default=None, repr=False)  # None: its codes are looked at as they are

    @property
    def layout(self) -> Layout:
        return self.colour.layout

    @property
    def time(self) -> Fraction:
        """When the frame is shown, in seconds."""
        return self.pts * self.time_base

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright picture."""
        return self.orientation.size(self.video.width, self.video.height)

    @property
    def planes(self) -> dict[str, NDArray[np.unsignedinteger]]:
        """The stored samples of each component ("Y", "U", ...), [h, w] uint8 or uint16, views not to be written to."""
        found = {c.role: samples(self.video, self.layout, c) for c in self.layout.components}
        for view in found.values():
            view.flags.writeable = False
        return found

    def rgb_float(self, box: Box | None = None) -> FloatArray:
        """RGB of the upright picture or of a box of it (x0, y0, x1, y1), float32 [h, w, 3] on 0..255, not clipped.

        Convention: `stitchedit.video.yuv`. Raises ValueError when the box is empty or leaves the picture.
        """
        codes = self._codes(box)
        return codes if self.view is None else self.view.shown(codes / np.float32(255))

    def rgb(self, box: Box | None = None) -> ByteArray:
        """The same, rounded and clipped to uint8."""
        return to_bytes(self.rgb_float(box))

    def values(self) -> FloatArray:
        return self._codes(None) / np.float32(255)

    def values_of(self, rgb: FloatArray) -> FloatArray:
        return rgb / np.float32(255) if self.view is None else self.view.stored(rgb)

    def _codes(self, box: Box | None) -> FloatArray:
        width, height = self.size
        stored = self.orientation.stored_box(box or (0, 0, width, height), self.video.width, self.video.height)
        return np.ascontiguousarray(self.orientation.upright(read_rgb(self.video, self.colour, stored)))

    def pasted(self, patch: FloatArray, alpha: FloatArray, box: Box) -> CodedFrame:
        """See `paste`. Convention: `stitchedit.video.yuv.paste_rgb`, in coordinates of the upright picture.

        With a view it is blended as it is shown, and what comes of it written as the file's codes.
        """
        if self.view is not None:
            patch, alpha, box = self._in_codes(patch, alpha, box)
        stored = self.orientation.stored_box(box, self.video.width, self.video.height)
        patch, alpha = self.orientation.stored(patch), self.orientation.stored(alpha)
        return replace(self, video=paste_rgb(self.video, self.colour, patch, alpha, stored))

    def _in_codes(self, patch: FloatArray, alpha: FloatArray, box: Box) -> tuple[FloatArray, FloatArray, Box]:
        """The part of a patch inside of the picture, blended with it and as codes; alpha says where it is taken."""
        if patch.shape != (box[3] - box[1], box[2] - box[0], 3) or alpha.shape != patch.shape[:2]:
            raise ValueError(f"patch {patch.shape} and alpha {alpha.shape} do not fill the box {box}")
        (x0, y0), (x1, y1) = np.clip(box[:2], 0, self.size), np.clip(box[2:], 0, self.size)
        inside = (int(x0), int(y0), int(x1), int(y1))
        if x0 == x1 or y0 == y1:
            return patch[:0, :0], alpha[:0, :0], (0, 0, 0, 0)
        here = np.s_[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
        weight, present = alpha[here], self.rgb_float(inside)
        wanted = np.where(weight[..., None] > 0, patch[here], present)
        mixed = self.values_of((present + weight[..., None] * (wanted - present)).astype(np.float32))
        return mixed * np.float32(255), (weight > 0).astype(np.float32), inside


class FileSource:
    """A clip in one file.

    Damage does not end the iteration when decoding can go on: every frame that can be had is given, a frame of
    which nothing can be decoded is missing, and `damage` tells what was wrong. It is complete after one pass.

    Iteration raises: CannotDecode, when the picture changes its size or pixel format in the middle.
    """

    def __init__(self, info: VideoInfo, colour: Colour, stream: int, view: View | None = None) -> None:
        self.info, self.view = info, view
        self.frames: int | None = None  # how many there are, known after a whole pass
        self._colour, self._stream = colour, stream
        self._damage: dict[tuple[int, str], Damage] = {}

    @property
    def stream(self) -> int:
        """Index in the container of the video stream that is read."""
        return self._stream

    @property
    def damage(self) -> list[Damage]:
        """What was found wrong with the file by the passes so far, in the order of the frames."""
        return sorted(self._damage.values(), key=lambda damage: damage.frame)

    def count(self) -> int:
        """The number of frames, by decoding them once: what containers claim is often wrong."""
        if self.frames is None:
            self.frames = sum(1 for _ in self)
        return self.frames

    def __iter__(self) -> Iterator[CodedFrame]:
        info, index, clock = self.info, 0, _Clock(self.info)
        with closing(Decoder(info.path, self._stream)) as decoder:
            for video in decoder.frames():
                for why in decoder.take_damage(video):
                    self._note(index, why)
                video = self._own_format(video, index)
                pts, risen = clock.time_of(video)
                if not risen:
                    self._note(index, "its time does not come after that of the frame before")
                video.pts, video.time_base = pts, info.time_base
                place = index, pts, video.duration, info.time_base
                yield CodedFrame(*place, video, self._colour, info.orientation, self.view)
                index += 1
            for why in decoder.take_damage():
                self._note(index, why)
        if missing := missing_bytes(info.path, info.format):
            self._note(index, f"the file is cut short, {missing} bytes are missing")
        self.frames = index

    def _note(self, frame: int, why: str) -> None:
        if len(self._damage) < _MAX_DAMAGE and (frame, why) not in self._damage:
            log.debug("%s, frame %d: %s", self.info.path, frame, why)
            self._damage[frame, why] = Damage(frame, why)

    def _own_format(self, video: av.VideoFrame, index: int) -> av.VideoFrame:
        info = self.info
        if (video.width, video.height) != (info.stored_width, info.stored_height):
            was, now = f"{info.stored_width} x {info.stored_height}", f"{video.width} x {video.height}"
            raise CannotDecode(info.path, index, f"the picture changes its size there from {was} to {now}")
        name = readable_as(video.format.name)
        if name != info.pix_fmt:
            raise CannotDecode(info.path, index, f"the pixel format changes there to {video.format.name}")
        return video if name == video.format.name else video.reformat(format=name)


def open_file(path: Path | str, view: View | None = None) -> FileSource:
    """Opens a clip for reading; the first frame is decoded to know what it is.

    `path` is always the name of a file: never an option, a protocol (`http:`), a device or a list of other files.

    Raises: CannotOpen, when it is missing, no regular file, no video that can be read, or without a single frame.
    """
    path = Path(path)
    with closing(Decoder(path)) as decoder:
        first = next(decoder.frames(), None)
        if first is None:
            raise CannotOpen(path, "not one frame in it can be decoded")
        name = readable_as(first.format.name)
        layout = find_layout(name) if name else None
        if layout is None:
            raise CannotOpen(path, f"its pixel format {first.format.name} is not supported", "convert the video first")
        info = _describe(path, decoder, first, layout)
        tags, stored = info.colour, (info.stored_width, info.stored_height)
        return FileSource(info, colour_of(layout, tags.matrix, tags.range, *stored), decoder.stream.index, view)


class _Clock:
    """Makes the times of frames rise strictly, which every container demands.

    A frame without a time comes a step after the one before. So does one whose time jumps back by more than two steps:
    it is the first of another recording joined on, and everything from there on is shown later, or the time of this one
    frame is wrong, and the next one goes on with the old clock. A smaller jump moves only the frame itself.
    """

    def __init__(self, info: VideoInfo) -> None:
        self._step = max(1, round(1 / (info.rate * info.time_base)))  # ticks, where a frame has no duration
        self._next, self._last, self._shift = 0, -(2**63), 0
        self._before: int | None = None  # the shift before the frame that just jumped

    def time_of(self, video: av.VideoFrame) -> tuple[int, bool]:
        """The frame's time in ticks, and whether it rose by itself."""
        before, self._before = self._before, None
        if before is not None and video.pts is not None and video.pts + before > self._last:
            self._shift = before  # the frame before had a wrong time, that was all
        pts = self._next if video.pts is None else video.pts + self._shift
        risen = pts > self._last
        if not risen and self._last - pts > 2 * self._step:
            self._before = self._shift
            self._shift += self._next - pts
            pts = self._next
        self._last = pts if risen else max(pts, self._last + 1)
        self._next = self._last + (video.duration or self._step)
        return self._last, risen


def _rate(average: Fraction | None, guessed: Fraction | None) -> Fraction:
    """Frames a second; a Matroska file that names no rate is taken for one of many thousands, by its ticks."""
    if average and guessed and average > _MOST_RATE:
        return min(average, guessed)
    return average or guessed or Fraction(25)


def _describe(path: Path, decoder: Decoder, first: av.VideoFrame, layout: Layout) -> VideoInfo:
    container, stream = decoder.container, decoder.stream
    context, side = stream.codec_context, _side_data(first)
    notes = []
    if side is None:
        notes.append("what its pictures carry beside their samples (turns, HDR10 figures, captions) is not read")
        side = {}
    if first.format.name != layout.name:
        notes.append(f"{first.format.name} pictures are read as {layout.name}")
    matrix = side.get("DISPLAYMATRIX", b"")
    orientation = from_matrix(parse_matrix(matrix)) if matrix else Orientation()
    if orientation is None:
        orientation = Orientation()
        notes.append("it is shown turned by an angle that is no quarter turn; faces are searched as it is stored")
    width, height = orientation.size(first.width, first.height)
    if stream.metadata.get("alpha_mode") == "1" and not layout.has_alpha:
        notes.append("its transparency is not read")  # VP8 and VP9 hold it in a second picture
    if first.interlaced_frame:
        notes.append("it is interlaced; pictures are edited with both fields woven together")
    assert stream.time_base is not None, "every video stream has a time base"
    in_pictures = gop_timecode(side.get("GOP_TIMECODE", b""))
    told = [stream.metadata, container.metadata, *(s.metadata for s in container.streams if s.type == "data")]
    codes = [value for tags in told for key, value in tags.items() if key.lower() == "timecode"]
    return VideoInfo(
        path=path,
        format=container.format.name,
        codec=context.name,
        width=width,
        height=height,
        stored_width=first.width,
        stored_height=first.height,
        orientation=orientation,
        pix_fmt=layout.name,
        depth=layout.depth,
        time_base=stream.time_base,
        rate=_rate(stream.average_rate, stream.guessed_rate),
        start=first.pts or 0,
        duration=None if container.duration is None else Fraction(container.duration, av.time_base),
        sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
        colour=ColourTags(
            _either(first.color_primaries, context.color_primaries),
            _either(first.color_trc, context.color_trc),
            _either(first.colorspace, context.colorspace),
            first.color_range or context.color_range,
        ),
        interlaced=first.interlaced_frame,
        audio_streams=len(container.streams.audio),
        subtitle_streams=len(container.streams.subtitles),
        matrix=matrix if any(matrix) else b"",
        timecode=in_pictures,
        start_timecode=next(filter(None, codes), in_pictures),
        side_data=carried(side, {**container.metadata, **stream.metadata}, context.name),
        hdr=(side.get("MASTERING_DISPLAY_METADATA", b""), side.get("CONTENT_LIGHT_LEVEL", b"")),
        size_bytes=path.stat().st_size,
        notes=tuple(notes),
    )


def _either(first: int, second: int) -> int:
    return second if first == 2 else first


def _side_data(frame: av.VideoFrame) -> dict[str, bytes] | None:
    """Side data by FFmpeg's name; None, where there is a kind that PyAV has no name for: it gives nothing then."""
    found: dict[str, bytes] = {}
    try:
        entries: Any = frame.side_data
    except ValueError:
        return None
    for place in range(len(entries)):
        found[entries[place].type.name] = bytes(entries[place])
    return found
