from __future__ import annotations

import cv2
import numpy as np
from drawn_face import drawn_face

from stitchedit.faces.appearance import appearance


def test_gaze_follows_the_pupils() -> None:
    right, middle, left = (appearance(*drawn_face(gaze))["gaze"] for gaze in (0.2, 0.0, -0.2))
    assert right > middle + 0.1
    assert left < middle - 0.1
    assert abs(middle) < 0.05


def test_glasses_skin_and_light() -> None:
    picture, points = drawn_face()
    plain = appearance(picture, points)
    framed = picture.copy()
    for x, y in ((96, 112), (160, 112)):
        cv2.ellipse(framed, (x, y), (26, 20), 0, 0, 360, (20, 20, 20), 3)
    cv2.line(framed, (122, 108), (134, 108), (20, 20, 20), 4)
    assert appearance(framed, points)["glasses"] > plain["glasses"] + 1
    lit = picture.astype(np.float32)
    lit[:, 128:] *= 1.2
    assert appearance(np.clip(lit, 0, 255).astype(np.uint8), points)["light"] > 5
    assert abs(plain["light"]) < 0.5
    redder = picture.copy()
    redder[..., 1] -= 30
    assert appearance(redder, points)["red"] > plain["red"] + 5
