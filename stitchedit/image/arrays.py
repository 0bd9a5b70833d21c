"""Pictures between tensors, floats and bytes."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from stitchedit.errors import ConfigError
from stitchedit.types import ByteArray

BLOWN_UP = 1e3  # of a picture in [-1, 1]: what is more has no face in it, and soon no numbers


def to_bytes(image: Tensor) -> ByteArray:
    """[3, S, S] in [-1, 1] -> uint8 [S, S, 3], rounded."""
    scaled = image.detach().add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
    return np.ascontiguousarray(scaled.permute(1, 2, 0).cpu().numpy())


def require_picture(drawn: Tensor) -> Tensor:
    """What a generator drew of an edit, [B, 3, S, S]. Raises ConfigError, where that is no picture any more."""
    if not bool((drawn.abs() < BLOWN_UP).all()):  # true for NaN
        raise ConfigError("the edit leads to where the generator draws no picture", "give a smaller strength")
    return drawn


def shrink(image: Tensor, size: int) -> Tensor:
    """Area-filtered [B, C, S, S] -> [B, C, size, size], S a multiple of size; unchanged when not larger."""
    factor = image.shape[-1] // size
    return torch.nn.functional.avg_pool2d(image, factor) if factor > 1 else image


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """A square picture at another size; float or uint8 in, the same out."""
    if image.shape[0] == size:
        return image
    interpolation = cv2.INTER_AREA if image.shape[0] > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (size, size), interpolation=interpolation))
