"""Start time codes of clips, and those of their later frames. Source: SMPTE ST 12-1."""

from __future__ import annotations

import re
from fractions import Fraction

_CODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")
_MOST = 100  # frames a second that two digits count
_DAY = 24 * 60 * 60  # seconds


def frames_of(code: str, rate: Fraction) -> int | None:
    """The number of a code's frame since 00:00:00:00; None for what is no code at this rate."""
    found, base = _CODE.fullmatch(code), round(rate)
    if found is None or not 1 <= base <= _MOST:
        return None
    hours, minutes, seconds, frames = (int(found[place]) for place in (1, 2, 3, 5))
    if minutes > 59 or seconds > 59 or frames >= base:
        return None
    total = 60 * hours + minutes
    return (60 * total + seconds) * base + frames - (_dropped(base) * (total - total // 10) if _drops(code) else 0)


def seconds_of(code: str, rate: Fraction) -> Fraction | None:
    """The time of a code's frame since 00:00:00:00; None for what is no code at this rate."""
    frames = frames_of(code, rate)
    return None if frames is None else frames / rate


def code_of(frame: int, rate: Fraction) -> str:
    """The code of a frame counted from 00:00:00:00, without dropped numbers; "" at a rate that has none."""
    return timecode_at("00:00:00:00", frame, rate)


def timecode_at(start: str, frame: int, rate: Fraction) -> str:
    """The code of a frame, counted from that of the first, in the same form; "" where `start` is none."""
    first, base, mark = frames_of(start, rate), round(rate), start[8:9]
    if first is None:
        return ""
    number = first + frame
    if _drops(start):
        drop = _dropped(base)
        minute = 60 * base - drop  # frames of nine of ten minutes
        tens, rest = divmod(number, 10 * minute + drop)
        number += drop * (9 * tens + max(0, (rest - drop) // minute))
    number %= _DAY * base
    seconds, frames = divmod(number, base)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{frames:02d}"


def _drops(code: str) -> bool:
    """Whether numbers are left out to keep with the clock, as at 29.97 frames a second."""
    return code[8:9] in (";", ".")


def _dropped(base: int) -> int:
    """Numbers that are left out in nine of ten minutes: 2 of 30, 4 of 60."""
    return base // 15
