"""The Face Alignment Network's 68 landmarks, by the package face-alignment (BSD): `pip install stitchedit[fan]`.

Its weights are the user's own download: the package would fetch them by itself, so their file is looked for first.
Source: Bulat & Tzimiropoulos 2017, arXiv:1703.07332.
"""

from __future__ import annotations

import warnings
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from stitchedit.errors import ConfigError, NotFetched, UnknownCheckpoint
from stitchedit.faces.detectors import face_box, face_window
from stitchedit.types import ByteArray, FloatArray

FACE_PX = 400  # width of the face in the window that the network gets; it gives whole pixels of that


def place_2d(rgb: ByteArray, found: FloatArray, device: str) -> FloatArray:
    """Landmarks along the visible outline, [68, 2] source pixels; `found` [68, 2] says where the face is."""
    return _landmarks(network("TWO_D", device), rgb, found)


def place_3d(rgb: ByteArray, found: FloatArray, device: str) -> FloatArray:
    """Points in space as they fall on the picture, [68, 2]: on a turned head the far cheek's are hidden ones."""
    return _landmarks(network("TWO_HALF_D", device), rgb, found)


@cache
def network(kind: str, device: str) -> Any:
    """A `face_alignment.FaceAlignment` without a detector. Nothing is downloaded.

    Args: kind: a name of `LandmarksType`.
    Raises: ConfigError, where the package is not installed or too old; NotFetched, UnknownCheckpoint.
    """
    try:
        import torch
        from face_alignment import FaceAlignment, LandmarksType, api
    except ImportError as exc:
        raise ConfigError(
            "landmarks by FAN need the package face-alignment, which is not installed", "pip install 'stitchedit[fan]'"
        ) from exc
    name = "2DFAN-4" if kind == "TWO_D" else "3DFAN-4"
    url = getattr(api, "models_urls", {}).get(name)
    if not isinstance(url, str) or not url.endswith(".pth.tar"):
        raise ConfigError("this face-alignment is not one that is known here", "pip install -U 'stitchedit[fan]'")
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file():
        raise NotFetched(name, f"download {url} to {path}")
    try:
        # Without compiling, which would take minutes and keep its results in the home folder; "folder" is the one
        # detector without weights, and is never asked.
        return FaceAlignment(LandmarksType[kind], device=device, face_detector="folder", compile=False)
    except Exception as exc:  # whatever torch raises for a file that is none
        raise UnknownCheckpoint(path, " ".join(str(exc).split())[:160], f"download {url} again") from exc


def _landmarks(net: Any, rgb: ByteArray, found: FloatArray) -> FloatArray:
    box = face_box(found)
    window, scale, offset = face_window(rgb, box, FACE_PX)
    left, top, right, bottom = (
        float((edge - offset[axis]) * scale)
        for edge, axis in ((box.left, 0), (box.top, 1), (box.right, 0), (box.bottom, 1))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numba
        (points,) = net.get_landmarks_from_image(window, detected_faces=[np.array([left, top, right, bottom])])
    # In training its targets were drawn one pixel further on, and results are cut down to whole pixels: on average half
    # a pixel beyond the index, which is where the middle of a pixel is here.
    placed: FloatArray = (np.asarray(points, np.float64)[:, :2] / scale + offset).astype(np.float32)
    return placed


ready_2d = partial(network, "TWO_D")
ready_3d = partial(network, "TWO_HALF_D")
