"""The values of a cut list. Times are exact seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from stitchedit.errors import CannotOpen

_NEAR = Fraction(1, 100)  # of a frame: times of files are rounded, to milliseconds or in binary


@dataclass(frozen=True, slots=True)
class Shot:
    """A piece of a medium that a time line shows."""

    number: int  # 1 is the first; track by track, each in the order of time
    name: str  # as the time line has it; several shots may share it
    media: Path  # a file, a folder of pictures, or a pattern of numbered pictures; it is there
    start: Fraction  # of the first moment that is shown, in the medium's own time: its time code, where it has one
    duration: Fraction  # of what is shown of the medium, with what transitions need
    media_start: Fraction | None  # of the medium's first frame in that time, as the time line says; None: it does not
    rate: Fraction  # frames a second that these times count in
    record: Fraction  # where the shot begins in the time line, transitions left aside
    record_duration: Fraction
    speed: Fraction  # seconds of the medium that pass in one of the time line; 0 is a still frame

    def frames(self, rate: Fraction, count: int, first: Fraction = Fraction(0)) -> range:
        """Which frames of the medium are shown.

        Args:
            rate: frames a second of the medium; count: how many it has.
            first: its first frame's time, in seconds, which counts where the time line names none: its time code.
        Raises: CannotOpen, where the medium has not all of them.
        """
        offset = self.start - (first if self.media_start is None else self.media_start)
        start = math.floor(offset * rate + _NEAR)
        stop = max(start + 1, math.ceil((offset + self.duration) * rate - _NEAR))
        if not 0 <= start < stop <= count:
            why = f"shot {self.number}, '{self.name}', wants its frames {start} to {stop - 1}"
            raise CannotOpen(
                self.media,
                f"{why}, and it has 0 to {count - 1}",
                "give the medium that the time line was cut with, or leave the shot out",
            )
        return range(start, stop)


@dataclass(frozen=True, slots=True)
class CutList:
    """A time line that was read."""

    path: Path
    shots: tuple[Shot, ...]
    kept: tuple[str, ...]  # a line for everything else in its video tracks, which stays as it is
    timeline: Any  # opentimelineio.schema.Timeline
    clips: tuple[Any, ...]  # opentimelineio.schema.Clip of each shot


def exact_rate(rate: float) -> Fraction:
    """Frames a second as a fraction: what is written as 23.976 is a thousandth part less than 24.

    Raises: ValueError, for what is none.
    """
    if not 0 < rate <= 1000:
        raise ValueError(f"a rate of {rate}")
    whole = round(rate)
    near = min((Fraction(whole), Fraction(whole * 1000, 1001)), key=lambda known: abs(known - Fraction(rate)))
    return near if abs(near - Fraction(rate)) < Fraction(1, 200) and near else Fraction(rate).limit_denominator(1001)
