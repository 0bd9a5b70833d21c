from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from stitchedit.config import AlignConfig
from stitchedit.errors import EmptyMask
from stitchedit.faces import detectors, mesh
from stitchedit.faces.alignment import align
from stitchedit.faces.mesh_topology import LEFT_EYE, LIPS
from stitchedit.masks import stitching_masks, weight_maps
from stitchedit.masks.region_shape import face_shape
from stitchedit.progress import silent
from stitchedit.types import FaceState, Tracks

TESTS = Path(__file__).parents[2]
CASES = {"b4_i0_o4": (4, 0, 4, False), "b3_i2_o5": (3, 2, 5, False), "b0_i0_o0": (0, 0, 0, False)}
CASES["b5_i1_o3_whole"] = (5, 1, 3, True)
# At 512 px, with half the pixels that the options name.
LARGE = {"default_outer50_inner0": (25, 0, 25, False), "outer20_inner8": (10, 4, 10, False)}
LARGE["outer12_whole_border"] = (6, 0, 6, True)
NOT_FACE = (0, 16, 18)  # background, cloth, hat


@pytest.fixture(scope="module")
def golden():
    return np.load(TESTS / "golden" / "stit_masks.npz")


def enlarged(mask):
    tensor = torch.from_numpy(mask)[None, None]
    return torch.nn.functional.interpolate(tensor, (1024, 1024), mode="bilinear", align_corners=True)[0, 0].numpy()


@pytest.mark.parametrize("case", CASES)
def test_small_masks_equal_the_reference(golden, case):
    border, inner, outer, whole = CASES[case]
    masks = stitching_masks.reference_masks(golden["create.in"][0, 0], border, inner, outer, whole=whole)
    for name, mask in zip(("content", "border", "full"), masks, strict=True):
        np.testing.assert_array_equal(mask, golden[f"create.{case}.{name}"][0, 0])


@pytest.mark.parametrize("case", LARGE)
def test_large_masks_equal_the_reference(golden, case):
    face = (~np.isin(golden["labels"], NOT_FACE)).astype(np.float32)
    border, inner, outer, whole = LARGE[case]
    masks = stitching_masks.reference_masks(face, border, inner, outer, whole=whole)
    for name, mask in zip(("content", "border", "full"), masks, strict=True):
        np.testing.assert_array_equal(enlarged(mask), golden[f"{case}.{name}"])


def test_plain_mask_equals_the_reference(golden):
    face = (~np.isin(golden["labels"], NOT_FACE)).astype(np.float32)
    np.testing.assert_array_equal(enlarged(face), golden["edit_video.calc_mask"])


@pytest.mark.parametrize("reach", [0, 1, 7])
def test_dilate_is_max_pooling(reach):
    mask = np.random.default_rng(0).uniform(0, 1, (40, 30)).astype(np.float32)
    pooled = torch.nn.functional.max_pool2d(torch.from_numpy(mask)[None], 2 * reach + 1, 1, reach)[0].numpy()
    np.testing.assert_array_equal(stitching_masks.dilate(mask, reach), pooled)


@pytest.fixture(scope="module")
def clip():
    """Three frames of one still face, as crops of 256 px."""
    picture = np.asarray(Image.open(TESTS / "data" / "rendered_face.png").convert("RGB"))
    marks = detectors.landmarks(picture, detectors.detect(picture)[0].box)
    state = np.full(3, FaceState.FOUND, np.uint8)
    tracks = Tracks(np.stack([marks] * 3), state, (400, 360), Fraction(25))
    frames = [(k, picture) for k in range(3)]
    return align(frames, tracks, AlignConfig(), exits=(256,), max_size=256, progress=silent), tracks


@pytest.fixture(scope="module")
def points(clip):
    return mesh.mesh_points(*clip, silent).points[0]


def test_mesh_lies_on_the_face(clip, points):
    crops, tracks = clip
    marks = mesh.to_crop(tracks.landmarks[0], crops.quads[0])
    assert np.abs(points[list(LEFT_EYE)].mean(0) - marks[36:42].mean(0)).max() < 0.02
    assert np.abs(points[list(LIPS)].mean(0) - marks[48:60].mean(0)).max() < 0.03


def test_frames_without_mesh_are_estimated_and_counted(clip, points, caplog, monkeypatch):
    crops, tracks = clip
    seen = iter([False, True, True])
    real = mesh.crop_mesh
    monkeypatch.setattr(mesh, "crop_mesh", lambda image: (real(image)[0] * 0, 0.0) if not next(seen) else real(image))
    found = mesh.mesh_points(crops, tracks, silent).points
    np.testing.assert_allclose(found[0], points, atol=0.004)
    assert "1 of 3 frames" in caplog.text
    monkeypatch.setattr(mesh, "crop_mesh", lambda image: (np.zeros((468, 2), np.float32), 0.0))
    found = mesh.mesh_points(crops, tracks, silent).points
    assert np.abs(found[0] - points).mean() < 0.04  # an average face on this one's landmarks


