"""`stitchedit preview` and `sheet` as they are given: what is wrong is one line, before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import CLIP, error, run
from PIL import Image


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--direction", "agee"), 8, "unknown direction 'agee'"),
        (("--years", "5", "--strength", "1"), 2, "--years counts the strengths of `age` alone"),
        (("--strength", "100"), 2, "range"),
        (("--region", "nose"), 2, "unknown region 'nose'"),
        (("-o", "sheet.jpg"), 2, "what is written is .png"),
        ((), 3, "no stitchedit project"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, options: tuple[str, ...], code: int, said: str) -> None:
    assert said in error(run("preview", *options, cwd=tmp_path, expect=code))
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_shows_the_same_moments_of_each_clip(tmp_path: Path) -> None:
    run("sheet", CLIP, CLIP, "--frames", 2, "-o", "sheet.png", cwd=tmp_path)
    picture = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert picture.ndim == 3
    assert picture.std() > 10, "something is to be seen"
    assert "nowhere.mp4" in error(run("sheet", CLIP, "nowhere.mp4", "-o", "other.png", cwd=tmp_path, expect=4))
    assert "what is written is .png" in error(run("sheet", CLIP, "-o", "a.gif", cwd=tmp_path, expect=2))
