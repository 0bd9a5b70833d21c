"""The head parser's network, what it is told, and files that are none of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stitchedit.errors import UnknownCheckpoint
from stitchedit.faces.head_parser import FORMAT, SIZE, HeadParser, load_head_parser, parse, places
from stitchedit.files.array_files import save_tensors
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.models.perceptual import MobileNetPerceptual

POINTS = np.load(packaged_file("mean_face.npy"))[:468]


def test_places_count_from_the_chin_in_face_heights() -> None:
    matte = np.zeros((SIZE, SIZE), np.float32)
    told = places(POINTS, matte)
    assert (told.shape, told.dtype) == ((4, SIZE, SIZE), np.float32)
    assert np.abs(told).max() <= 1.5
    x, y = (POINTS[152] * SIZE).astype(int)  # chin
    top_x, top_y = (POINTS[10] * SIZE).astype(int)
    assert told[2, y, x] == pytest.approx(0, abs=0.02)
    assert told[2, top_y, top_x] == pytest.approx(-1, abs=0.03)
    assert told[3, y, x] == pytest.approx(0, abs=0.02)
    assert told[1, y - 40, x] < 0 < told[1, y + 20, x]


def test_the_packaged_network_gives_likelihoods() -> None:
    network, eyes = load_head_parser(), MobileNetPerceptual()
    assert sum(p.numel() for p in network.parameters()) < 200_000
    image = torch.zeros(1, 3, SIZE, SIZE)
    likely = parse(network, eyes.features(image), places(POINTS, np.ones((SIZE, SIZE), np.float32)))
    assert likely.shape == (SIZE // 4, SIZE // 4)
    assert 0 <= likely.min() < likely.max() <= 1
    middle = SIZE // 8
    assert likely[middle, middle] > 0.9  # even in a grey picture a face is no clothes


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(UnknownCheckpoint):
        load_head_parser(path)
    save_tensors(path, {"read.bias": torch.zeros(1)}, {"format": FORMAT})
    with pytest.raises(UnknownCheckpoint):
        load_head_parser(path)
    save_tensors(path, HeadParser().state_dict(), {"format": "another"})
    with pytest.raises(UnknownCheckpoint):
        load_head_parser(path)
