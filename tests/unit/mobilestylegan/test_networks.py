import pytest
import torch
import torch.nn.functional as F

from stitchedit.mobilestylegan import MobileStyleGAN
from stitchedit.mobilestylegan.layers import SeparableConv


@pytest.fixture(scope="module")
def small() -> MobileStyleGAN:
    torch.manual_seed(0)
    heads = {8: "styled", 16: "deep", 32: "narrow", 64: "styled"}
    return MobileStyleGAN(made_for="test-64", z_dim=8, w_dim=8, mapping_layers=2, channels=(16, 16, 12, 8), heads=heads)


def test_says_what_it_is(small: MobileStyleGAN) -> None:
    assert (small.resolution, small.num_ws, small.exits) == (64, 8, (8, 16, 32, 64))
    twin = MobileStyleGAN(**small.config)  # type: ignore[arg-type]
    twin.load_state_dict(small.state_dict())
    ws = small.mapping(torch.randn(1, 8))
    assert torch.equal(twin.synthesis(ws), small.synthesis(ws))


@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_exits_give_their_size_and_run_no_block_above(small: MobileStyleGAN, size: int) -> None:
    ran = []
    hooks = [
        block.register_forward_hook(lambda block, args, out: ran.append(out.shape[1]))
        for block in small.synthesis_network.blocks
    ]
    image = small.synthesis(torch.randn(2, 1, 8), resolution=size)
    for hook in hooks:
        hook.remove()
    assert image.shape == (2, 3, size, size)
    assert image.is_contiguous()
    # narrow and deep exits stand for the last block
    assert max(ran, default=4) == {8: 4, 16: 4, 32: 8, 64: 32}[size]


