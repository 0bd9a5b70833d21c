"""Parts of clips: the very samples, times and time code of their frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from shots import write_shot

from stitchedit.errors import CannotEncode, WouldReplace
from stitchedit.progress import silent
from stitchedit.video import VideoSource, open_video
from stitchedit.video.excerpts import Excerpt, write_excerpts

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"  # 48 frames


def planes(source: VideoSource) -> list[dict[str, np.ndarray]]:
    return [{role: np.array(plane) for role, plane in frame.planes.items()} for frame in source]  # type: ignore[attr-defined]


def test_parts_have_the_samples_and_times_of_their_frames(tmp_path: Path) -> None:
    source = open_video(CLIP)
    whole = planes(source)
    parts = [
        Excerpt(range(5, 9), range(6, 8), tmp_path / "b.mkv", "01:00:00:05"),
        Excerpt(range(7), range(7), tmp_path / "a.mkv"),
        Excerpt(range(44, 60), range(46, 48), tmp_path / "c.mkv"),
    ]
    write_excerpts(source, parts, silent)
    for part in parts:
        made = open_video(part.path)
        found = planes(made)
        assert len(found) == len(range(part.frames.start, min(48, part.frames.stop)))
        for old, new in zip(whole[part.frames.start :], found, strict=False):
            assert all(np.array_equal(old[role], new[role]) for role in old)
        times = [frame.time for frame in made]
        assert times[0] == 0
        assert times[1] == pytest.approx(1 / 24, abs=1e-5)
        assert (made.info.rate, made.info.pix_fmt, made.info.audio_streams) == (24, source.info.pix_fmt, 0)
        assert (made.info.colour, made.info.size_bytes > 0) == (source.info.colour, True)
        assert made.info.start_timecode == part.timecode


def excerpts(path: Path, *spans: tuple[int, int]) -> Sequence[Excerpt]:
    return [Excerpt(range(*span), range(*span), path) for span in spans]


def test_cut_out_again_it_is_the_same_file_and_an_error_leaves_none(tmp_path: Path) -> None:
    source = open_video(CLIP)
    for name in "ab":
        write_excerpts(source, excerpts(tmp_path / f"{name}.mkv", (2, 5)), silent)
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()

    def stop(*_: object) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_excerpts(source, excerpts(tmp_path / "c.mkv", (2, 5)), stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "b.mkv"]


def test_what_is_there_is_kept_or_not_touched(tmp_path: Path) -> None:
    source, path = open_video(CLIP), tmp_path / "a.mkv"
    write_excerpts(source, excerpts(path, (2, 4)), silent)
    before = path.stat().st_mtime_ns
    write_excerpts(source, excerpts(path, (2, 4)), silent)
    assert path.stat().st_mtime_ns == before
    with pytest.raises(WouldReplace, match="not this excerpt"):
        write_excerpts(source, excerpts(path, (2, 5)), silent)
    path.write_text("mine")
    with pytest.raises(WouldReplace, match="not this excerpt"):
        write_excerpts(source, excerpts(path, (2, 4)), silent)
    assert path.read_text() == "mine"


def test_frames_that_are_not_there_are_told_and_nothing_is_left(tmp_path: Path) -> None:
    for span in ((46, 50), (90, 92)):
        with pytest.raises(
            CannotEncode, match=f"frames {span[0]} to {span[1] - 1} are wanted, and the clip ends at 47"
        ):
            write_excerpts(open_video(CLIP), excerpts(tmp_path / "a.mkv", span), silent)
    assert not list(tmp_path.iterdir())


def test_pictures_stay_the_same_files(tmp_path: Path) -> None:
    write_shot(tmp_path / "shot", "rgb8", ".png", range(101, 107))
    source = open_video(tmp_path / "shot")
    (part,) = excerpts(tmp_path / "part", (1, 4))
    write_excerpts(source, [part], silent)
    write_excerpts(source, [part], silent)
    assert sorted(path.name for path in part.path.iterdir()) == [f"frame.{n:04d}.png" for n in (102, 103, 104)]
    assert (part.path / "frame.0102.png").samefile(tmp_path / "shot" / "frame.0102.png")
    assert source.info.start_timecode == ""
    with pytest.raises(WouldReplace):
        write_excerpts(source, excerpts(part.path, (0, 4)), silent)
    with pytest.raises(CannotEncode, match="the clip ends at 5"):
        write_excerpts(source, excerpts(tmp_path / "far", (4, 9)), silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part", "shot"]
