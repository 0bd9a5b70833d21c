"""What is told apart in an edit, and that nothing of it is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from prepared import prepared_project

import stitchedit as se
from stitchedit.config import PARTS
from stitchedit.editing.edit_parts import PartMasks, part_change, part_masks, parts_change
from stitchedit.editing.move_latents import load_direction
from stitchedit.errors import ConfigError, DirectionError, UnknownDirection
from stitchedit.types import FloatArray

SIZE = 64


@pytest.fixture
def mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FloatArray:
    """Of a face with room below its chin."""
    folder = prepared_project(tmp_path)
    monkeypatch.setenv("STITCHEDIT_HOME", str(folder / "home"))
    points: FloatArray = se.open_inversion(folder / "clip.mp4", device="cpu").points.points[0]
    return points - np.float32([0, 0.1])


@pytest.fixture
def masks(mesh: FloatArray) -> PartMasks:
    """Of skin all over, with dark hair to the left and right and a blue collar below."""
    crop = np.full((SIZE, SIZE, 3), (200, 150, 130), np.uint8)
    crop[:, :14] = crop[:, -14:] = (40, 30, 25)
    crop[-3:] = (30, 60, 160)
    return part_masks(crop, mesh)


def test_every_pixel_is_of_one_part_or_shared(masks: PartMasks, mesh: FloatArray) -> None:
    np.testing.assert_allclose(sum(masks), 1, atol=1e-6)
    assert min(mask.min() for mask in masks) >= -1e-6
    x, y = (mesh[[10, 152]].mean(axis=0) * SIZE).astype(int)
    assert masks.face[y, x] == pytest.approx(1, abs=1e-3)
    below = int(mesh[152, 1] * SIZE) + 4
    assert masks.neck[below, x] > 0.9
    assert masks.hair[below, 3] > 0.9, "long hair is no neck"
    assert masks.hair[-1, x] > 0.9, "nor is a collar"
    assert masks.hair[2, x] == pytest.approx(1, abs=1e-3)


def test_the_parts_add_up_and_each_is_what_it_says(masks: PartMasks) -> None:
    random = np.random.default_rng(0)
    whole, shape = random.normal(size=(2, SIZE, SIZE, 3)).astype(np.float32)
    np.testing.assert_allclose(parts_change(PARTS, whole, shape, masks), whole, atol=1e-5)
    np.testing.assert_array_equal(part_change("shape", whole, shape, masks), shape)
    folds = part_change("folds", whole, shape, masks)
    np.testing.assert_array_equal(folds[..., 0], folds[..., 2], "light alone")
    reddened = shape + np.float32([0.3, 0, 0])
    assert np.abs(part_change("folds", reddened, shape, masks)).max() < 1e-3, "no fold is as wide as a face"
    assert part_change("skin", reddened, shape, masks)[..., 0].max() == pytest.approx(0.3, abs=1e-3)
    for part, place in (("hair", masks.face > 0.999), ("folds", masks.hair > 0.999), ("skin", masks.neck > 0.999)):
        assert np.abs(part_change(part, whole, shape, masks)[place]).max() < 0.01, part


def test_a_part_is_named_after_its_direction() -> None:
    folds = se.direction("age.folds")
    assert (str(folds), folds.label, folds.part) == ("age.folds", "age.folds", "folds")
    assert folds.whole == se.direction("age").whole
    assert str(2 * se.direction("age").only("hair")) == "age.hair +2"
    push = se.Direction(vector=np.ones(64), name="push").only("neck")
    assert (push.label, push.whole.name) == ("push.neck", "push")
    with pytest.raises(UnknownDirection) as told:
        se.direction("age.fold")
    assert "age.folds" in str(told.value) + told.value.hint
    with pytest.raises(ConfigError, match="'nose' is no part"):
        folds.whole.only("nose")
    with pytest.raises(DirectionError, match="is a part already"):
        folds.only("hair")
    with pytest.raises(DirectionError, match="StyleSpace"):
        se.direction("s:5:112").only("hair")


def test_what_is_worked_out_for_a_clip_has_parts_too() -> None:
    assert load_direction(se.direction("identity.shape")).part == "shape"
