"""Tests of names: which files a folder or a pattern means. The files are empty: nobody opens them."""

from fractions import Fraction
from pathlib import Path

import pytest

from stitchedit.errors import CannotOpen, ConfigError
from stitchedit.video.sequence_names import (
    find_numbered,
    has_pattern,
    means_pictures,
    numbered_name,
    parse_fps,
    plain_name,
)


def some(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def frames(pattern: str, *numbers: int) -> list[str]:
    return [pattern % number for number in numbers]


@pytest.mark.parametrize("named", ["", "frame.%04d.exr", "frame.####.exr", "*.exr", "fr*.exr", "frame.*.exr"])
def test_a_shot_is_found_by_its_folder_and_by_patterns(tmp_path: Path, named: str) -> None:
    shot = some(tmp_path / "shot", *frames("frame.%04d.exr", 1003, 1001, 1002), "notes.txt", ".frame.1005.exr")
    found = find_numbered(shot / named)
    assert [path.name for path in found.files] == frames("frame.%04d.exr", 1001, 1002, 1003)
    assert found.numbers == (1001, 1002, 1003)
    assert found.suffix == ".exr"


def test_numbers_without_leading_zeros_are_put_in_order(tmp_path: Path) -> None:
    shot = some(tmp_path / "shot", *frames("f%d.png", *range(8, 13)))
    assert find_numbered(shot).numbers == find_numbered(shot / "f%d.png").numbers == (8, 9, 10, 11, 12)
    with pytest.raises(CannotOpen, match="no pictures have such names"):
        find_numbered(shot / "f%04d.png")


def test_longer_numbers_than_the_pattern_says(tmp_path: Path) -> None:
    shot = some(tmp_path / "shot", *frames("f.%04d.png", 9999, 10000), "f.09998.png")
    assert find_numbered(shot / "f.%04d.png").numbers == (9999, 10000)


def test_the_number_is_where_names_differ(tmp_path: Path) -> None:
    shot = some(tmp_path / "shot", *frames("sh010_%03d_v2.png", 7, 8))
    assert find_numbered(shot).numbers == (7, 8)
    assert find_numbered(some(tmp_path / "one", "sh010.0007.png")).numbers == (7,)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["a.1.png", "a.2.png", "a.4.png"], r"number 3 is missing between a\.2\.png and a\.4\.png"),
        (["a.1.png", "a.9.png"], "numbers 2 to 8 are missing"),
        (["a.1.png", "a.2.png", "b.1.png"], r"b\.1\.png: it does not belong to the pictures like a\.1\.png"),
        (["a.1.png", "a.2.png", "a.2.exr"], r"a\.2\.exr: it does not belong"),
        (["a.1.png", "a.01.png"], "it has the number of"),
        (["a1.1.png", "a2.2.png"], "more than one number"),
        (["face.png"], "its name has no number"),
        (["a.9999999999999.png"], "too many digits"),
        (["notes.txt"], "it is a folder without pictures"),
    ],
)
def test_what_is_no_shot_is_refused_by_the_name_of_the_file(tmp_path: Path, names: list[str], why: str) -> None:
    shot = some(tmp_path / "shot", *names)
    with pytest.raises(CannotOpen, match=why):
        find_numbered(shot)


def test_folders_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match="there is no folder"):
        find_numbered(tmp_path / "nowhere" / "f.%04d.png")


def test_what_means_pictures(tmp_path: Path) -> None:
    (tmp_path / "100%d.mp4").touch()
    assert means_pictures(tmp_path)
    assert means_pictures(tmp_path / "f.%04d.png")
    assert means_pictures(tmp_path / "*.png")
    assert not means_pictures(tmp_path / "clip.mp4")
    assert not means_pictures(tmp_path / "100%d.mp4"), "a file of that very name"
    assert not means_pictures(tmp_path / "take#2.mp4"), "videos are not numbered"
    assert not has_pattern(Path("take#2.age+2.mp4"))


def test_names_of_outputs_and_projects() -> None:
    assert numbered_name(Path("out/f.%04d.png"), 17) == "f.0017.png"
    assert numbered_name(Path("out/f.###.png"), 17) == "f.017.png"
    assert numbered_name(Path("out/f%d.png"), 17) == "f17.png"
    assert plain_name(Path("shot/frame.%04d.exr")) == "frame.exr"
    assert plain_name(Path("shot/frame_####.exr")) == "frame.exr"
    assert plain_name(Path("shot/%04d.exr")) == "exr"
    assert plain_name(Path("shot")) == "shot"


def test_frame_rates() -> None:
    for text, rate in (
        ("24", Fraction(24)),
        ("23.976", Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("12.5", Fraction(25, 2)),
        ("24000/1001", Fraction(24000, 1001)),
    ):
        assert parse_fps(text) == rate
    for text in ("0", "-24", "x", "1e9999999999", "1/0", "nan", "2000", ""):
        with pytest.raises(ConfigError, match="--fps"):
            parse_fps(text)
