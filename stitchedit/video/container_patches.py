"""What FFmpeg does not tell or do about container files: whether one is cut short, and fine time steps in Matroska.

Only sizes and fixed-length fields are read and written here; everything else about containers is PyAV's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_MASTERS = {0x1549A966, 0x1254C367, 0x7373, 0x67C8}  # Info, Tags, Tag, SimpleTag
_TIMESTAMP_SCALE, _TAG_NAME, _TAG_STRING = 0x2AD7B1, 0x45A3, 0x4487
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
