"""Random changes to a file: bytes, numbers, pieces moved about, and texts where the file is text."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import tomllib
import zipfile
from contextlib import suppress
from typing import Any

import tomli_w

NUMBERS = [
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 62,
    (1 << 64) - 1,
]
WORDS = [
    *(b"../../../../etc/passwd", b"/etc/passwd", b"/dev/zero", b"http://127.0.0.1/x", b"concat:a|b", b"-i", b"file:a"),
    *(
        b"0",
        b"-1",
        b"1e999",
        b"nan",
        b"inf",
        b"-inf",
        b"99999999999999999999",
        b"9223372036854775807",
        b"true",
        b"null",
    ),
    *(b"[]", b"{}", b"[[[[[[[[", b'""', b'"x"', b"'\\u0000'", b'"\\u0000"', b"1979-05-27", b"\xff\xfe", b"%n%s", b"\n"),
    *(b"[" * 3000, b"x" * 5000, b"__class__", b"object", b"|O", b"<U9999999", b"(9999999999999,)", b"a = 1\n"),
]
TOKEN = re.compile(rb"[A-Za-z_][\w./+-]*|-?\d[\d.e+-]*|\"[^\"\n]*\"|'[^'\n]*'")


FLOATS = [struct.pack("<f", v) for v in (float("nan"), float("inf"), -float("inf"), 0.0, 1e30, -1e30, 1e6, -5e3, 1e-30)]
FLOATS += [number.to_bytes(4, "little") for number in (1, 2, 1 << 31, (1 << 32) - 1)]
VALUES: list[Any] = [
    *(0, -1, 1, 2, 7, 1 << 31, 1 << 62, -(1 << 62), 0.5, float("inf"), float("nan"), -1e308, True, "", "x" * 3000),
    *("../../x", "/etc/passwd", "/dev/zero", "http://127.0.0.1/x", "\0", "\x1b[2J", "-i", "stylegan2", [], {}, [[[]]]),
    *([1, 2], [0], ["x"], {"x": 1}, [1e300] * 50, [-3, 5], [1 << 40, 1 << 40], "F64", "BOOL", "U8", "W+", "function"),
]


def mutate(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Between one and a few changes; about every tenth file is only cut.

    Half of the archives, tables and headers are changed in what they hold, and whole outside, checksums and all.
    """
    if rng.random() < 0.1:
        return data[: rng.randrange(len(data) + 1)]
    if rng.random() < 0.5:
        with suppress(ValueError, RecursionError):
            return _inside(data, rng, others)
    return _bytes(data, rng, others)


def _inside(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Raises ValueError, when the file is none of these."""
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        chosen = rng.choice(list(members))
        change = _numbers if rng.random() < 0.6 else _bytes
        members[chosen] = change(members[chosen], rng, [*members.values()])
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return out.getvalue()
    if data[8:9] == b"{":
        if rng.random() < 0.5:
            return _numbers(data, rng, others)
        length = int.from_bytes(data[:8], "little")
        header = json.dumps(_value(json.loads(data[8 : 8 + length]), rng)).encode()
        return len(header).to_bytes(8, "little") + header + data[8 + length :]
    if data[:1] == b"{":
        return json.dumps(_value(json.loads(data), rng)).encode()
    return tomli_w.dumps(_value(tomllib.loads(data.decode()), rng)).encode()


def _value(value: Any, rng: random.Random) -> Any:
    """The same with one value somewhere in it changed, left out or doubled."""
    if isinstance(value, str) and value[:1] == "{":
        return json.dumps(_value(json.loads(value), rng))
    if not isinstance(value, dict | list) or not value:
        return rng.choice(VALUES)
    key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
    match rng.randrange(12):
        case 0:
            del value[key]
        case 1 if isinstance(value, dict):
            value[rng.choice(["x", "", "__metadata__", "stages", key + "x"])] = value[key]
        case 1 | 2:
            value[key] = rng.choice(VALUES)
        case _:
            value[key] = _value(value[key], rng)
    return value


def _numbers(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """Some of the numbers behind the header become extreme ones."""
    changed = bytearray(data)
    start = 8 + int.from_bytes(data[:8], "little") if data[8:9] == b"{" else 128 if data[:1] == b"\x93" else 0
    for _ in range(rng.choice((1, 2, 10, 100))):
        if len(data) - start >= 4:
            at = rng.randrange(start, len(data) - 3, 4)
            changed[at : at + 4] = rng.choice(FLOATS)
    return bytes(changed)


def _bytes(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        _one(changed, rng, others)
    return bytes(changed)


def _one(data: bytearray, rng: random.Random, others: list[bytes]) -> None:
    if not data:
        data += rng.randbytes(rng.randrange(1, 64))
        return
    # Headers are small and say the most: half of the changes are made near the start or the end.
    at = rng.randrange(len(data))
    if rng.random() < 0.5:
        at = min(at, rng.randrange(1, 2000)) if rng.random() < 0.6 else max(at, len(data) - rng.randrange(1, 2000))
        at = min(max(at, 0), len(data) - 1)
    match rng.randrange(9):
        case 0:
            data[at] ^= 1 << rng.randrange(8)
        case 1:
            data[at] = rng.randrange(256)
        case 2:
            width, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
            number = rng.choice(NUMBERS) & ((1 << (8 * width)) - 1)
            data[at : at + width] = number.to_bytes(width, order)  # type: ignore[arg-type]
        case 3:
            data[at : at + rng.randrange(1, 64)] = b""
        case 4:
            data[at:at] = rng.randbytes(rng.randrange(1, 32))
        case 5:
            start = rng.randrange(len(data))
            data[at:at] = data[start : start + rng.randrange(1, 256)]
        case 6:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            data[at : at + rng.randrange(256)] = other[start : start + rng.randrange(1, 512)]
        case _:
            _word(data, rng, at)


def _word(data: bytearray, rng: random.Random, at: int) -> None:
    """Another word, number or quoted text in place of one that is there."""
    window = bytes(data[at : at + 400])
    found = TOKEN.search(window)
    start, end = found.span() if found else (0, min(4, len(window)))
    word = rng.choice(WORDS)
    if found and found[0][:1] in b"\"'" and rng.random() < 0.6 and word[:1] not in b"\"'":
        word = found[0][:1] + word + found[0][:1]
    data[at + start : at + end] = word
