"""What PNG, JPEG and TIFF files say beside their pixels: size and kind without decoding, and notes to carry over.

FFmpeg codes the pixels; profiles, EXIF, texts and the notice of an edit are moved here, as the bytes they are.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_KINDS = {0: "gray", 2: "RGB", 3: "palette", 4: "gray with alpha", 6: "RGB with alpha"}
_PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_PNG_KEPT = {
    *(b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI"),
    *(b"pHYs", b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"),
}
_JPEG_KEPT = (0xE1, 0xE2, 0xFE)  # EXIF and XMP, ICC profile, comment
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # bytes by field type
_TIFF_KEPT = (270, 271, 272, 274, 282, 283, 296, 306, 315, 338, 700, 33432, 34675)
_DESCRIPTION = 270
_MOST_FIELDS = 4096
_MOST_BYTES = 64 << 20  # of notes in a picture

Notes = Mapping[str, str]
WithNotes = Callable[[bytes, bytes, Notes], bytes]  # (picture, the one it was made of or b"", notes) -> picture


@dataclass(frozen=True, slots=True)
class Head:
    """What a picture file says of itself before it is decoded."""

    width: int
    height: int
    kind: str  # such as "16-bit RGB"


def png_head(file: BinaryIO) -> Head:
    """Raises ValueError, as all of these do, when the file is none of its kind."""
    start = file.read(33)
    if len(start) < 33 or start[:8] != PNG_SIGNATURE or start[12:16] != b"IHDR":
        raise ValueError("it is no PNG")
    width, height, depth, colour = struct.unpack(">IIBB", start[16:26])
    return Head(width, height, f"{depth}-bit {_PNG_KINDS.get(colour, 'unknown')}")


def jpeg_head(file: BinaryIO) -> Head:
    for marker, length in _segments(file):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            depth, height, width, parts = struct.unpack(">BHHB", file.read(min(6, length)).ljust(6, b"\0"))
            return Head(width, height, f"{depth}-bit, {parts} components")
    raise ValueError("it is no JPEG")


def tiff_head(file: BinaryIO) -> Head:
    order, fields = _fields(file)

    def number(tag: int, default: int) -> int:
        kind, _, data = fields.get(tag, (3, 0, b""))
        size = _TIFF_SIZES.get(kind, 1)
        return int.from_bytes(data[:size], "little" if order == "<" else "big") if data else default

    form = {1: "", 2: "signed ", 3: "float "}.get(number(339, 1), "unknown ")
    if form:
        raise ValueError(f"its samples are {form.strip()}, only unsigned ones are read from TIFF")
    return Head(number(256, 0), number(257, 0), f"{number(258, 1)}-bit, {number(277, 1)} components")


def png_with_notes(made: bytes, source: bytes, notes: Notes) -> bytes:
    """The PNG `made` with the profile, texts and EXIF of another, and texts of its own."""
    pixels = [(name, data) for name, data in _chunks(made) if name in _PNG_PIXELS]
    kept = [(name, data) for name, data in _chunks(source) if name in _PNG_KEPT]
    added = [
        (b"iTXt", key.encode("latin-1") + b"\0\0\0\0\0" + text.encode()) for key, text in notes.items()
    ]  # not compressed, no language
    whole = [pixels[0], *kept, *added, *pixels[1:]]
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in whole
    )


def png_notes(file: BinaryIO) -> list[tuple[str, str]]:
    """(key, text) of all iTXt chunks that are not compressed, and of tEXt."""
    found = []
    for name, data in _chunks(_all(file)):
        key, _, rest = data.partition(b"\0")
        if name == b"tEXt":
            found.append((key.decode("latin-1"), rest.decode("latin-1")))
        elif name == b"iTXt" and rest[:1] == b"\0":
            text = rest[2:].split(b"\0", 2)
            found.append((key.decode("latin-1"), text[-1].decode("utf-8", "replace")))
    return found


def jpeg_with_notes(made: bytes, source: bytes, notes: Notes) -> bytes:
    """The JPEG `made` with EXIF, XMP, profile and comments of another, and comments of its own."""
    kept = b""
    for marker, data in _segment_data(source):
        if marker in _JPEG_KEPT:
            kept += struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data
    for text in notes.values():
        data = text.encode()[:65_000]
        kept += struct.pack(">BBH", 0xFF, 0xFE, len(data) + 2) + data
    return made[:2] + kept + made[2:]


def jpeg_notes(file: BinaryIO) -> list[tuple[str, str]]:
    return [("comment", data.decode("utf-8", "replace")) for m, data in _segment_data(_all(file)) if m == 0xFE]


def tiff_with_notes(made: bytes, source: bytes, notes: Notes) -> bytes:
    """The TIFF `made`, its directory written anew at its end: with fields of another, and a longer description."""
    order, fields = _fields(io.BytesIO(made))
    other, theirs = _fields(io.BytesIO(source)) if source else (order, {})
    for tag in _TIFF_KEPT:
        if source:
            fields.pop(tag, None)  # what alpha means, too, is as the source has it or leaves it open
        if tag in theirs:
            kind, count, data = theirs[tag]
            fields[tag] = (kind, count, data if other == order else _swapped(kind, data))
    said = fields.get(_DESCRIPTION, (2, 0, b""))[2].rstrip(b"\0").decode("utf-8", "replace")
    text = "\n".join([*([said] if said else []), *notes.values()]).encode() + b"\0"
    fields[_DESCRIPTION] = (2, len(text), text)
    whole = bytearray(made + b"\0" * (len(made) % 2))
    entries = b""
    for tag, (kind, count, data) in sorted(fields.items()):
        if len(data) > 4:
            data, place = struct.pack(f"{order}I", len(whole)), data
            whole += place + b"\0" * (len(place) % 2)
        entries += struct.pack(f"{order}HHI", tag, kind, count) + data.ljust(4, b"\0")
    struct.pack_into(f"{order}I", whole, 4, len(whole))
    return bytes(whole) + struct.pack(f"{order}H", len(fields)) + entries + b"\0\0\0\0"


def tiff_notes(file: BinaryIO) -> list[tuple[str, str]]:
    _, fields = _fields(file)
    _, _, text = fields.get(_DESCRIPTION, (2, 0, b""))
    return [("description", text.rstrip(b"\0").decode("utf-8", "replace"))]


def _all(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, content) of a PNG's chunks, as far as they are whole."""
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def _segments(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """(marker, bytes of content) of a JPEG's segments before its pixels; the file stands at each one's content."""
    if file.read(2) != b"\xff\xd8":
        raise ValueError("it is no JPEG")
    at = 2
    while True:
        file.seek(at)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] == 0xDA:
            return
        if head[1] == 0xFF:  # filler
            at += 1
            continue
        length = int.from_bytes(head[2:], "big")
        if length < 2:
            return
        yield head[1], length - 2
        at += 2 + length


