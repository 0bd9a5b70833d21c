"""Which frames of which medium a shot of a cut list is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

pytest.importorskip("opentimelineio")

from stitchedit.cutlist.reading import read_cut_list
from stitchedit.errors import CannotOpen
from stitchedit.pipeline.cut_shots import plan_shots

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"  # 48 frames, 24 a second


def test_time_code_of_the_medium_counts_where_the_list_names_none(tmp_path: Path) -> None:
    edl = tmp_path / "cut.edl"
    edl.write_text("TITLE: T\n\n001  demo  V  C  00:00:01:00 00:00:01:10 01:00:00:00 01:00:00:10\n")
    (clip,) = plan_shots(read_cut_list(edl, CLIP.parent, rate=Fraction(24)), 0)
    assert (clip.frames, clip.first) == (range(24, 34), 0)
    edl.write_text("TITLE: T\n\n001  demo  V  C  10:00:01:00 10:00:01:10 01:00:00:00 01:00:00:10\n")
    with pytest.raises(CannotOpen, match=r"shot 1, '001', wants its frames 864024"):
        plan_shots(read_cut_list(edl, CLIP.parent, rate=Fraction(24)), 0)