def test_points_are_smoothed_within_runs_only(clip, monkeypatch):
    crops, tracks = clip
    values = iter([0.2, 0.4, 0.9])
    monkeypatch.setattr(mesh, "crop_mesh", lambda image: (np.full((468, 2), next(values), np.float32), 1.0))
    cut = Tracks(tracks.landmarks, tracks.state, tracks.frame_size, tracks.rate, np.array([2]))
    found = mesh.mesh_points(crops, cut, silent).points[:, 0, 0]
    assert found[2] == pytest.approx(0.9)
    assert 0.2 < found[0] < found[1] < 0.4


@pytest.mark.parametrize("size", [128, 512, 1024])
def test_rings_surround_the_face(points, size):
    face = weight_maps.face_mask(points, size)
    rings = stitching_masks.ring_masks(face_shape(points), size)
    width = 50 * size / 1024
    far = cv2.distanceTransform((face < 0.5).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert rings.border[(far > 2) & (far < width - 2)].min() == 1
    assert rings.border[far > width + 2].max() == 0
    assert (rings.border[face == 1] == 0).all()
    np.testing.assert_allclose(rings.content, face, atol=1e-6)
    for mask in (face, rings.border, rings.content):
        assert mask.dtype == np.float32
        assert mask.shape == (size, size)
    assert 0.15 < face.mean() < 0.5


def test_a_face_at_the_edge_of_the_crop_has_border_there(points):
    rings = stitching_masks.ring_masks(face_shape(points + np.float32([0.35, 0])), 256)
    assert rings.border[100:200, -12:].min() == 1
    assert rings.content[100:200, -12:].max() == 0


def test_an_edge_of_the_picture_at_the_outline_is_told_but_not_where_the_crop_cuts_the_face_off(points):
    shape = face_shape(points + np.float32([0.25, 0]))
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[shape.distance(256) < 0] = 200
    edge = stitching_masks.ring_masks(shape, 256, source=picture).edge
    y, left = 128, int(np.flatnonzero(shape.distance(256)[128] < 0)[0])
    assert edge[y, left] > 0.95
    assert edge[y, -2:].max() < 0.05
    assert stitching_masks.ring_masks(shape, 256).edge is None


def test_the_opening_of_the_eyes_ends_before_the_lids(points):
    wide, narrow = weight_maps.eyes_map(points, 512), weight_maps.opening_map(points, 512)
    x, y = (points[145] * 512).astype(int)  # lower lid of an eye
    assert wide[y + 6, x] > 0.5
    assert narrow[y + 6, x] == 0
    assert (narrow[wide == 1] > 0).mean() > 0.99


def test_attention_is_on_eyes_and_lips(points):
    weight = weight_maps.attention(points, 256)
    for part in (LEFT_EYE, LIPS):
        x, y = (points[list(part)].mean(0) * 256).astype(int)
        assert weight[y, x] == 1
    assert weight.mean() < 0.12
    x, y = (points[4] * 256).astype(int)  # tip of the nose
    assert weight[y, x] == 0


def test_a_face_outside_of_the_crop_is_an_error(points):
    with pytest.raises(EmptyMask, match="frame 7"):
        weight_maps.face_mask(points + 3, 128, frame=7)
    with pytest.raises(EmptyMask, match="frame 7"):
        stitching_masks.ring_masks(face_shape(points + 3), 128, frame=7)


def test_where_the_edited_face_is_smaller_the_border_reaches_in(points):
    middle = points.mean(axis=0)
    smaller = ((points - middle) * np.float32([0.8, 1]) + middle).astype(np.float32)
    shape = face_shape(points)
    before, after = (
        stitching_masks.ring_masks(shape, 256),
        stitching_masks.ring_masks(shape, 256, edited=face_shape(smaller)),
    )
    cheek = np.rint(256 * (middle + np.float32([0.45, 0]) * (points.max(axis=0) - points.min(axis=0)))).astype(int)
    assert (before.content[cheek[1], cheek[0]], before.border[cheek[1], cheek[0]]) == (1, 0)
    assert (after.content[cheek[1], cheek[0]], after.border[cheek[1], cheek[0]]) == (0, 1)
    np.testing.assert_allclose(after.content + after.border, before.content + before.border, atol=1e-6)
    assert (after.left[cheek[1], cheek[0]], before.left.max()) == (1, 0)
    same = stitching_masks.ring_masks(shape, 256, edited=shape)
    np.testing.assert_array_equal(same.border, before.border)


def test_the_model_sees_the_face_in_a_crop_that_reaches_further(monkeypatch):
    """Only the part that it fills is shown to it, and its points come back in sides of the whole."""
    inner = AlignConfig(expand=(1, 2, 3, 2)).inner
    image = np.zeros((96, 96, 3), np.uint8)
    left, top, side = (round(part * 96) for part in inner)
    image[top : top + side, left : left + side] = 200
    shown = []

    def model(picture):
        shown.append(picture)
        return np.full((detectors.MESH_POINTS, 2), (0.0, 1.0), np.float32), 1.0

    monkeypatch.setattr(mesh, "landmark_model", lambda name: model)
    points = mesh.edited_mesh(image, inner=inner)
    assert shown[0].shape == (64, 64, 3)
    assert shown[0].min() == 200
    np.testing.assert_allclose(points[0], (inner[0], inner[1] + inner[2]), atol=1e-6)
