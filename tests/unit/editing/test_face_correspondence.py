"""Places of one crop found in another: a warp that is known, of which the mesh tells most."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stitchedit.editing.face_correspondence import FIELD, PX, corrected, face_view, joined, mesh_places
from stitchedit.faces.mesh import mean_face
from stitchedit.types import ByteArray, FloatArray

SHIFT = np.array([0.03, -0.02], np.float32)  # of the crop's side
WRONG = np.array([0.008, 0.004], np.float32)  # of the mesh


def textured(seed: int = 0) -> ByteArray:
    noise = np.random.default_rng(seed).uniform(0, 255, (PX, PX, 3)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 3)
    return ((blurred - blurred.mean()) * 4 + 128).clip(0, 255).astype(np.uint8)


def moved(picture: ByteArray, shift: FloatArray) -> ByteArray:
    affine = np.array([[1, 0, shift[0] * PX], [0, 1, shift[1] * PX]], np.float32)
    return np.asarray(cv2.warpAffine(picture, affine, (PX, PX), borderMode=cv2.BORDER_REFLECT), np.uint8)


@pytest.fixture(scope="module")
def mesh() -> FloatArray:
    return mean_face()[0]


def matched(here: ByteArray, there: ByteArray, mesh: FloatArray) -> tuple[FloatArray, FloatArray]:
    places = mesh_places(mesh, mesh + SHIFT + WRONG)
    found = corrected(face_view(here, mesh), face_view(there, mesh + SHIFT + WRONG), places)
    assert found.shape == (FIELD, FIELD, 3)
    return joined(places, found)


def own_places() -> FloatArray:
    y, x = np.mgrid[:PX, :PX].astype(np.float32)
    return (np.stack([x, y], axis=-1) + np.float32(0.5)) / np.float32(PX)


def test_flow_finds_what_the_mesh_lacks(mesh: FloatArray) -> None:
    here = textured()
    places, visible = matched(here, moved(here, SHIFT), mesh)
    inside = slice(PX // 3, 2 * PX // 3)
    off = np.hypot(*np.moveaxis(places - own_places() - SHIFT, -1, 0))[inside, inside] * 512
    assert np.median(off) < 0.3
    assert off.max() < 1
    assert np.hypot(*WRONG) * 512 > 4  # what it was without
    assert visible[inside, inside].min() > 0.99


def test_light_that_does_not_move_along_misleads_little(mesh: FloatArray) -> None:
    here = textured()
    shade = 0.5 + own_places()[..., :1]
    there = (moved(here, SHIFT) * shade).clip(0, 255).astype(np.uint8)
    places, _ = matched((here * shade[:, ::-1]).clip(0, 255).astype(np.uint8), there, mesh)
    inside = slice(PX // 3, 2 * PX // 3)
    off = np.hypot(*np.moveaxis(places - own_places() - SHIFT, -1, 0))[inside, inside] * 512
    assert np.median(off) < 0.5


def test_what_is_covered_or_turned_away_is_not_seen(mesh: FloatArray) -> None:
    here, there = textured(), moved(textured(), SHIFT)
    covered = here.copy()
    covered[150:270, 150:270] = textured(1)[150:270, 150:270]
    _, visible = matched(covered, there, mesh)
    assert visible[190:230, 190:230].max() < 0.2
    assert visible[120, 120] > 0.99
    narrow = ((mesh - 0.5) * (0.12, 1) + 0.5).astype(np.float32)
    seen = np.zeros((FIELD, FIELD, 3), np.float32)
    seen[..., 2] = 1
    _, slanted = joined(mesh_places(narrow, mesh), seen)
    assert slanted[PX // 2, PX // 2] < 0.1
