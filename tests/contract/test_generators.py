"""What every generator family keeps; a newcomer in `GENERATORS`, a plug-in too, is tested by itself.

A family of a plug-in is built without arguments.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from stitchedit.models.generator import GENERATORS, Generator, read_generator, save_generator

SMALL: dict[str, dict[str, Any]] = {
    "mobilestylegan": {
        "made_for": "small",
        "z_dim": 8,
        "w_dim": 8,
        "mapping_layers": 2,
        "channels": (16, 16, 12, 8),
        "heads": {16: "deep", 64: "styled"},
    },
    "stylegan2": {
        "made_for": "small",
        "z_dim": 8,
        "w_dim": 8,
        "img_resolution": 32,
        "mapping_layers": 2,
        "channels": {4: 8, 8: 8, 16: 8, 32: 8},
    },
    "stylegan3": {
        "made_for": "small",
        "z_dim": 8,
        "w_dim": 8,
        "img_resolution": 32,
        "num_layers": 5,
        "channel_max": 8,
        "conv_kernel": 1,
        "use_radial_filters": True,
    },
}


@pytest.fixture
def generator(name: str) -> Generator:
    torch.manual_seed(0)
    return GENERATORS[name].build(**SMALL.get(name, {})).eval()


def test_every_family_of_stitchedit_is_here() -> None:
    assert set(SMALL) == set(GENERATORS.own)


@pytest.mark.parametrize("name", GENERATORS)
class TestGenerators:
    def test_says_what_it_is(self, name: str, generator: Generator) -> None:
        assert generator.architecture == name
        assert generator.made_for
        assert generator.exits == tuple(sorted(generator.exits))
        assert generator.exits[-1] == generator.resolution
        assert generator.w_avg.shape == (generator.w_dim,)

    def test_draws_pictures_of_every_exit_again_and_again(self, name: str, generator: Generator) -> None:
        ws = generator.mapping(torch.randn(2, generator.z_dim))
        assert ws.shape == (2, generator.num_ws, generator.w_dim)
        for size in generator.exits:
            image = generator.synthesis(ws, resolution=size)
            assert image.shape == (2, 3, size, size)
            assert image.dtype == torch.float32
            assert image.isfinite().all()
        assert torch.equal(generator.synthesis(ws), generator.synthesis(ws, resolution=generator.resolution))
        assert torch.equal(generator.synthesis(ws[:, :1]), generator.synthesis(ws[:, :1].expand_as(ws)))

    def test_truncation_goes_to_the_mean(self, name: str, generator: Generator) -> None:
        ws = generator.mapping(torch.randn(2, generator.z_dim), truncation_psi=0)
        torch.testing.assert_close(ws, generator.w_avg.expand_as(ws))

    def test_can_be_tuned(self, name: str, generator: Generator) -> None:
        generator.requires_grad_(True)
        ws = generator.mapping(torch.randn(1, generator.z_dim)).detach().requires_grad_(True)
        generator.synthesis(ws).square().mean().backward()
        assert ws.grad is not None
        assert ws.grad.abs().sum() > 0
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.parameters())
        for key, _ in generator.named_parameters():
            assert 0 <= generator.layer_px(key) <= generator.resolution

    def test_comes_back_from_a_file(self, name: str, generator: Generator, tmp_path: Path) -> None:
        path = tmp_path / "generator.safetensors"
        assert GENERATORS[name].build(**json.loads(json.dumps(generator.config))).resolution == generator.resolution
        save_generator(generator, path, licence="CC0")
        back = read_generator(path)
        ws = generator.mapping(torch.randn(1, generator.z_dim))
        assert (back.architecture, back.made_for) == (name, generator.made_for)
        assert torch.equal(back.synthesis(ws), generator.synthesis(ws))

    def test_takes_no_file_of_others_for_its_own(self, name: str, tmp_path: Path) -> None:
        read = GENERATORS[name].read
        path = tmp_path / "strange.bin"
        path.write_bytes(b"\0" * 64)
        assert read is None or read(path) is None
