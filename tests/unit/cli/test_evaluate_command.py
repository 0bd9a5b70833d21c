"""`stitchedit evaluate` as it is given: what is wrong is one line, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CLIP, error, run


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("nowhere.mp4",), 4, "nowhere.mp4"),
        ((CLIP,), 3, "no project behind"),
        ((CLIP, "--truth", "nowhere.mp4"), 4, "nowhere.mp4"),
        ((CLIP, "--source", "nowhere.mp4"), 4, "nowhere.mp4"),
        ((CLIP, "--direction", "agee"), 8, "unknown direction 'agee'"),
        ((CLIP, "-o", "page.pdf"), 2, "what is written is .html"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, options: tuple[str, ...], code: int, said: str) -> None:
    assert said in error(run("evaluate", *options, cwd=tmp_path, expect=code))
    assert list(tmp_path.iterdir()) == []
