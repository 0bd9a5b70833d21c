"""Regions: which pixels they hold, how they unite, and what of them a project keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stitchedit.config import REGIONS, united
from stitchedit.errors import ConfigError
from stitchedit.faces import head_segmentation
from stitchedit.faces.mesh_topology import LEFT_EYE, LIPS, RIGHT_EYE, face_outline
from stitchedit.image.signed_distance import inside
from stitchedit.masks import regions
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.pipeline import head_map_cache
from stitchedit.progress import silent
from stitchedit.project.folder import Project
from stitchedit.types import ByteArray, Crops, FacePoints, FaceState, FloatArray, Tracks

POINTS = np.load(packaged_file("mean_face.npy"))[:468]
S = 256


def held(*names: str, likely: ByteArray | None = None) -> FloatArray:
    return np.asarray(regions.region_shape(united(names), POINTS, likely).distance(S) < 0)


def around(part: tuple[int, ...]) -> FloatArray:
    """The pixels inside of an outline of the mesh."""
    return np.asarray(inside([POINTS[list(part)] * S], (S, S)) > 0.5)


def disc(radius: float) -> ByteArray:
    at = np.arange(S) + 0.5 - S / 2
    return np.where(np.hypot(at, at[:, None]) < radius, 255, 0).astype(np.uint8)


def test_mouth_and_eyes_have_room_and_no_more() -> None:
    for name, parts in (("mouth", (LIPS,)), ("eyes", (LEFT_EYE, RIGHT_EYE))):
        mask, core = held(name), np.logical_or.reduce([around(part) for part in parts])
        assert mask[core].all()
        assert mask.sum() > 1.5 * core.sum()
        assert mask.mean() < 0.1
    assert not (held("mouth") & held("eyes")).any()
    x, y = (POINTS[4] * S).astype(int)  # tip of the nose
    assert not held("mouth", "eyes")[y, x]


def test_regions_unite() -> None:
    assert (held("mouth", "eyes") == (held("mouth") | held("eyes"))).all()
    assert (held("mouth", "face") == held("face")).all()
    likely = disc(110)
    both = held("head", "mouth", likely=likely)
    assert (both == held("head", likely=likely)).all()
    assert both[held("face")].all()  # the mesh knows better where the face is than the map


def test_a_mouth_at_the_edge_of_a_turned_face_stays_on_it() -> None:
    turned = POINTS.copy()
    lips = turned[list(LIPS)]
    turned[list(LIPS)] = lips + np.float32([face_outline(POINTS)[:, 0].max() - lips[:, 0].max(), 0])
    mask = regions.region_shape(("mouth",), turned).distance(S) < 0
    assert not (mask & ~held("face")).any()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, ("face",)),
        ([], ("face",)),
        (["eyes", "mouth", "eyes"], ("mouth", "eyes")),
        (["mouth", "face"], ("face",)),
        (list(REGIONS), ("head",)),
    ],
)
def test_what_another_region_holds_is_left_out(given: list[str] | None, kept: tuple[str, ...]) -> None:
    assert united(given) == kept


def test_what_an_edited_crop_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((S, S, 3), np.uint8)
    assert regions.edited_shape(("face",), image) is None
    monkeypatch.setattr(regions, "edited_mesh", lambda *_: POINTS)
    monkeypatch.setattr(head_segmentation, "head_map", lambda image, mesh: disc(110).astype(np.float32) / 255)
    for names in (("face",), ("mouth",)):
        shown = regions.edited_shape(names, image)
        assert shown is not None
        np.testing.assert_array_equal(shown.distance(S) < 0, held("face"))
    shown = regions.edited_shape(("head",), image)
    assert shown is not None
    np.testing.assert_array_equal(shown.distance(S) < 0, held("head", likely=disc(110)))


def test_an_unknown_region_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown region 'nose'") as refused:
        united(["face", "nose"])
    assert "mouth" in refused.value.hint


def test_a_project_makes_its_head_maps_once_and_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project.create(tmp_path / "clip.stitch")
    project.records.finish("align", {"frames": "3"})
    crops = Crops(np.arange(3), np.zeros((3, 4, 2), np.float32), [], 64)
    points = FacePoints(np.repeat(POINTS[None], 3, axis=0))
    tracks = Tracks(np.zeros((3, 68, 2), np.float32), np.full(3, FaceState.FOUND, np.uint8), (64, 64), 25)  # type: ignore[arg-type]
    made = []

    def fake(crops: Crops, points: FacePoints, runs: object, save: object, progress: object) -> None:
        made.append(len(crops.frames))
        for k in range(3):
            save(k, disc(100 + 10 * k))  # type: ignore[operator]

    monkeypatch.setattr(head_segmentation, "head_maps", fake)

    def shapes(*names: str) -> object:
        return head_map_cache.project_shapes(project, united(names), crops, points, tracks, silent)

    for names in (("face",), ("mouth",)):
        assert len(shapes(*names)) == 3  # type: ignore[arg-type]
        assert head_map_cache.region_inputs(project, united(names)) == (
            {} if names == ("face",) else {"region": "mouth"}
        )
    assert not (project.root / "regions").exists()
    first = shapes("head")
    assert (first[2].distance(S) < 0).sum() > (first[0].distance(S) < 0).sum()  # type: ignore[index]
    shapes("head")
    assert made == [3]
    before = head_map_cache.region_inputs(project, ("head",))
    monkeypatch.setattr(head_segmentation, "VERSION", "2")
    assert head_map_cache.region_inputs(project, ("head",)) != before
    shapes("head")
    assert made == [3, 3]
    (project.root / "regions" / "head" / "000002.png").unlink()
    shapes("head")
    assert made == [3, 3, 3]
