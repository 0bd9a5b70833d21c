"""A face drawn for tests, whose answers are known."""

from __future__ import annotations

import cv2
import numpy as np


def drawn_face(gaze: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A drawn face, RGB [256, 256, 3], and its 68 landmarks: eyes 64 px apart at (96, 110) and (160, 110)."""
    points = np.zeros((68, 2))
    angle = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack([128 + 75 * np.cos(angle), 120 + 100 * np.sin(angle)], 1)
    points[17:22] = np.stack([np.linspace(76, 114, 5), [92, 88, 87, 88, 91]], 1)
    points[22:27] = np.stack([np.linspace(142, 180, 5), [91, 88, 87, 88, 92]], 1)
    points[27:31] = np.stack([[128] * 4, [110, 120, 130, 140]], 1)
    points[31:36] = np.stack([np.linspace(116, 140, 5), [148, 150, 151, 150, 148]], 1)
    ring = np.array([[-14, 0], [-6, -5], [6, -5], [14, 0], [6, 5], [-6, 5]], float)
    points[36:42], points[42:48] = ring + np.array([96, 110]), ring + np.array([160, 110])
    turn = np.radians([180, 210, 250, 270, 290, 330, 0, 30, 70, 90, 110, 150])
    points[48:60] = np.stack([128 + 26 * np.cos(turn), 180 + 12 * np.sin(turn)], 1)
    turn = np.radians([180, 240, 270, 300, 0, 60, 90, 120])
    points[60:68] = np.stack([128 + 20 * np.cos(turn), 180 + 6 * np.sin(turn)], 1)
    picture = np.full((256, 256, 3), (200, 160, 140), np.uint8)
    for eye in (36, 42):
        cv2.fillPoly(picture, [np.rint(points[eye : eye + 6]).astype(np.int32)], (250, 250, 250))
        x, y = points[eye : eye + 6].mean(0) + np.array([gaze * 28, 0])
        cv2.circle(picture, (round(x), round(y)), 4, (20, 20, 20), -1)
    return picture, points.astype(np.float32)
