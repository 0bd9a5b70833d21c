"""faceres: the network takes its file apart as it should, and reads a generated face where the file was fetched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from stitchedit.errors import NotFetched, UnknownCheckpoint
from stitchedit.faces.age_reader import WEIGHTS, AgeReader, inner_face, load_age_reader
from stitchedit.learning.generator_samples import draw_ws, render
from stitchedit.models.generator import load_default_generator
from stitchedit.models.weights_fetch import MEASURING, measuring_path


def _zeros(path: Path, numbers: int) -> Path:
    np.zeros(numbers, "<f2").tofile(path)
    return path


def test_a_file_of_the_right_length_is_a_network_and_no_other(tmp_path: Path) -> None:
    size = next(item.size for item in MEASURING if item.name == WEIGHTS)
    network = AgeReader(_zeros(tmp_path / "whole", size // 2))
    years, male = network(torch.zeros(2, 3, 224, 224))
    np.testing.assert_allclose(years, [49.5, 49.5], rtol=1e-5)  # all classes are alike
    assert male.tolist() == [0, 0]
    with pytest.raises(UnknownCheckpoint, match="too short"):
        AgeReader(_zeros(tmp_path / "short", size // 2 - 100))
    with pytest.raises(UnknownCheckpoint, match="numbers where"):
        AgeReader(_zeros(tmp_path / "long", size // 2 + 1))


def test_the_outer_tenth_is_left_out_at_any_size() -> None:
    for side in (256, 280, 1024):
        picture = np.zeros((side, side, 3), np.uint8)
        edge = round(0.1 * side)
        picture[edge:-edge, edge:-edge] = 200
        inner = inner_face(picture)
        assert inner.shape == (3, 224, 224)
        assert (inner == 200).all()


@pytest.mark.weights
def test_a_generated_face_has_an_age_and_its_gradient() -> None:
    try:
        network = load_age_reader(measuring_path(WEIGHTS))
    except NotFetched:
        pytest.skip("faceres is not fetched: stitchedit weights fetch measuring")
    generator = load_default_generator("cpu")
    (picture,) = render(generator, draw_ws(generator, 1, [2026, 0]), 256)
    image = torch.from_numpy(inner_face(picture))[None].requires_grad_()
    years, male = network(image)
    assert 15 < years.item() < 45
    assert np.isfinite(male.item())
    years.sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
