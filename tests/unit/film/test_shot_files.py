"""Shots put back: every sample, time and side stream of the film is there again."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from stitchedit.errors import ProjectError
from stitchedit.film.shot_files import put_back
from stitchedit.film.shots import Shot
from stitchedit.progress import silent
from stitchedit.video import open_video, write_video
from stitchedit.video.excerpts import Excerpt, write_excerpts

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"
SHOTS = {2: Shot(2, 3, 6), 3: Shot(3, 7, 9)}


def cut(folder: Path) -> dict[int, Path]:
    files = {number: folder / f"{number}.mkv" for number in SHOTS}
    spans = {number: range(shot.first, shot.last + 1) for number, shot in SHOTS.items()}
    write_excerpts(open_video(CLIP), [Excerpt(spans[n], spans[n], files[n]) for n in SHOTS], silent)
    return files


def test_put_back_it_is_the_film(tmp_path: Path) -> None:
    source = open_video(CLIP)
    back = list(put_back(islice(source, 12), cut(tmp_path), SHOTS))
    for frame, of_film in zip(back, islice(source, 12), strict=True):
        assert (frame.index, frame.pts, frame.duration) == (of_film.index, of_film.pts, of_film.duration)
        assert all(np.array_equal(frame.planes[role], of_film.planes[role]) for role in "YUV")
    assert write_video(tmp_path / "out.mp4", source, iter(back)).frames == 12


@pytest.mark.parametrize(("frames", "said"), [(3, "ends before"), (5, "is longer")])
def test_a_shot_of_another_length_is_refused(tmp_path: Path, frames: int, said: str) -> None:
    source = open_video(CLIP)
    write_excerpts(source, [Excerpt(range(frames), range(frames), tmp_path / "2.mkv")], silent)
    with pytest.raises(ProjectError, match=said):
        list(put_back(islice(source, 12), {2: tmp_path / "2.mkv"}, SHOTS))
