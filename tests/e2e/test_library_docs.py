"""The code blocks of docs/library.md, run one after the other."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import CLIP, ROOT

from stitchedit.video import open_video, write_video

FRAMES = 4


def code_blocks(text: str) -> list[str]:
    """The blocks that are marked as Python."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_worked_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    source = open_video(CLIP)
    write_video(tmp_path / "clip.mp4", source, islice(source, FRAMES))
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "library.md"
    names: dict[str, Any] = {}
    for number, block in enumerate(code_blocks(page.read_text(encoding="utf-8")), 1):
        exec(compile(block, f"{page.name}, block {number}", "exec"), names)
    assert capsys.readouterr().out == "unknown preset 'quick'\nchoose one of fast, balanced, quality, stit\n"

    clip, done, result = names["clip"], names["done"], names["result"]
    assert clip.tracks.landmarks.shape == (FRAMES, 68, 2)
    assert clip.crops.images[0].shape == (256, 256, 3)
    assert clip.latents.ws.shape == (FRAMES, 16, 512)
    assert names["picture"].shape == (360, 640, 3)
    assert names["picture"].dtype == np.uint8
    assert re.fullmatch("direction-[0-9a-f]{6}", names["mine"].name)
    assert (done.output, done.edited_frames) == (Path("out.mp4"), FRAMES)
    assert np.isfinite(names["flicker"].value)
    assert (tmp_path / "both.png").is_file()

    for shown in (clip, done, names["sheet"]):
        assert shown._repr_png_().startswith(b"\x89PNG")
    assert "<td>flicker</td>" in result._repr_html_()
    source_frame = next(islice(iter(open_video(CLIP)), 2, None)).rgb()
    changed = np.abs(names["picture"].astype(int) - source_frame).max(axis=2) > 8
    assert 0.005 < changed.mean() < 0.3, "the face, and nothing else"
