"""FAN through its package: with the package itself where it is installed, with a stand-in for it where it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from stitchedit.errors import ConfigError, NotFetched, UnknownCheckpoint
from stitchedit.faces import fan
from stitchedit.faces.detectors import face_box
from stitchedit.faces.mesh import mean_landmarks
from stitchedit.types import FloatArray

URLS = {name: f"https://example.org/{name}.pth.tar" for name in ("2DFAN-4", "3DFAN-4")}


class Standing(torch.nn.Module):
    """In place of FAN: a heat map that is brightest where the picture is, the same for all 68 points."""

    def __init__(self, modules: int = 4) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        heat = torch.nn.functional.avg_pool2d(x[:, :1], 4) * self.gain
        return [heat.repeat(1, 68, 1, 1)]


class Package:
    """face_alignment.FaceAlignment in the form that is used here: it finds what is bright."""

    def __init__(self, kind: str, *, device: str, face_detector: str, compile: bool) -> None:
        assert (face_detector, compile) == ("folder", False), "nothing else is without a download"
        self.net = Standing()
        self.net.load_state_dict(torch.load(Path(torch.hub.get_dir()) / "checkpoints" / f"{kind}.pth.tar"))

    def get_landmarks_from_image(self, image: np.ndarray, detected_faces: list[np.ndarray]) -> list[np.ndarray]:
        (box,) = detected_faces
        assert box.shape == (4,)
        y, x = np.argwhere(image[..., 0] > 128).mean(axis=0)
        return [np.tile(np.float32([x, y]), (68, 1))]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where torch.hub keeps files; with the package, or something that stands for it."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    module: Any = ModuleType("face_alignment")
    module.FaceAlignment = Package
    module.LandmarksType = {"TWO_D": "2DFAN-4", "TWO_HALF_D": "3DFAN-4"}
    module.api = SimpleNamespace(models_urls=URLS)
    monkeypatch.setitem(sys.modules, "face_alignment", module)
    fan.network.cache_clear()
    yield tmp_path / "checkpoints"
    fan.network.cache_clear()


def face(x: float, y: float, size: float) -> FloatArray:
    """The landmarks of an average face in a square of a picture."""
    return mean_landmarks() * size + np.float32([x, y])


@pytest.mark.parametrize(("place", "name"), [(fan.place_2d, "2DFAN-4"), (fan.place_3d, "3DFAN-4")])
def test_what_the_network_finds_comes_back_in_source_pixels(cache: Path, place: Any, name: str) -> None:
    torch.save(Standing().state_dict(), cache / f"{name}.pth.tar")
    for left, top, size in ((40, 30, 120), (200, 90, 300)):
        found, picture = face(left, top, size), np.zeros((420, 640, 3), np.uint8)
        x, y = face_box(found).center
        picture[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2] = 255
        points = place(picture, found, "cpu")
        assert (points.shape, points.dtype) == ((68, 2), np.float32)
        np.testing.assert_allclose(points, np.tile([int(x) + 0.5, int(y) + 0.5], (68, 1)), atol=1.0)


def test_weights_are_the_users_own_download(cache: Path) -> None:
    with pytest.raises(NotFetched, match="2DFAN-4") as caught:
        fan.ready_2d("cpu")
    assert f"download {URLS['2DFAN-4']} to {cache}" in caught.value.hint
    (cache / "2DFAN-4.pth.tar").write_bytes(b"<html>")
    with pytest.raises(UnknownCheckpoint) as told:
        fan.ready_2d("cpu")
    assert "\n" not in str(told.value)


def test_without_the_package_or_with_another_one(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["face_alignment"], "api", SimpleNamespace(models_urls={"2DFAN-4": {}}))
    with pytest.raises(ConfigError, match="not one that is known here"):
        fan.ready_2d("cpu")
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(ConfigError, match="not installed") as caught:
        fan.ready_2d("cpu")
    assert caught.value.hint == "pip install 'stitchedit[fan]'"


def test_the_package_itself_with_a_stand_in_network_in_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own cropping and its own way from heat maps to points: right by half a step of the heat map."""
    package = pytest.importorskip("face_alignment")
    url = package.api.models_urls["2DFAN-4"]
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(package.utils, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(package.api, "FAN", Standing)
    (tmp_path / "checkpoints").mkdir()
    torch.save(Standing().state_dict(), tmp_path / "checkpoints" / url.rpartition("/")[2])
    fan.network.cache_clear()
    errors = []
    random = np.random.default_rng(0)
    for _ in range(16):
        found, picture = face(100, 60, 240), np.zeros((420, 640, 3), np.uint8)
        x, y = random.uniform((170, 140), (270, 240)).astype(int)
        picture[y - 3 : y + 4, x - 3 : x + 4] = 255
        errors.append(fan.place_2d(picture, found, "cpu")[0] - (x + 0.5, y + 0.5))
    fan.network.cache_clear()
    assert np.abs(errors).max() < 240 / 30
    assert np.abs(np.mean(errors, axis=0)).max() < 1.5, "the middle of a pixel is where it should be"
