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
from stitchedit.types import FaceState, Tracks


def test_the_sheet_of_faces_shows_each_where_it_is(tmp_path: Path) -> None:
    _, marks = mean_face()
    picture = np.zeros((200, 400, 3), np.uint8)
    tracks = []
    for left, colour in ((20, (255, 0, 0)), (220, (0, 0, 255))):
        quad = np.float32([[left, 20], [left, 180], [left + 160, 180], [left + 160, 20]])
        picture[20:180, left : left + 160] = colour
        landmarks = np.repeat(to_source(marks, quad)[None].astype(np.float32), 3, 0)
        tracks.append(Tracks(landmarks, np.full(3, FaceState.FOUND, np.uint8), (400, 200), Fraction(25)))
    source = [SimpleNamespace(index=k, rgb=lambda: picture) for k in range(3)]
    faces_sheet(source, tracks, tmp_path / "faces.png")  # type: ignore[arg-type]
    sheet = cv2.cvtColor(cv2.imread(str(tmp_path / "faces.png")), cv2.COLOR_BGR2RGB)
    middle = sheet.shape[0] // 2
    assert sheet.shape[1] > 2 * FACE_PX
    assert sheet[middle, FACE_PX // 2].tolist() == [255, 0, 0]
    assert sheet[middle, -FACE_PX // 2].tolist() == [0, 0, 255]
