"""What people say of a face: its age, smile, weight and the colour of its hair, by a fit to human ratings.

A linear reading of the code that the W encoder gives a picture, and of the landmarks, fitted by
`scripts/fit_ratings.py` to the mean human ratings of the One Million Impressions faces (Peterson et al. 2022,
doi:10.1073/pnas.2115228119). Its file, and what is learned with it, carries their licence: CC BY-NC-SA 4.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor

from stitchedit.errors import UnknownCheckpoint
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.models.w_encoder import WEncoder, load_w_encoder
from stitchedit.types import ByteArray, FloatArray

RATED: Mapping[str, str] = {
    "age_rated": "years, mean of what people guess",
    "smile_rated": "mean human rating of how happy the face looks, 0..100",
    "weight": "mean human rating of body weight, 0 thin .. 100 heavy",
    "hair_colour": "mean human rating of the hair's colour, 0 black .. 100 white",
}
WEIGHTS = "omi_ratings.safetensors"
PICTURE_PX = 256
SHAPE_GAIN = 15.0  # landmarks differ by about this part of the eyes' distance, times one half


class Rater:
    """Predicts the ratings of `RATED` from FFHQ-aligned pictures.

    Args:
        path: a file of `scripts/fit_ratings.py`; default: the one that comes along.
    Raises: NotFetched or HashMismatch, when an installed file is missing or damaged; UnknownCheckpoint, when the given
        one is no such file.
    """

    def __init__(self, path: Path | None = None) -> None:
        path = path or packaged_file(WEIGHTS)
        try:
            arrays = load_file(path)
            self.rows = arrays["rows"].astype(np.float32)  # [len(RATED), features]
            self.bias = arrays["bias"].astype(np.float32)  # [len(RATED)]
        except (OSError, SafetensorError, KeyError) as exc:
            raise UnknownCheckpoint(path, f"it holds no fit to ratings ({exc})") from exc

    def __call__(self, picture: ByteArray, landmarks: FloatArray) -> dict[str, float]:
        """Ratings of a face aligned as FFHQ is; keys and units are `RATED`, arguments as of `features`."""
        values = self.rows @ features(picture, landmarks) + self.bias
        return {name: float(value) for name, value in zip(RATED, values, strict=True)}


def features(picture: ByteArray, landmarks: FloatArray) -> FloatArray:
    """What the reading listens to: the whitened code, then x and y of the 68 landmarks between level eyes.

    Args:
        picture: RGB uint8 [S, S, 3], aligned as FFHQ is.
        landmarks: [68, 2] pixels.
    Returns: [w_dim + 136], each of a variance near one among people.
    """
    with torch.inference_mode():
        code = _encoder().whitened(_image(picture))[0].numpy()
    points = np.asarray(landmarks, np.float64)
    left, right = points[36:42].mean(0), points[42:48].mean(0)
    across = (right - left) / np.square(right - left).sum()  # of length 1 / distance, which scales to eye distances
    turn = np.array([across, (-across[1], across[0])])
    shape = (points - (left + right) / 2) @ turn.T
    return np.concatenate([code, SHAPE_GAIN * shape.ravel()]).astype(np.float32)


def _image(picture: ByteArray) -> Tensor:
    """uint8 [S, S, 3] -> [1, 3, 256, 256] in [-1, 1]."""
    if picture.shape[0] != PICTURE_PX:
        picture = np.asarray(cv2.resize(picture, (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_AREA))
    levels: NDArray[np.float32] = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
    return torch.from_numpy(levels / 127.5 - 1)


@cache
def _encoder() -> WEncoder:
    return load_w_encoder()
