"""What FFmpeg does not tell or do about container files: whether one is cut short, and in Matroska fine time steps, the
shape of pixels and HDR10 figures, for which PyAV has no way to its muxer.

Only sizes and fixed-length fields are read and written here; everything else about containers is PyAV's.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from stitchedit.video.side_data import light_levels, mastering_figures

_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_MASTERS = {0x1549A966, 0x1254C367, 0x7373, 0x67C8}  # Info, Tags, Tag, SimpleTag
_TIMESTAMP_SCALE, _TAG_NAME, _TAG_STRING = 0x2AD7B1, 0x45A3, 0x4487
_TRACKS, _TRACK, _NAME, _VOID = 0x1654AE6B, 0xAE, 0x536E, 0xEC
_VIDEO, _DISPLAY, _DISPLAY_UNIT, _COLOUR, _MASTERING = 0xE0, (0x54B0, 0x54BA), 0x54B2, 0x55B0, 0x55D0
_LIGHT_LEVELS = (0x55BC, 0x55BD)
# Red, green, blue and white, x and y each; then the least light and the most.
_MASTERING_FIGURES = (*range(0x55D1, 0x55D9), 0x55DA, 0x55D9)
ROOM = "room for the shape of the pixels and HDR10 figures " * 6  # behind a track's title, until `describe_video`
_MILLISECOND_NS = 1_000_000


def missing_bytes(path: Path, container: str) -> int:
    """How many bytes the file lacks by the sizes that it states itself; 0 when it is whole or does not say.

    Args:
        container: FFmpeg's name of the format; MP4/MOV, Matroska/WebM and AVI state sizes, others give 0.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        if "mp4" in container:
            end = _boxes_end(file, size)
        elif "matroska" in container:
            end = _segment_end(file)
        elif container == "avi":
            end = _riff_end(file, size)
        else:
            return 0
    return max(0, end - size)


def _boxes_end(file: BinaryIO, size: int) -> int:
    """Where the last top-level box of an ISO base media file ends (ISO 14496-12, 4.2)."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1 and len(header) == 16:
            length = int.from_bytes(header[8:], "big")
        if length < 8:  # 0: up to the end of the file; others are no boxes
            return size
        at += length
    return at


def _riff_end(file: BinaryIO, size: int) -> int:
    """Where the last RIFF chunk of an AVI file ends."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        header = file.read(8)
        length = int.from_bytes(header[4:], "little")
        if header[:4] != b"RIFF" or not length:
            return size
        at += 8 + length
    return at


def _segment_end(file: BinaryIO) -> int:
    for kind, start, length in _elements(file, 0, None):
        if kind == _SEGMENT:
            return start + length
        if length < 0:
            break
    return 0


def _elements(file: BinaryIO, at: int, end: int | None) -> Iterator[tuple[int, int, int]]:
    """(id, where its content starts, length) of EBML elements side by side; length is -1 when unknown (RFC 8794)."""
    while end is None or at < end:
        file.seek(at)
        header = file.read(12)
        kind = _number(header, keep_marker=True)
        length = _number(header[kind[1] :], keep_marker=False) if kind else None
        if kind is None or length is None:
            return
        start = at + kind[1] + length[1]
        unknown = length[0] == (1 << (7 * length[1])) - 1
        yield kind[0], start, -1 if unknown else length[0]
        if unknown:
            return
        at = start + length[0]


def _number(data: bytes, *, keep_marker: bool) -> tuple[int, int] | None:
    """(value, bytes used) of a variable-size integer, or None where there is none."""
    if not data or not data[0]:
        return None
    used = 9 - data[0].bit_length()
    if len(data) < used:
        return None
    value = int.from_bytes(data[:used], "big")
    return (value if keep_marker else value & ((1 << (7 * used)) - 1)), used


def matroska_step_ns(time_base: Fraction) -> int:
    """The longest step of 1 ms, 100, 10 or 1 us from which every multiple of `time_base` can be told again.

    FFmpeg writes steps of 1 ms, in which 1/24 s becomes 42 ms: the source's time stamps would be lost.
    """
    if (time_base * 1000).denominator == 1:
        return _MILLISECOND_NS
    tick_ns = time_base * 1_000_000_000
    return next((step for step in (100_000, 10_000, 1_000) if step <= tick_ns), 1_000)


def set_matroska_step(file: BinaryIO, step_ns: int) -> None:
    """Restates a Matroska file that was written with steps of 1 ms as one with steps of `step_ns`.

    Every time in it that counts in steps shrinks accordingly; the DURATION tags, which are text in seconds, are
    rewritten. The file must have been written without CRC-32 elements.

    Raises: ValueError, when the file has no such step to restate.
    """
    if step_ns == _MILLISECOND_NS:
        return
    found = False
    for kind, start, length, name in _header(file):
        file.seek(start)
        if kind == _TIMESTAMP_SCALE and length == 3:
            file.write(step_ns.to_bytes(3, "big"))
            found = True
        elif kind == _TAG_STRING and name == b"DURATION":
            text = _shrunk(file.read(length), Fraction(step_ns, _MILLISECOND_NS))
            file.seek(start)
            file.write(text)
    if not found:
        raise ValueError("no time step in the Matroska header")


