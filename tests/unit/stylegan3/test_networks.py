"""The generator as a whole. That it keeps the interface of generators: tests/contract."""

import json

import pytest
import torch

from stitchedit.models.generator import HasStyleSpace
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


@pytest.mark.parametrize("expand", [(2, 2, 2, 2), (1, 0, 2, 3), (0, 4, 4, 0)])
@pytest.mark.parametrize("radial", [True, False])
def test_what_is_drawn_beyond_the_picture_leaves_it_as_it_was(expand: tuple[int, int, int, int], radial: bool) -> None:
    """But for its edge, where without it zeros lie beyond the margin; in T that is seen more, through 3x3 kernels."""
    torch.manual_seed(0)
    options = {"conv_kernel": 1 if radial else 3, "use_radial_filters": radial}
    g = StyleGAN3(z_dim=8, w_dim=8, img_resolution=32, num_layers=6, channel_max=8, **options)
    torch.nn.init.normal_(g.synthesis.input.affine.weight, 0, 0.2)
    wide, ws = g.expanded(expand), torch.randn(1, 8, 8)
    left, top, right, _ = (4 * n for n in expand)
    with torch.no_grad():
        alone, with_more = g.synthesis(ws), wide.synthesis(ws)
    assert wide.exits == (32 + left + right,)
    assert with_more.shape == (1, 3, 32 + left + right, 32 + left + right)
    inside = with_more[..., top : top + 32, left : left + 32]
    difference = (inside - alone).abs() / alone.abs().max()
    assert float(difference.max()) < 5e-3
    assert float(difference[..., 8:-8, 8:-8].max()) < 5e-4
    beyond = torch.cat([with_more[..., :top, :].flatten(), with_more[..., top + 32 :, :].flatten()])
    assert float(beyond.std()) > 0.3 * float(alone.std())


def test_weights_are_shared_with_what_draws_beyond() -> None:
    g = StyleGAN3(z_dim=4, w_dim=4, img_resolution=32, num_layers=5, channel_max=4)
    wide = g.expanded((1, 1, 1, 1))
    assert wide.state_dict().keys() == g.state_dict().keys()
    assert all(a is b for a, b in zip(wide.parameters(), g.parameters(), strict=True))
    assert StyleGAN3(**wide.config).resolution == wide.resolution == 40
    for expand in ((1, 0, 0, 0), (5, 5, 5, 5), (-1, 0, 1, 0)):
        with pytest.raises(ValueError, match="square and 0 to 4 eighths"):
            g.expanded(expand)


def test_a_style_space_of_every_layer() -> None:
    g = StyleGAN3(z_dim=4, w_dim=4, img_resolution=32, num_layers=5, channel_max=4)
    ws = torch.randn(2, 7, 4)
    assert isinstance(g, HasStyleSpace)
    with torch.no_grad():
        styles = g.styles(ws)
        assert [s.shape[1] for s in styles] == [channels for _, channels in g.style_layers()]
        assert g.style_layers()[0] == ("input", 4)
        assert torch.equal(g.from_styles(styles), g.synthesis(ws))
