"""StyleGAN3 against what the reference code drew (tests/golden/README.md, A2)."""

import pytest
import torch
from golden_networks import GOLDEN, arrays, error
from safetensors.torch import load_file
from torch import Tensor

from stitchedit.stylegan3 import StyleGAN3

VALUES = 5e-5  # tolerance of the README


@pytest.fixture(scope="module")
def golden(device: torch.device) -> tuple[StyleGAN3, dict[str, Tensor]]:
    """A T of 32 px, six layers; its filters as the reference designed them."""
    generator = StyleGAN3(
        z_dim=64, w_dim=64, img_resolution=32, num_layers=6, channel_base=512, channel_max=16, num_fp16_res=0
    )
    state = load_file(GOLDEN / "pkl_sg3t_r32.weights.safetensors")
    own = generator.state_dict()
    assert own.keys() == state.keys()
    for name in own:
        if name.endswith("_filter"):
            assert torch.equal(own[name], state[name]), name
    generator.load_state_dict(state)
    return generator.eval().to(device), arrays("pkl_sg3t_r32.io.npz", device)


def test_mapping(golden: tuple[StyleGAN3, dict[str, Tensor]]) -> None:
    generator, io = golden
    with torch.no_grad():
        assert error(generator.mapping(io["in.z"], truncation_psi=0.7), io["out.ws_psi0.7"]) <= VALUES


def test_pictures(golden: tuple[StyleGAN3, dict[str, Tensor]]) -> None:
    generator, io = golden
    with torch.no_grad():
        ws = generator.mapping(io["in.z"], truncation_psi=0.7)
        assert error(generator.synthesis(ws), io["out.img_psi0.7"]) <= VALUES
        assert error(generator.synthesis(io["in.wplus"]), io["out.img_wplus"]) <= VALUES


def test_a_users_transform(golden: tuple[StyleGAN3, dict[str, Tensor]]) -> None:
    generator, io = golden
    with torch.no_grad():
        found = generator.synthesis(io["in.wplus"], transform=io["in.transform"])
    assert error(found, io["out.img_wplus_transform"]) <= VALUES


def test_every_layer(golden: tuple[StyleGAN3, dict[str, Tensor]]) -> None:
    """Sample 0, the first four channels."""
    generator, io = golden
    network = generator.synthesis
    with torch.no_grad():
        first, *styles = network.styles(io["in.wplus"])
        x = network.input(first)
        assert error(x[:1, :4], io["mid.input"]) <= VALUES
        for name, style in zip(network.layer_names, styles, strict=True):
            x = network.layer(name)(x, style)
            assert error(x[:1, :4], io[f"mid.{name}"]) <= VALUES, name
