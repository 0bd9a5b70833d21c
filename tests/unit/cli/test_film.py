"""`stitchedit film` as it is given: what is wrong is one line, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CLIP, error, run


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--years", "lots"), 2, "lots"),
        (("--direction", "agee"), 8, "unknown direction 'agee'"),
        (("--audio", "mp3"), 2, "unknown audio"),
        (("--preset", "slow"), 2, "unknown preset"),
        (("--codec", "vp8"), 2, "unknown codec"),
        (("--codec", "prores", "--lossless"), 2, "beside lossless"),
        (("--colourspace", "acescq"), 2, "no colour space 'acescq'"),
        (("--skip", "shot"), 2, "is no cut list"),
        (("--shots", "-o", "out.mp4"), 2, "nothing is put together"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, options: tuple[str, ...], code: int, said: str) -> None:
    assert said in error(run("film", CLIP, "--folder", tmp_path / "film", *options, cwd=tmp_path, expect=code))
    assert not (tmp_path / "film").exists()


def test_a_film_that_is_not_there(tmp_path: Path) -> None:
    assert "nowhere.mp4" in error(run("film", "nowhere.mp4", "--people", cwd=tmp_path, expect=4))


def test_a_folder_or_cut_list_without_clips(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    assert "holds no video" in error(run("film", "clips", "--people", cwd=tmp_path, expect=2))
    (tmp_path / "cut.edl").write_text("TITLE: T\n\n001  gone  V  C  00:00:01:00 00:00:01:10 01:00:00:00 01:00:00:10\n")
    told = error(run("film", "cut.edl", "--fps", "24", "--people", cwd=tmp_path, expect=4))
    assert "media are missing of 1 of its shots: '001' (it names none)" in told
    assert "does not say its frame rate" in error(run("film", "cut.edl", "--people", cwd=tmp_path, expect=2))


def test_a_task_of_no_plan(tmp_path: Path) -> None:
    assert "tune/1: " in error(run("film-task", tmp_path, "tune/1", cwd=tmp_path, expect=3))
