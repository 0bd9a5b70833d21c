"""PNG, TIFF and JPEG files as frames: FFmpeg's codecs for the pixels, fed with bytes; never a name."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np

from stitchedit.errors import CannotEncode, CannotOpen
from stitchedit.video import image_metadata as tags
from stitchedit.video.base import ColourTags, Frame, VideoInfo
from stitchedit.video.decoder import MAX_PIXELS, open_regular
from stitchedit.video.file_reader import CodedFrame
from stitchedit.video.image_metadata import Head, Notes
from stitchedit.video.orientation import Orientation
from stitchedit.video.pixel_formats import Layout, convert, find_layout, readable_as, samples
from stitchedit.video.yuv import colour_of

_MOST_BYTES = 1 << 31  # of a picture file
_TICK = Fraction(1, 25)  # encoders of pictures want a time base and make nothing of it


@dataclass(frozen=True, slots=True)
class CodedPictures:
    """One format of picture files. What `_sequence_in` and `_sequence_out` call is the same as `_exr.ExrPictures`."""

    name: str
    codec: str  # FFmpeg's
    options: dict[str, str]  # of the encoder
    read_head: Callable[[BinaryIO], Head]
    with_notes: tags.WithNotes
    read_notes: Callable[[BinaryIO], list[tuple[str, str]]]
    strict: bool = True  # whether the decoder may be told to refuse whatever it finds odd
    exact: bool = True  # samples are written as they are

    def head(self, path: Path) -> Head:
        """Without decoding. Raises CannotOpen."""
        with open_regular(path) as file:
            try:
                head = self.read_head(file)
            except (ValueError, OSError) as exc:
                raise CannotOpen(path, str(exc), _hint(self.name)) from exc
        if not (head.width > 0 and head.height > 0 and head.width * head.height <= MAX_PIXELS):
            raise CannotOpen(path, f"{head.width} x {head.height} pixels are too many or none", "")
        return head

    def describe(self, path: Path, rate: Fraction) -> VideoInfo:
        """What a shot of pictures like this one is. Raises CannotOpen."""
        frame = self.read(path, 0, rate)
        video, (width, height) = frame.video, frame.size
        colour = ColourTags(video.color_primaries, video.color_trc, video.colorspace, video.color_range)
        return VideoInfo(
            path=path,
            format=f"{self.name} pictures",
            codec=self.codec,
            width=width,
            height=height,
            stored_width=video.width,
            stored_height=video.height,
            orientation=frame.orientation,
            pix_fmt=frame.layout.name,
            depth=frame.layout.depth,
            time_base=1 / rate,
            rate=rate,
            start=0,
            duration=None,
            sample_aspect_ratio=Fraction(1),
            colour=colour,
            interlaced=False,
            audio_streams=0,
            subtitle_streams=0,
        )

    def read(self, path: Path, index: int, rate: Fraction) -> CodedFrame:
        """Frame `index` of the shot. Raises CannotOpen."""
        data = self._bytes(path)
        context: Any = av.CodecContext.create(self.codec, "r")
        context.options = {"max_pixels": str(MAX_PIXELS), **({"err_detect": "explode"} if self.strict else {})}
        try:
            found = context.decode(av.Packet(data)) or context.decode(None)
        except (av.FFmpegError, EOFError) as exc:
            raise CannotOpen(path, f"it is damaged ({exc})", "render or copy it again") from exc
        if not found or found[0].is_corrupt:
            raise CannotOpen(path, "it is damaged", "render or copy it again")
        video = found[0]
        name = readable_as(video.format.name)
        layout = find_layout(name) if name else None
        if name is None or layout is None:
            raise CannotOpen(path, f"its pixel format {video.format.name} is not supported", "save it as RGB")
        if name != video.format.name:
            video = video.reformat(format=name)
        video.pts, video.time_base = index, 1 / rate
        colour = colour_of(layout, video.colorspace, video.color_range, video.width, video.height)
        return CodedFrame(index, index, 1, 1 / rate, video, colour, Orientation())  # plates are not turned by a tag

    def write(self, frame: Frame, source: Path | None, notes: Notes, target: Path, file: BinaryIO) -> None:
        """Code the frame into `file`, which will be `target`, with its notes and those of the picture it comes from.

        Args:
            source: a picture of this same format, or None.
        Raises: CannotEncode, OSError.
        """
        if not isinstance(frame, CodedFrame):
            raise CannotEncode(target, f"pictures in linear light are not written as {self.name}", "name it .exr")
        layout = self._layout(frame, target)
        video = as_layout(frame, layout)
        context: Any = av.CodecContext.create(self.codec, "w")
        context.width, context.height, context.pix_fmt = video.width, video.height, layout.name
        context.time_base, context.options, context.thread_count = _TICK, self.options, 1
        if layout.roles == "YUV":
            context.color_range, context.colorspace, context.qmin, context.qmax = 2, frame.video.colorspace, 1, 1
        video.pts, video.time_base, video.pict_type = 0, _TICK, 0
        try:
            packets = context.encode(video) or context.encode(None)
        except av.FFmpegError as exc:
            raise CannotEncode(target, exc.strerror or str(exc)) from exc
        file.write(self.with_notes(bytes(packets[0]), b"" if source is None else self._bytes(source), notes))

    def notes(self, path: Path) -> list[tuple[str, str]]:
        """(key, text) of the texts in a picture. Raises CannotOpen."""
        try:
            return self.read_notes(io.BytesIO(self._bytes(path)))
        except ValueError as exc:
            raise CannotOpen(path, str(exc), _hint(self.name)) from exc

    def _bytes(self, path: Path) -> bytes:
        self.head(path)  # whose size is checked
        with open_regular(path) as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise CannotOpen(path, f"it is larger than {_MOST_BYTES >> 30} GiB", "")
        return data

    def _layout(self, frame: CodedFrame, target: Path) -> Layout:
        """The encoder's pixel format that holds the frame's samples, or RGB of its depth."""
        source = frame.layout
        known = [find_layout(f.name) for f in av.codec.Codec(self.codec, "w").video_formats or []]
        fitting = [
            layout
            for layout in known
            if layout is not None
            and (layout.depth, layout.log2, sorted(layout.roles)) == (source.depth, source.log2, sorted(source.roles))
            and (layout.full_range or layout.roles != "YUV")
        ]
        if fitting:
            return min(fitting, key=lambda layout: (layout.name != source.name, layout.name))
        roles = "RGBA" if source.has_alpha else "RGB"
        deep = 8 if source.depth == 8 else 16
        for layout in known:
            if layout is not None and (layout.roles, layout.depth) == (roles, deep):
                return layout
        raise CannotEncode(target, f"{self.name} has no form of {source.name} pictures", "name it .png")


def as_layout(frame: CodedFrame, target: Layout) -> av.VideoFrame:
    """The stored picture in another layout; sample by sample, or through RGB where the colour families differ."""
    source = frame.layout
    if source.name == target.name:
        return frame.video
    if sorted(source.roles) == sorted(target.roles) and source.log2 == target.log2:
        return convert(frame.video, source, target)
    made = av.VideoFrame(frame.video.width, frame.video.height, target.name)
    top = (1 << target.depth) - 1
    flat = CodedFrame(0, 0, 0, frame.time_base, frame.video, frame.colour, Orientation())  # as stored
    codes = np.clip(np.rint(flat.rgb_float() * (top / 255.0)), 0, top)
    for component in target.components:
        view = samples(made, target, component)
        if component.role == "A":
            alpha = frame.planes["A"].astype(np.float32) * (top / ((1 << source.depth) - 1))
            view[:] = np.rint(alpha).astype(view.dtype)
        else:
            view[:] = codes[..., "RGB".index(component.role)].astype(view.dtype)
    made.color_range = 2
    return made


def _hint(name: str) -> str:
    return f"all pictures of a shot must be {name} files"


PNG = CodedPictures("PNG", "png", {"pred": "mixed"}, tags.png_head, tags.png_with_notes, tags.png_notes)
TIFF = CodedPictures(
    "TIFF", "tiff", {"compression_algo": "deflate"}, tags.tiff_head, tags.tiff_with_notes, tags.tiff_notes, strict=False
)
JPEG = CodedPictures("JPEG", "mjpeg", {}, tags.jpeg_head, tags.jpeg_with_notes, tags.jpeg_notes, exact=False)
