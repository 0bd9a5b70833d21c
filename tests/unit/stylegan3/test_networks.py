"""The generator as a whole. That it keeps the interface of generators: tests/contract."""

import json

import pytest
import torch

from stitchedit.stylegan3 import StyleGAN3
from stitchedit.stylegan3.networks import CONFIGURATIONS


def test_published_sizes_can_be_built() -> None:
    """22.3 and 15.1 million parameters at 1024 px."""
    counts = {}
    for name, options in CONFIGURATIONS.items():
        for size in (256, 512, 1024):
            with torch.device("meta"):
                g = StyleGAN3(img_resolution=size, **options)
            counts[name, size] = sum(p.numel() for p in g.parameters())
            assert (g.num_ws, g.resolution, g.exits) == (16, size, (size,))
    assert counts["T", 1024] == 22_313_167
    assert counts["R", 1024] == 15_093_151


def test_the_configuration_builds_it_again() -> None:
    g = StyleGAN3(
        made_for="x",
        z_dim=4,
        w_dim=4,
        img_resolution=32,
        num_layers=5,
        channels=[4, 4, 3, 3, 2],
        conv_kernel=1,
        use_radial_filters=True,
    )
    again = StyleGAN3(**json.loads(json.dumps(g.config)))
    again.load_state_dict(g.state_dict())
    z = torch.randn(2, 4)
    with torch.no_grad():
        assert torch.equal(again(z), g(z))


def test_a_parameter_tells_at_how_many_pixels_it_works() -> None:
    g = StyleGAN3(z_dim=4, w_dim=4, img_resolution=32, num_layers=5, channel_max=4)
    px = [g.layer_px(f"synthesis.{name}.weight") for name in g.synthesis.layer_names]
    assert px == sorted(px)
    assert (px[0], px[-1]) == (16, 32)
    assert g.layer_px("mapping.fc0.weight") == 0
    assert g.layer_px("synthesis.input.weight") == 16


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="noise"):
        StyleGAN3(img_resolution=32, noise=1)
