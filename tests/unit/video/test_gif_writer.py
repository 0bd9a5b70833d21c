"""Tests of GIF output; Pillow reads what was written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from stitchedit.errors import NotWritable
from stitchedit.provenance.manifest import notice, read_back
from stitchedit.video import open_video, paste, write_video

DELAYS = [70, 130, 40, 500]  # ms


def animated(path: Path, *, loop: int | None = 0) -> list[Image.Image]:
    """Four frames of few colours with a transparent corner and delays of their own."""
    frames = []
    for k in range(4):
        picture = Image.new("RGBA", (40, 30), (10 * k, 100, 200, 255))
        picture.paste((250, 20 * k, 0, 255), (5 + k, 5, 20 + k, 25))
        picture.paste((0, 0, 0, 0), (30, 20, 40, 30))
        frames.append(picture)
    more = {} if loop is None else {"loop": loop}
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=DELAYS, disposal=2, **more)
    return frames


def test_delays_colours_and_transparency_come_back(tmp_path: Path) -> None:
    frames = animated(tmp_path / "in.gif")
    source = open_video(tmp_path / "in.gif")
    done = write_video(tmp_path / "out.gif", source, source, metadata=notice("age +2"))
    assert done.frames == 4
    assert done.notes == ()
    with Image.open(tmp_path / "out.gif") as made:
        assert made.info["loop"] == 0
        shown = [(frame.info["duration"], np.asarray(frame.convert("RGBA"))) for frame in ImageSequence.Iterator(made)]
    assert [delay for delay, _ in shown] == DELAYS
    for (_, new), old in zip(shown, frames, strict=True):
        wanted = np.asarray(old)
        np.testing.assert_array_equal(new[..., 3], wanted[..., 3])
        np.testing.assert_array_equal(new[wanted[..., 3] > 0], wanted[wanted[..., 3] > 0])
    ours = [(a.pts, b.pts) for a, b in zip(source, open_video(tmp_path / "out.gif"), strict=True)]
    assert all(old == new for old, new in ours)


def test_the_notice_is_a_comment(tmp_path: Path) -> None:
    animated(tmp_path / "in.gif")
    source = open_video(tmp_path / "in.gif")
    write_video(tmp_path / "out.gif", source, source, metadata=notice("age +2, " + "long " * 200))
    assert read_back(tmp_path / "out.gif").edits == ("age +2, " + "long " * 200,)
    with Image.open(tmp_path / "out.gif") as made:
        comment = made.info["comment"].decode()
    assert json.loads(comment[comment.index("{") :])["edit"].startswith("age +2")


def test_a_gif_that_plays_once_plays_once(tmp_path: Path) -> None:
    animated(tmp_path / "in.gif", loop=None)
    source = open_video(tmp_path / "in.gif")
    write_video(tmp_path / "out.gif", source, source)
    with Image.open(tmp_path / "out.gif") as made:
        assert "loop" not in made.info


def test_many_colours_are_rounded_and_it_is_said(tmp_path: Path) -> None:
    animated(tmp_path / "in.gif")
    source = open_video(tmp_path / "in.gif")
    y, x = np.mgrid[:20, :24].astype(np.float32)
    patch, alpha = np.stack([x * 10, y * 12, 255 - x * 10], 2), np.ones((20, 24), np.float32)
    edited = (paste(frame, patch, alpha, (2, 2, 26, 22)) for frame in source)
    done = write_video(tmp_path / "out.gif", source, edited)
    assert ["256 colours" in note for note in done.notes] == [True]
    with Image.open(tmp_path / "out.gif") as made:
        new = np.asarray(made.convert("RGB"), int)[2:22, 2:26]
    assert np.abs(new - patch).mean() < 8


def test_a_video_with_sound_as_gif(clip: Path, tmp_path: Path) -> None:
    source = open_video(clip)
    done = write_video(tmp_path / "out.gif", source, source)
    assert any("no sound" in note for note in done.notes)
    times = [float(frame.time) for frame in open_video(tmp_path / "out.gif")]
    np.testing.assert_allclose(times, [float(frame.time) for frame in source], atol=0.0051)


def test_what_goes_wrong_leaves_nothing(tmp_path: Path) -> None:
    animated(tmp_path / "in.gif")
    source = open_video(tmp_path / "in.gif")
    with pytest.raises(NotWritable, match="being read"):
        write_video(tmp_path / "in.gif", source, source)
    with pytest.raises(ZeroDivisionError):
        write_video(tmp_path / "out.gif", source, (frame for frame in source if 1 / (2 - frame.index)))
    assert [path.name for path in tmp_path.iterdir()] == ["in.gif"]
