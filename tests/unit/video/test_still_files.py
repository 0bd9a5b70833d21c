"""Pictures that painting programs read and write."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stitchedit.errors import CannotEncode, CannotOpen
from stitchedit.types import FloatArray
from stitchedit.video.still_files import read_still, require_still_name, still_frame, still_size, write_still


@pytest.fixture
def picture() -> FloatArray:
    return np.random.default_rng(0).uniform(0, 255, (12, 20, 3)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".exr", ".png", ".tif"])
def test_a_picture_comes_back(tmp_path: Path, picture: FloatArray, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_still(path, picture, 24, "age+2")
    assert still_size(path) == (20, 12)
    np.testing.assert_allclose(read_still(path), picture, atol=0.005)
    assert still_frame(path) == (24 if suffix == ".exr" else None)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_exr_keeps_what_is_beyond_white_and_below_black(tmp_path: Path, picture: FloatArray) -> None:
    write_still(tmp_path / "a.exr", picture * 3 - 100, 0, "x")
    np.testing.assert_allclose(read_still(tmp_path / "a.exr"), picture * 3 - 100, atol=0.005)


def test_eight_bits_of_another_program_are_read(tmp_path: Path, picture: FloatArray) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), np.rint(picture[..., ::-1]))
    np.testing.assert_allclose(read_still(tmp_path / "a.png"), np.rint(picture), atol=1e-3)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotEncode, match=r"\.jpg is no picture to paint on"):
        require_still_name(tmp_path / "a.jpg")
    with pytest.raises(CannotOpen, match="no picture that can be taken back"):
        still_size(tmp_path / "a.jpg")
    with pytest.raises(CannotOpen, match="no such file"):
        still_size(tmp_path / "a.png")
    (tmp_path / "a.exr").write_text("none")
    with pytest.raises(CannotOpen, match="no OpenEXR file"):
        read_still(tmp_path / "a.exr")
