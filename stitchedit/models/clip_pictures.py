"""Pictures in CLIP's space, by the user's own weights, see `clip_text`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from stitchedit.config import DEFAULT_CLIP
from stitchedit.models.clip_text import load_parts
from stitchedit.types import ByteArray, FloatArray

# Mean and deviation of red, green and blue in CLIP's training, of 0..1
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)

PictureEncoder = Callable[[ByteArray], FloatArray]  # RGB [S, S, 3] -> [E], of length 1


def picture_encoder(place: str = DEFAULT_CLIP) -> PictureEncoder:
    """CLIP's picture model, on the CPU. Nothing is downloaded. Raises as `clip_text.text_encoder`."""
    (model,) = load_parts(place, "CLIPVisionModelWithProjection")
    return lambda picture: _embedded(model, picture)


def _embedded(model: Any, picture: ByteArray) -> FloatArray:
    import torch

    side = int(model.config.image_size)
    kernel = cv2.INTER_AREA if picture.shape[0] > side else cv2.INTER_CUBIC
    small = cv2.resize(picture, (side, side), interpolation=kernel).astype(np.float32) / 255
    values = (small - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    with torch.inference_mode():
        found = model(pixel_values=torch.from_numpy(values).permute(2, 0, 1)[None]).image_embeds[0].float().numpy()
    return np.asarray(found / max(float(np.linalg.norm(found)), 1e-12), np.float32)