def _header(file: BinaryIO) -> Iterator[tuple[int, int, int, bytes]]:
    """(id, content, length, tag name last seen) of the leaves of Info and Tags in front of the first cluster."""
    segment = next((start, length) for kind, start, length in _elements(file, 0, None) if kind == _SEGMENT)
    todo, name = [_elements(file, segment[0], None)], b""
    while todo:
        element = next(todo[-1], None)
        if element is None:
            todo.pop()
            continue
        kind, start, length = element
        if kind == _CLUSTER:
            return
        if kind in _MASTERS:
            todo.append(_elements(file, start, start + length))
            continue
        if kind == _TAG_NAME:
            file.seek(start)
            name = file.read(length)
        yield kind, start, length, name


def _shrunk(text: bytes, by: Fraction) -> bytes:
    """A duration like 00:01:40.000000000, padded with zero bytes, times `by`, in the same number of bytes."""
    found = re.fullmatch(rb"(\d+):(\d\d):(\d\d)\.(\d{9})\0*", text)
    if not found:
        return text
    hours, minutes, seconds, nanoseconds = (int(part) for part in found.groups())
    total = round((((hours * 60 + minutes) * 60 + seconds) * 1_000_000_000 + nanoseconds) * by)
    seconds, nanoseconds = divmod(total, 1_000_000_000)
    minutes, seconds = divmod(seconds, 60)
    shown = b"%02d:%02d:%02d.%09d" % (*divmod(minutes, 60), seconds, nanoseconds)
    return shown.ljust(len(text), b"\0")


def describe_video(file: BinaryIO, size: tuple[int, int], pixel: Fraction, hdr: tuple[bytes, bytes]) -> None:
    """Write the shape of the pixels and HDR10 figures into a finished Matroska or WebM file.

    They take the place of ROOM, which the title of the track must end with, so that nothing else moves.

    Args:
        size: width and height of the pictures, in pixels, as they are stored.
        pixel: width of a pixel by its height.
        hdr: as `VideoInfo.hdr` has them.
    Raises: ValueError, when no track has such a title.
    Source: RFC 9559, 5.1.4.1.28.
    """
    segment = next(start for kind, start, _ in _elements(file, 0, None) if kind == _SEGMENT)
    tracks = next((start, start + length) for kind, start, length in _elements(file, segment, None) if kind == _TRACKS)
    for _, at, length in [found for found in _elements(file, *tracks) if found[0] == _TRACK]:
        parts = _parts(file, at, length)
        title = next((data for kind, data in parts if kind == _NAME), b"")
        if title.endswith(ROOM.encode()):
            title = title.removesuffix(ROOM.encode())
            made = [(_NAME, title)] if title else []
            made += [(k, _described(v, size, pixel, hdr) if k == _VIDEO else v) for k, v in parts if k != _NAME]
            written = b"".join(_element(*part) for part in made)
            file.seek(at)
            file.write(written + _void(length - len(written)))
            return
    raise ValueError("no track has room for a description")


def _described(video: bytes, size: tuple[int, int], pixel: Fraction, hdr: tuple[bytes, bytes]) -> bytes:
    """The content of a track's Video element, with what is to be said added."""
    parts = _parts(io.BytesIO(video), 0, len(video))
    if pixel != 1:
        shown = [(kind, _unsigned(side)) for kind, side in zip(_DISPLAY, shown_size(size, pixel), strict=True)]
        parts = [*(part for part in parts if part[0] not in (*_DISPLAY, _DISPLAY_UNIT)), *shown]
    levels, figures = light_levels(hdr[1]), mastering_figures(hdr[0])
    said = [] if levels is None else [(k, _unsigned(v)) for k, v in zip(_LIGHT_LEVELS, levels, strict=True)]
    if figures is not None:
        floats = zip(_MASTERING_FIGURES, figures, strict=True)
        said.append((_MASTERING, b"".join(_element(kind, struct.pack(">d", value)) for kind, value in floats)))
    if said:
        colour = next((data for kind, data in parts if kind == _COLOUR), b"")
        said = [(_COLOUR, colour + b"".join(_element(*part) for part in said))]
        parts = [*(part for part in parts if part[0] != _COLOUR), *said]
    return b"".join(_element(*part) for part in parts)


def shown_size(size: tuple[int, int], pixel: Fraction) -> tuple[int, int]:
    """Width and height in square pixels, near the stored ones where these give the shape exactly."""
    width, height = size
    for exact in ((width * pixel, Fraction(height)), (Fraction(width), height / pixel)):
        if all(side.denominator == 1 for side in exact):
            return int(exact[0]), int(exact[1])
    shape = width * pixel / height
    return shape.numerator, shape.denominator


def _parts(file: BinaryIO, start: int, length: int) -> list[tuple[int, bytes]]:
    """(id, content) of the elements side by side."""
    found = []
    for kind, at, count in list(_elements(file, start, start + length)):
        file.seek(at)
        found.append((kind, file.read(count)))
    return found


def _element(kind: int, data: bytes) -> bytes:
    used = 1 if len(data) < 0x7F else 2
    return _unsigned(kind) + (len(data) | 1 << 7 * used).to_bytes(used, "big") + data


def _unsigned(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")


def _void(length: int) -> bytes:
    """An element of `length` bytes, at least 9, that says nothing."""
    return _unsigned(_VOID) + (1 << 56 | length - 9).to_bytes(8, "big") + bytes(length - 9)