@pytest.mark.parametrize("size", [8, 16, 32, 64])
@pytest.mark.parametrize("window", [(0, 0, 1, 1), (0.25, 0.5, 0.75, 1), (0.5, 0.25, 0.75, 0.5), (0, 0.75, 0.25, 1)])
def test_a_window_is_that_part_of_the_picture(
    small: MobileStyleGAN, size: int, window: tuple[float, float, float, float]
) -> None:
    """And its gradients are those of that part, with narrow, deep and styled heads alike."""
    top, left, bottom, right = (round(edge * size) for edge in window)
    ws = torch.randn(2, 8, 8)
    wanted = small.synthesis(ws, resolution=size)[..., top:bottom, left:right]
    part = small.synthesis_window(ws, (top, left, bottom, right), resolution=size)
    torch.testing.assert_close(part, wanted, rtol=1e-4, atol=1e-4)
    moved = [p for name, p in small.named_parameters() if not name.startswith("mapping")]
    for found, right_one in zip(
        torch.autograd.grad(part.square().sum(), moved, allow_unused=True),
        torch.autograd.grad(wanted.square().sum(), moved, allow_unused=True),
        strict=True,
    ):
        assert (found is None) == (right_one is None)
        if found is not None:
            torch.testing.assert_close(found, right_one, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("window", [(0, 0, 3, 4), (-2, 0, 4, 4), (0, 0, 4, 18), (4, 0, 4, 4)])
def test_windows_that_are_none_are_refused(small: MobileStyleGAN, window: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="window"):
        small.synthesis_window(torch.randn(1, 8, 8), window, resolution=16)


def test_one_row_is_every_row_and_samples_do_not_meet(small: MobileStyleGAN) -> None:
    ws = torch.randn(3, 1, 8)
    together = small.synthesis(ws)
    alone = torch.cat([small.synthesis(row.expand(1, small.num_ws, -1)) for row in ws])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_each_row_reaches_its_layers_only(small: MobileStyleGAN) -> None:
    """A row above those that the features of a size read does not change them; every row changes the image."""
    ws = torch.randn(1, 8, 8)
    image = small.synthesis(ws)
    for row in range(8):
        changed = ws.clone()
        changed[:, row] += 1
        assert not torch.equal(small.synthesis(changed), image)
        network = small.synthesis_network
        before, _ = network.features(network.styles(ws, 64), 8)
        after, _ = network.features(network.styles(changed, 64), 8)
        assert torch.equal(before, after) == (row >= 3)


def test_noise_can_be_left_out(small: MobileStyleGAN) -> None:
    ws = torch.randn(1, 1, 8)
    without = small.synthesis(ws, noise_mode="none")
    silent = MobileStyleGAN(**small.config)  # type: ignore[arg-type]
    state = {key: torch.zeros_like(v) if key.endswith("noise") else v for key, v in small.state_dict().items()}
    silent.load_state_dict(state)
    torch.testing.assert_close(without, silent.synthesis(ws), rtol=1e-4, atol=1e-4)
    assert not torch.equal(without, small.synthesis(ws))


def test_truncation_pulls_the_first_rows_toward_the_mean(small: MobileStyleGAN) -> None:
    small.w_avg.fill_(0.25)
    z = torch.randn(2, 8)
    full = small.mapping(z)
    half = small.mapping(z, truncation_psi=0.5, truncation_cutoff=3)
    torch.testing.assert_close(half[:, :3], 0.25 + 0.5 * (full[:, :3] - 0.25))
    assert torch.equal(half[:, 3:], full[:, 3:])
    torch.testing.assert_close(small.mapping(z, truncation_psi=0.0), torch.full((2, 8, 8), 0.25))
    torch.testing.assert_close(small.mapping(3 * z), full)  # z counts by its direction only


def test_refuses_what_it_cannot_draw(small: MobileStyleGAN) -> None:
    ws = torch.randn(1, 8, 8)
    with pytest.raises(ValueError, match=r"one of \(8, 16, 32, 64\), not 48"):
        small.synthesis(ws, resolution=48)
    with pytest.raises(ValueError, match="noise_mode"):
        small.synthesis(ws, noise_mode="random")
    with pytest.raises(ValueError, match=r"not \[1, 5, 8\]"):
        small.synthesis(ws[:, :5])
    for heads in ({32: "styled"}, {8: "styled"}, {8: "narrow", 16: "styled"}, {8: "styled", 16: "deep"}):
        with pytest.raises(ValueError, match="do not fit"):
            MobileStyleGAN(channels=(16, 16), heads=heads)
    with pytest.raises(ValueError, match=r"unknown kinds of heads \['wide'\]"):
        MobileStyleGAN(channels=(16, 16, 16), heads={16: "wide", 32: "styled"})


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("use_noise", [True, False])
def test_separable_convolution_equals_its_definition(batch: int, use_noise: bool) -> None:
    torch.manual_seed(1)
    layer = SeparableConv(w_dim=6, channels=4, out_channels=5, size=8).double()
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(batch, 8, 8, 4, dtype=torch.float64, requires_grad=True)
    w = torch.randn(batch, 6, dtype=torch.float64, requires_grad=True)

    styled = x.permute(0, 3, 1, 2) * layer.affine(w)[:, :, None, None]
    y = F.conv2d(F.conv2d(styled, layer.depthwise, padding=1, groups=4), layer.pointwise)
    y = y + layer.noise * use_noise + layer.bias[:, None, None]
    expected = F.leaky_relu(y, 0.2).permute(0, 2, 3, 1)
    found = layer(x, layer.affine(w), use_noise)
    torch.testing.assert_close(found, expected)

    weight = torch.randn_like(expected)
    inputs = [x, w, *layer.parameters()]
    ours = torch.autograd.grad((found * weight).sum(), inputs)
    theirs = torch.autograd.grad((expected * weight).sum(), inputs)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_every_parameter_has_a_layer_of_some_size(small: MobileStyleGAN) -> None:
    sizes = {name: small.layer_px(name) for name, _ in small.named_parameters()}
    assert set(sizes.values()) == {0, 4, 8, 16, 32, 64}
    assert all((px == 0) == name.startswith("mapping") for name, px in sizes.items())
    assert sizes["synthesis_network.first.weight"] == 4
    assert sizes["synthesis_network.blocks.1.conv1.pointwise"] == 16
    assert sizes["synthesis_network.heads.64.weight"] == 64
