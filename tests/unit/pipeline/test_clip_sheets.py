"""Sheets to look at."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

from stitchedit.faces.alignment import to_source
from stitchedit.faces.mesh import mean_face
from stitchedit.pipeline.clip_sheets import FACE_PX, faces_sheet
from stitchedit.types import ByteArray, FaceState, Tracks

RED, BLUE = (255, 0, 0), (0, 0, 255)


def sheet_of(folder: Path, faces: list[tuple[int, tuple[int, int, int]]]) -> ByteArray:
    """The sheet of one-coloured faces of 160 px, by where they begin from the left of a white picture."""
    _, marks = mean_face()
    picture, tracks = np.full((200, 400, 3), 255, np.uint8), []
    for left, colour in faces:
        quad = np.float32([[left, 20], [left, 180], [left + 160, 180], [left + 160, 20]])
        picture[20:180, max(0, left) : left + 160] = colour
        landmarks = np.repeat(to_source(marks, quad)[None].astype(np.float32), 3, 0)
        tracks.append(Tracks(landmarks, np.full(3, FaceState.FOUND, np.uint8), (400, 200), Fraction(25)))
    source = [SimpleNamespace(index=k, rgb=lambda: picture) for k in range(3)]
    faces_sheet(source, tracks, folder / "faces.png")  # type: ignore[arg-type]
    return cv2.cvtColor(cv2.imread(str(folder / "faces.png")), cv2.COLOR_BGR2RGB)


def test_the_sheet_shows_what_is_outside_of_the_picture_as_nothing(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, [(-80, RED), (220, BLUE)])
    middle = sheet.shape[0] // 2
    assert sheet[middle, 8 + FACE_PX // 4].tolist() == [0, 0, 0], "and no mirror image"
    assert sheet[middle, 8 + 3 * FACE_PX // 4].tolist() == list(RED)


def test_many_faces_are_in_rows(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, [(20, RED)] * 6 + [(220, BLUE)] * 2)
    height, width = sheet.shape[:2]
    assert width < 6.2 * FACE_PX
    assert height > 2 * FACE_PX
    assert sheet[height // 4, width - FACE_PX // 2].tolist() == list(RED)
    assert sheet[3 * height // 4, FACE_PX // 2].tolist() == list(BLUE)
    assert not sheet[3 * height // 4, 3 * FACE_PX :].any()


def test_the_sheet_of_faces_shows_each_where_it_is(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, [(20, RED), (220, BLUE)])
    middle = sheet.shape[0] // 2
    assert sheet.shape[1] > 2 * FACE_PX
    assert sheet[middle, FACE_PX // 2].tolist() == list(RED)
    assert sheet[middle, -FACE_PX // 2].tolist() == list(BLUE)
