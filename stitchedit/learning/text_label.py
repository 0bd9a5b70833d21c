"""How near a face is to a text, as a label to learn from: CLIP reads what nothing else here has a word for."""

from __future__ import annotations

import numpy as np

from stitchedit.config import DEFAULT_CLIP
from stitchedit.editing.text_direction import check_texts, class_embedding
from stitchedit.learning.own_samples import Label
from stitchedit.models.clip_pictures import picture_encoder
from stitchedit.models.clip_text import text_encoder
from stitchedit.types import ByteArray


def text_label(neutral: str, target: str, clip: str = DEFAULT_CLIP) -> Label:
    """How far a picture lies on the way from one text to the other in CLIP's space, as a function of the picture.

    Raises: ConfigError, WeightsError, as `clip_text.text_encoder`.
    """
    check_texts(neutral, target)
    encode, see = text_encoder(clip), picture_encoder(clip)
    way = class_embedding(target, encode) - class_embedding(neutral, encode)
    way /= max(float(np.linalg.norm(way)), 1e-12)

    def label(picture: ByteArray) -> float:
        return float(see(picture) @ way)

    return label
