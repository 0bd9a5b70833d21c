from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from stitchedit.faces import detectors
from stitchedit.faces.detectors import Box

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def picture():
    """A rendered face of about 180 px, [360, 400, 3]."""
    return np.asarray(Image.open(DATA / "rendered_face.png").convert("RGB"))


@pytest.fixture(scope="module")
def box(picture):
    (found,) = detectors.detect(picture)
    return found.box


@pytest.fixture(scope="module")
def marks(picture, box):
    return detectors.landmarks(picture, box)


def test_box_overlap():
    box = Box(0, 0, 10, 10)
    assert box.overlap(box) == 1
    assert box.overlap(Box(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert box.overlap(Box(20, 20, 30, 30)) == 0


def test_detect_gives_source_pixels_at_any_scale(picture, box):
    (half,) = detectors.detect(picture, 0.5)
    assert half.box.overlap(box) > 0.75


def test_detect_in_a_region_gives_source_pixels(picture, box):
    (found,) = detectors.detect(picture, region=Box(60, 40, 360, 340))
    assert found.box.overlap(box) > 0.75


def test_a_small_face_is_found_in_an_enlarged_picture(picture):
    small = cv2.resize(picture, (110, 99), interpolation=cv2.INTER_AREA)  # a face of 50 px
    assert not detectors.detect(small)
    (found,) = detectors.detect(small, 2.0)
    assert 35 < found.box.width < 70


def test_no_face_and_no_room():
    assert detectors.detect(np.full((200, 200, 3), 128, np.uint8)) == []
    assert detectors.detect(np.zeros((10, 10, 3), np.uint8)) == []


def test_landmarks_lie_where_the_eyes_are(marks):
    # Centres of the eyes as the renderer knows them, in this part of its picture.
    np.testing.assert_allclose(marks[36:42].mean(0), (153.4, 163.1), atol=5)
    np.testing.assert_allclose(marks[42:48].mean(0), (229.0, 160.0), atol=5)
    assert marks.shape == (68, 2)
    assert marks.dtype == np.float32


def test_landmarks_scale_with_the_picture(picture, box, marks):
    large = cv2.resize(picture, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    enlarged = detectors.landmarks(large, Box(*(3 * v for v in (box.left, box.top, box.right, box.bottom))))
    assert np.abs(enlarged / 3 - marks).mean() < 0.5
    # Half a pixel lost would be a shift of 0.47; OpenCV's major versions enlarge a little differently.
    assert np.linalg.norm((enlarged / 3 - marks).mean(0)) < 0.4


def test_landmarks_are_steadier_than_plain_predictions(picture, box):
    rng = np.random.default_rng(1)
    plain, ours = [], []
    for _ in range(6):
        noisy = np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
        shift = rng.uniform(-6, 6, 2)
        moved = Box(box.left + shift[0], box.top + shift[1], box.right + shift[0], box.bottom + shift[1])
        rectangle = detectors.dlib.rectangle(*(round(v) for v in (moved.left, moved.top, moved.right, moved.bottom)))
        plain.append([(p.x, p.y) for p in detectors._predictor()(noisy, rectangle).parts()])
        ours.append(detectors.landmarks(noisy, moved))
    assert np.std(ours, axis=0).mean() < 0.5 * np.std(plain, axis=0).mean()


def test_embedding_knows_a_face_again(picture, box, marks):
    embedding = detectors.embed(picture, marks)
    assert embedding.shape == (128,)
    darker = (picture * 0.8).astype(np.uint8)
    small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert np.linalg.norm(detectors.embed(darker, marks) - embedding) < 0.2
    assert np.linalg.norm(detectors.embed(small, marks / 2) - embedding) < 0.35


def test_mesh_sees_a_face_or_not(picture):
    points, probability = detectors.mesh(np.ascontiguousarray(picture[:360, 10:370]))
    assert points.shape == (468, 2)
    assert probability > 0.9
    _, probability = detectors.mesh(np.full((300, 300, 3), 128, np.uint8))
    assert probability < 0.5