def _segment_data(data: bytes) -> Iterator[tuple[int, bytes]]:
    file = io.BytesIO(data)
    if not data:
        return
    for marker, length in _segments(file):
        yield marker, file.read(length)


def _fields(file: BinaryIO) -> tuple[str, dict[int, tuple[int, int, bytes]]]:
    """Byte order, and (type, count, content) by tag of a TIFF's first directory."""
    start = file.read(8)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(start[:4])
    if order is None or len(start) < 8:
        raise ValueError("it is no TIFF (BigTIFF is not read)")
    file.seek(struct.unpack(f"{order}I", start[4:])[0])
    count = file.read(2)
    number = struct.unpack(f"{order}H", count)[0] if len(count) == 2 else 0
    entries = file.read(12 * number)
    if not 0 < number <= _MOST_FIELDS or len(entries) < 12 * number:
        raise ValueError("it is cut short")
    found, total = {}, 0
    for at in range(0, len(entries), 12):
        tag, kind, length = struct.unpack(f"{order}HHI", entries[at : at + 8])
        size = _TIFF_SIZES.get(kind, 0) * length
        data = entries[at + 8 : at + 12][:size]
        if size > 4:
            total += size
            if total > _MOST_BYTES:
                raise ValueError("its notes are too large")
            file.seek(struct.unpack(f"{order}I", entries[at + 8 : at + 12])[0])
            data = file.read(size)
            if len(data) < size:
                raise ValueError("it is cut short")
        found[tag] = (kind, length, data)
    return order, found


def _swapped(kind: int, data: bytes) -> bytes:
    """Content of a field in the other byte order."""
    size = {3: 2, 8: 2, 4: 4, 9: 4, 11: 4, 5: 4, 10: 4, 12: 8}.get(kind, 1)
    return b"".join(data[at : at + size][::-1] for at in range(0, len(data), size))
