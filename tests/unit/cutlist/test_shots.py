"""Times to the frame."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from stitchedit.cutlist.shots import Shot, exact_rate
from stitchedit.errors import CannotOpen

NTSC = Fraction(24000, 1001)
SHOT = Shot(1, "s", Path("a.mov"), 86410 / NTSC, 20 / NTSC, 86400 / NTSC, NTSC, Fraction(0), 20 / NTSC, Fraction(1))


def test_frames_of_a_medium() -> None:
    assert SHOT.frames(NTSC, 100) == range(10, 30)
    assert SHOT.frames(2 * NTSC, 100) == range(20, 60)
    assert replace(SHOT, start=SHOT.start + Fraction(1, 2000)).frames(NTSC, 100) == range(10, 31)
    assert replace(SHOT, start=SHOT.start - Fraction(1, 10_000)).frames(NTSC, 100) == range(10, 30)
    assert replace(SHOT, media_start=None).frames(NTSC, 100, 86400 / NTSC) == range(10, 30)
    with pytest.raises(CannotOpen, match=r"shot 1, 's', wants its frames 10 to 29, and it has 0 to 28"):
        SHOT.frames(NTSC, 29)
    with pytest.raises(CannotOpen, match="wants its frames"):
        replace(SHOT, media_start=None).frames(NTSC, 100)


def test_rates() -> None:
    assert exact_rate(23.976) == exact_rate(23.976023976) == exact_rate(23.98) == NTSC
    assert exact_rate(29.97) == Fraction(30000, 1001)
    assert (exact_rate(24), exact_rate(25.0), exact_rate(12.5)) == (24, 25, Fraction(25, 2))
    for rate in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="a rate"):
            exact_rate(rate)
