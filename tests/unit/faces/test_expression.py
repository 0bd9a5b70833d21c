"""Expression coefficients: of generated faces, wherever and however large they lie in the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stitchedit.faces.expression import COEFFICIENTS, EXPRESSION, POINTS, Expression, expression
from stitchedit.learning.generator_samples import aligned_landmarks, draw_ws, render
from stitchedit.models.generator import load_default_generator


@pytest.fixture(scope="module")
def smiling() -> tuple[np.ndarray, np.ndarray]:
    """The first of the samples that taught, a young woman who smiles; and her 68 landmarks."""
    generator = load_default_generator("cpu")
    (picture,) = render(generator, draw_ws(generator, 50, [2026, 0], 0.7)[:1], 256)
    return picture, aligned_landmarks(picture)


def test_a_smile_is_read(smiling: tuple[np.ndarray, np.ndarray]) -> None:
    seen = expression(*smiling)
    assert seen.coefficients.shape == (len(COEFFICIENTS),) == (52,)
    assert ((seen.coefficients >= 0) & (seen.coefficients <= 1)).all()
    assert seen.mesh.shape == (POINTS, 2)
    assert seen.probability > 0.9
    named = seen.named()
    assert set(named) == set(EXPRESSION)
    assert named["smile"] > 0.4
    assert named["jaw_open"] < 0.2
    assert named["lids_open"] > 0.6
    landmarks = smiling[1]
    apart = np.hypot(*(landmarks[36:42].mean(0) - landmarks[42:48].mean(0)))
    for points, own in (((468,), slice(36, 42)), ((473,), slice(42, 48))):  # irises lie in the eyes
        iris = seen.mesh[list(points)].mean(0)
        assert np.hypot(*(iris - landmarks[own].mean(0))) < 0.1 * apart


def test_place_size_and_turn_make_little_difference(smiling: tuple[np.ndarray, np.ndarray]) -> None:
    picture, landmarks = smiling
    plain = expression(picture, landmarks).named()
    angle, scale = np.radians(15), 1.8
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([turn, (250, 60)])
    moved = cv2.warpAffine(picture, matrix, (900, 700))
    points = ((landmarks - 0.5) @ turn.T + (250, 60) + 0.5).astype(np.float32)
    seen = expression(moved, points).named()
    for name in ("smile", "jaw_open", "lids_open"):
        assert seen[name] == pytest.approx(plain[name], abs=0.15), name


def test_right_and_left_are_those_of_the_picture() -> None:
    values = dict.fromkeys(COEFFICIENTS, 0.0) | {"eyeLookOutLeft": 0.8, "eyeLookInRight": 0.6, "mouthSmileLeft": 1.0}
    seen = Expression(np.array([values[name] for name in COEFFICIENTS], np.float32), np.zeros((POINTS, 2)), 1.0)
    named = seen.named()
    assert named["gaze_across"] == pytest.approx(0.7)  # the person's left is the picture's right
    assert named["smile"] == pytest.approx(0.5)
