"""Shots of numbered pictures for tests, written by other tools than ours."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = (48, 32)  # width, height


def codes(kind: str, index: int) -> NDArray[np.generic]:
    """The samples of a picture: [h, w] or [h, w, 3 or 4] in OpenCV's order, whatever is in them."""
    random = np.random.default_rng(index)
    shape = {"gray": SIZE[::-1], "rgb": (*SIZE[::-1], 3), "rgba": (*SIZE[::-1], 4)}[kind.rstrip("0123456789")]
    deep = kind.endswith("16")
    return random.integers(0, 65536 if deep else 256, shape, np.uint16 if deep else np.uint8)


def write_shot(folder: Path, kind: str, suffix: str, numbers: range) -> list[NDArray[np.generic]]:
    """Write `frame.%04d` pictures; gives their samples."""
    folder.mkdir()
    made = []
    for number in numbers:
        picture = codes(kind, number)
        assert cv2.imwrite(str(folder / f"frame.{number:04d}{suffix}"), picture)
        made.append(picture)
    return made


def read_shot(folder: Path) -> dict[str, NDArray[np.generic]]:
    """Samples of all pictures in a folder, by file name."""
    return {path.name: _read(path) for path in sorted(folder.iterdir())}


def _read(path: Path) -> NDArray[np.generic]:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    if path.suffix == ".tif" and picture.shape[2:] == (4,) and picture.dtype == np.uint8:
        with Image.open(path) as opened:  # OpenCV would multiply colours by alpha
            return np.asarray(opened)[..., [2, 1, 0, 3]]
    return picture
