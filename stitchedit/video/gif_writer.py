"""Writing GIF: a palette for each frame, every frame's own delay, transparency, and the notice as a comment."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from PIL import Image

from stitchedit.errors import CannotEncode, NotWritable
from stitchedit.files.atomic import PartFile, disk_error
from stitchedit.types import ByteArray
from stitchedit.video.base import Frame, VideoSource
from stitchedit.video.file_reader import CodedFrame, FileSource
from stitchedit.video.side_data import lost_in_pictures

SUFFIX = ".gif"
_TICK = Fraction(1, 100)  # seconds, the format's own
_COLOURS = 255  # and one for what is transparent
_LOOP = b"NETSCAPE2.0"
_HEAD_BYTES = 1 << 16
_MOST_PX = 65_535


class GifWriter:
    """Writes frames as GIF; the file appears under its name when the `with` block ends well.

    Times are those of the source, to a hundredth of a second; a pixel is transparent where its alpha is below a half.

    Args:
        metadata: texts of the comment.
    Raises, on entering: CannotEncode, NotWritable, DiskFull. On writing and leaving: CannotEncode, DiskFull.
    """

    def __init__(self, path: Path, source: VideoSource, *, metadata: Mapping[str, str] | None = None) -> None:
        self.path, self.source = path, source
        self.frames = 0
        self.notes: tuple[str, ...] = ()
        self._comment = "\n".join((metadata or {}).values())
        self._exact = True  # every frame so far had few enough colours

    def __enter__(self) -> Self:
        info = self.source.info
        if self.path.exists() and info.path.exists() and self.path.samefile(info.path):
            raise NotWritable(self.path, "it is the clip that is being read")
        if max(info.width, info.height) > _MOST_PX:
            raise CannotEncode(self.path, f"{info.width} x {info.height} pixels are too many for GIF")
        notes = [*lost_in_pictures(info.sample_aspect_ratio, info.hdr, "GIF")]
        if info.audio_streams or info.subtitle_streams:
            notes.append("GIF holds no sound and no subtitles: these are left out")
        if info.rate > 50:
            notes.append("GIF counts in hundredths of a second, and players slow down what is faster than 50 a second")
        self._part = PartFile(self.path)
        try:
            loop = "0" if _loops(self.source) else "-1"
            self._output: Any = av.open(self._part.file, "w", format="gif", options={"loop": loop})
            self._stream: Any = self._output.add_stream("gif", rate=100)
            self._stream.width, self._stream.height, self._stream.pix_fmt = info.width, info.height, "pal8"
            self._stream.time_base = self._stream.codec_context.time_base = _TICK
            self._output.start_encoding()
        except av.FFmpegError as exc:
            self._part.discard()
            raise CannotEncode(self.path, exc.strerror or str(exc)) from exc
        self.notes = tuple(notes)
        self._last = -1
        return self

    def write(self, frame: Frame) -> None:
        """Encodes the next frame, at its own time. Raises: CannotEncode, DiskFull."""
        indices, palette, exact = _with_palette(frame)
        self._exact &= exact
        both: Any = (indices, palette)  # which the stub does not know
        video = av.VideoFrame.from_ndarray(both, format="pal8")
        start, end = (round(time / _TICK) for time in (frame.time, frame.time + frame.duration * frame.time_base))
        video.pts, video.time_base = max(start, self._last + 1), _TICK
        self._last = video.pts
        try:
            for packet in self._stream.encode(video):
                packet.duration = max(end - start, 1)
                self._output.mux(packet)
        except av.FFmpegError as exc:
            raise CannotEncode(self.path, exc.strerror or str(exc)) from exc
        except OSError as exc:
            raise disk_error(self.path, exc) from exc
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
            else:
                self._part.discard()
                with suppress(av.FFmpegError, OSError, ValueError):
                    self._output.close()
        finally:
            self._part.discard()

    def _finish(self) -> None:
        if not self.frames:
            raise CannotEncode(self.path, "no frame was written", "")
        try:
            self._output.mux(self._stream.encode(None))
            self._output.close()
            done, self._part = self._part, PartFile(self.path)
            try:
                _copy_with_comment(done.file, self._part.file, self._comment)
            finally:
                done.discard()
        except av.FFmpegError as exc:
            raise CannotEncode(self.path, exc.strerror or str(exc)) from exc
        except OSError as exc:
            raise disk_error(self.path, exc) from exc
        if not self._exact:
            self.notes = (*self.notes, "GIF holds 256 colours a frame: the others were rounded to the nearest")
        self._part.commit()


def _with_palette(frame: Frame) -> tuple[ByteArray, ByteArray, bool]:
    """Indices [h, w], palette [256, 4] ARGB, and whether every colour is kept."""
    rgb = frame.rgb()
    clear = np.zeros(rgb.shape[:2], bool)
    if isinstance(frame, CodedFrame) and frame.layout.has_alpha:
        alpha = frame.orientation.upright(frame.planes["A"])
        clear = alpha < (1 << (frame.layout.depth - 1))
        rgb = np.where(clear[..., None], np.uint8(0), rgb)
    packed = rgb.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colours, indices = np.unique(packed, return_inverse=True)
    palette = np.zeros((256, 4), np.uint8)
    exact = len(colours) <= _COLOURS
    if exact:
        found = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], 1).astype(np.uint8)
        index = indices.reshape(packed.shape).astype(np.uint8)
    else:
        picture = Image.fromarray(rgb).quantize(_COLOURS, Image.Quantize.MEDIANCUT, kmeans=1)
        found = np.array(picture.getpalette(), np.uint8).reshape(-1, 3)[:_COLOURS]
        index = np.array(picture, np.uint8)
    palette[: len(found), 1:], palette[:, 0] = found, 255
    if clear.any():
        palette[_COLOURS, 0] = 0  # the one colour that is not opaque: the encoder looks for it
        index[clear] = _COLOURS
    return index, palette, exact


def _loops(source: VideoSource) -> bool:
    """Whether the source goes round; of other formats than GIF nothing says so, and a GIF is expected to."""
    if not isinstance(source, FileSource) or source.info.format != "gif":
        return True
    with source.info.path.open("rb") as file:
        return _LOOP in file.read(_HEAD_BYTES)


def _copy_with_comment(done: Any, out: Any, comment: str) -> None:
    """The GIF with a comment before its first frame. Source: GIF89a specification, 24."""
    done.seek(0)
    head = done.read(13)
    table = 3 << ((head[10] & 7) + 1) if head[10] & 0x80 else 0
    out.write(b"GIF89a" + head[6:] + done.read(table))
    data = comment.encode()
    if data:
        out.write(b"\x21\xfe")
        for at in range(0, len(data), 255):
            part = data[at : at + 255]
            out.write(bytes([len(part)]) + part)
        out.write(b"\0")
    while block := done.read(1 << 20):
        out.write(block)
