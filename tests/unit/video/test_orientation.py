from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stitchedit.video import Frame, open_video, paste
from stitchedit.video.orientation import Orientation, from_matrix, parse_matrix

ALL = [Orientation(*bits) for bits in itertools.product((False, True), repeat=3)]


def matrix_of(orientation: Orientation) -> list[int]:
    one_x, one_y = (-65536 if orientation.flip_x else 65536), (-65536 if orientation.flip_y else 65536)
    if orientation.transpose:
        return [0, one_y, 0, one_x, 0, 0, 0, 0, 1 << 30]
    return [one_x, 0, 0, 0, one_y, 0, 0, 0, 1 << 30]


@pytest.mark.parametrize("orientation", ALL)
def test_the_eight_orientations_are_recognised(orientation: Orientation) -> None:
    assert from_matrix(matrix_of(orientation)) == orientation


@pytest.mark.parametrize("matrix", [[46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30], [0] * 9])
def test_other_angles_are_none(matrix: list[int]) -> None:
    assert from_matrix(matrix) is None


def test_side_data_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="36 bytes"):
        parse_matrix(b"\0" * 35)


@pytest.mark.parametrize("orientation", ALL)
def test_upright_and_stored_are_inverse_and_boxes_follow(orientation: Orientation) -> None:
    stored = np.arange(5 * 7 * 2).reshape(5, 7, 2)
    upright = orientation.upright(stored)
    assert upright.shape[:2] == orientation.size(7, 5)[::-1]
    assert np.array_equal(orientation.stored(upright), stored)
    x0, y0, x1, y1 = orientation.stored_box((1, 2, 4, 5), 7, 5)
    assert np.array_equal(orientation.upright(stored[y0:y1, x0:x1]), upright[2:5, 1:4])


@pytest.mark.parametrize("orientation", ALL)
@pytest.mark.parametrize("name", ["yuv420p", "rgb24"])
def test_frames_are_read_and_pasted_upright(
    random_frame: Callable[..., Frame], orientation: Orientation, name: str
) -> None:
    frame = random_frame(name, 14, 10, orientation=orientation)
    width, height = frame.size
    assert frame.rgb().shape == (height, width, 3)
    box = (2, 4, 6, 9)
    alpha = np.ones((5, 4), np.float32)
    made = paste(frame, np.full((5, 4, 3), 128, np.uint8), alpha, box)
    changed = np.abs(made.rgb_float().mean(2) - 128) < 1
    assert changed[4:9, 2:6].mean() > 0.7  # chroma at the rim of the box keeps its value
    same = np.ones((height, width), bool)
    same[4:9, 2:6] = False
    assert np.array_equal(made.rgb()[same], frame.rgb()[same])
    assert np.array_equal(frame.rgb(box), frame.rgb()[4:9, 2:6])


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_clip_on_its_side_is_shown_as_the_ffmpeg_command_shows_it(
    ffmpeg: Callable[..., bytes], clip: Path, tmp_path: Path, degrees: int
) -> None:
    path = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", degrees, "-i", clip, "-c", "copy", path)
    source = open_video(path)
    assert source.info.rotation == (360 - degrees) % 360  # the command counts the other way
    assert (source.info.width, source.info.height) == ((128, 96) if degrees == 180 else (96, 128))
    theirs = ffmpeg("-i", path, "-frames:v", 1, "-pix_fmt", "gray", "-f", "rawvideo", "-")
    luma = np.frombuffer(theirs, np.uint8).reshape(source.info.height, source.info.width)
    shown = next(iter(source)).rgb_float() @ (0.299, 0.587, 0.114)
    assert np.corrcoef(shown.ravel(), luma.ravel())[0, 1] > 0.999
