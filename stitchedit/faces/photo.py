"""A picture of somebody, from a file: its pixels and the landmarks of its largest face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from stitchedit.errors import ConfigError
from stitchedit.faces import detectors
from stitchedit.types import ByteArray, FloatArray

MOST_BYTES = 100_000_000


def read_portrait(path: Path) -> tuple[ByteArray, FloatArray | None]:
    """RGB [H, W, 3] and the largest face's 68 landmarks [68, 2], None where the detector sees no face.

    Raises: ConfigError, when the file is no picture that can be read.
    """
    hint = "give a PNG or JPEG with the person's face, at least 40 pixels wide"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{path} is too large for a picture ({MOST_BYTES // 10**6} MB at most)", hint)
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}", hint) from exc
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    except cv2.error:
        picture = None
    if picture is None:
        raise ConfigError(f"{path} is no picture that can be read", hint)
    rgb: ByteArray = np.ascontiguousarray(picture[..., ::-1])
    scale = 1280 / max(rgb.shape[:2])
    found = detectors.detect(rgb, min(1.0, scale)) or detectors.detect(rgb, min(2.0, 2 * scale))
    if not found:
        return rgb, None
    return rgb, detectors.landmarks(rgb, max(found, key=lambda d: d.box.area).box)
