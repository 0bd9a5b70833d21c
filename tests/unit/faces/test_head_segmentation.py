"""Head maps: what they hold, how steady they are, and the distances drawn from them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from stitchedit.config import AlignConfig
from stitchedit.faces import detectors, head_segmentation
from stitchedit.faces.alignment import crop, quads
from stitchedit.faces.mesh import crop_mesh
from stitchedit.progress import silent
from stitchedit.types import ByteArray, Crops, FacePoints, FloatArray

PICTURE = Path(__file__).parents[2] / "data" / "rendered_face.png"
S = 256
PLACES = {"hair": (128, 20), "face": (128, 130), "ear": (50, 148), "neck": (128, 245), "background": (20, 200)}


def texture(shift: float) -> ByteArray:
    """Something to follow, moved to the right."""
    noise = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (S, S)).astype(np.float32), (0, 0), 6)
    noise = (noise - noise.min()) / (noise.max() - noise.min()) * 255
    moved = cv2.warpAffine(noise, np.float32([[1, 0, shift], [0, 1, 0]]), (S, S), borderMode=cv2.BORDER_REFLECT)
    return cv2.resize(moved, (128, 128), interpolation=cv2.INTER_AREA).astype(np.uint8)


def half(edge: float) -> FloatArray:
    """1 to the left of a soft edge."""
    row = np.clip(edge - np.arange(S, dtype=np.float32), 0, 1)
    return np.repeat(row[None], S, axis=0)


@pytest.fixture(scope="module")
def face() -> tuple[ByteArray, FloatArray]:
    """An aligned crop and its mesh."""
    picture = np.asarray(Image.open(PICTURE).convert("RGB"))
    marks = detectors.landmarks(picture, detectors.detect(picture)[0].box)
    image = crop(picture, quads(marks[None], AlignConfig())[0], S)
    return image, crop_mesh(image)[0]


def test_opinions_follow_what_moves() -> None:
    others = [(half(100 + 6 * away), texture(6 * away), away) for away in (-2, -1, 1, 2)]
    steady = head_segmentation.steadied(half(100), texture(0), others)
    assert np.abs(steady - half(100))[20:-20, 20:-20].max() < 0.15
    still = head_segmentation.steadied(half(100), texture(0), [(m, texture(0), away) for m, _, away in others])
    assert np.abs(still - half(100)).max() > 0.3  # without motion the same maps are blurred together


def test_what_flickers_is_steadied_and_what_looks_otherwise_is_left() -> None:
    random = np.random.default_rng(1)
    maps = [(0.5 + random.normal(0, 0.1, (S, S))).astype(np.float32) for _ in range(5)]
    others = [(m, texture(0), away) for m, away in zip(maps[1:], (-2, -1, 1, 2), strict=True)]
    assert head_segmentation.steadied(maps[0], texture(0), others).std() < 0.6 * maps[0].std()
    cut = [(np.zeros((S, S), np.float32), np.full((128, 128), 255, np.uint8), 1)]
    np.testing.assert_allclose(
        head_segmentation.steadied(half(100), np.zeros((128, 128), np.uint8), cut), half(100), atol=1e-3
    )


def test_the_field_is_a_distance_with_parts_of_a_pixel() -> None:
    edges = []
    for shift in (0.0, 0.25, 0.5, 0.75):
        field = head_segmentation.head_field(np.rint(half(100 + shift) * 255).astype(np.uint8)) * S
        row = field[S // 2]
        edges.append(np.interp(0, row, np.arange(S)))
        assert np.abs(np.diff(row[40:160]) - 1).max() < 0.25
    assert np.diff(edges) == pytest.approx([0.25] * 3, abs=0.2)


def test_edges_of_a_mask_are_drawn_to_those_of_the_picture() -> None:
    guide = np.where(np.arange(S) < 120, 0.2, 0.7).astype(np.float32)[None].repeat(S, 0)
    soft = cv2.GaussianBlur(half(122), (0, 0), 4)
    drawn = head_segmentation.guided(guide, soft)
    assert drawn[128, 118] - drawn[128, 121] > 2 * (soft[128, 118] - soft[128, 121])
    np.testing.assert_allclose(head_segmentation.guided(guide, np.ones((S, S), np.float32)), 1, atol=1e-5)


def test_a_head_has_hair_ears_and_neck(face: tuple[ByteArray, FloatArray]) -> None:
    image, mesh = face
    likely = head_segmentation.head_map(image, mesh)
    assert (likely.shape, likely.dtype) == ((S, S), np.float32)
    assert 0 <= likely.min() <= likely.max() <= 1
    places = {name: likely[y, x] for name, (x, y) in PLACES.items()}
    assert places.pop("background") < 0.1
    assert min(places.values()) > 0.8, places


def test_maps_are_made_for_every_crop_of_every_run(face: tuple[ByteArray, FloatArray]) -> None:
    image, mesh = face
    kept: dict[int, ByteArray] = {}
    crops = Crops(np.arange(3), np.zeros((3, 4, 2), np.float32), [image, image[:, ::-1].copy(), image], S)
    points = FacePoints(np.stack([mesh, mesh * np.float32([-1, 1]) + np.float32([1, 0]), mesh]))
    head_segmentation.head_maps(crops, points, [slice(0, 1), slice(1, 3)], kept.__setitem__, silent)
    assert sorted(kept) == [0, 1, 2]
    assert np.abs(kept[0] / 255 - head_segmentation.head_map(image, mesh)).max() < 0.003  # alone in its run
    assert all(m.dtype == np.uint8 and m.shape == (S, S) for m in kept.values())
