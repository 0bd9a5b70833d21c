"""Shots cut out and put back: every sample, time and side stream of the film is there again."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from stitchedit.errors import ProjectError
from stitchedit.film.shot_files import ShotWriter, cut_out, put_back
from stitchedit.film.shots import Shot
from stitchedit.video import open_video, write_video

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"
SHOTS = {2: Shot(2, 3, 6), 3: Shot(3, 7, 9)}


def cut(folder: Path) -> dict[int, Path]:
    files = {number: folder / f"{number}.mkv" for number in SHOTS}
    cut_out(CLIP, {files[number]: shot for number, shot in SHOTS.items()})
    return files


def test_a_shot_holds_the_films_samples(tmp_path: Path) -> None:
    source = list(islice(open_video(CLIP), 10))
    for number, path in cut(tmp_path).items():
        shot, own = SHOTS[number], open_video(path)
        assert (own.info.width, own.info.height, own.info.rate) == (640, 360, 24)
        assert own.info.audio_streams == 0
        frames = list(own)
        assert len(frames) == shot.frames
        for frame, of_film in zip(frames, source[shot.first :], strict=False):
            assert all(np.array_equal(frame.planes[role], of_film.planes[role]) for role in "YUV")


def test_cut_out_again_it_is_the_same_file(tmp_path: Path) -> None:
    first = {number: path.read_bytes() for number, path in cut(tmp_path).items()}
    assert {number: path.read_bytes() for number, path in cut(tmp_path).items()} == first


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
    with ShotWriter(tmp_path / "2.mkv", source.info) as writer:
        for frame in islice(source, frames):
            writer.write(frame)
    with pytest.raises(ProjectError, match=said):
        list(put_back(islice(source, 12), {2: tmp_path / "2.mkv"}, SHOTS))


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    source = open_video(CLIP)

    def stopped() -> None:
        with ShotWriter(tmp_path / "2.mkv", source.info) as writer:
            writer.write(next(iter(source)))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stopped()
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_ends_early_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="has not the frames of shot 1"):
        cut_out(CLIP, {tmp_path / "1.mkv": Shot(1, 46, 60)})
    assert list(tmp_path.iterdir()) == []
