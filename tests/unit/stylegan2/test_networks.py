"""The generator beyond what the golden files hold: labels, architectures, clamps, exits, noise, StyleSpace, errors."""

import json
from typing import Any

import pytest
import torch
from torch import Tensor

from stitchedit.stylegan2 import StyleGAN2
from stitchedit.stylegan2.synthesis import SynthesisLayer, ToRGB

SMALL: dict[str, Any] = {"z_dim": 16, "w_dim": 16, "img_resolution": 32, "mapping_layers": 2, "channel_max": 8}


def small(**options: Any) -> StyleGAN2:
    torch.manual_seed(0)
    generator = StyleGAN2(**{**SMALL, **options}).eval()
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.3)
    return generator


def codes(generator: StyleGAN2, batch: int = 2, seed: int = 1) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(batch, generator.num_ws, generator.w_dim, generator=rng)


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_every_architecture_equals_its_definition(architecture: str) -> None:
    """Written out again, block by block, from the layers' plain form."""
    generator = small(architecture=architecture, conv_clamp=0.9)
    ws = codes(generator)
    synthesis = generator.synthesis
    x = synthesis.get_submodule("b4").const.expand(2, -1, -1, -1)
    image, row = None, 0
    with torch.no_grad():
        for r in (4, 8, 16, 32):
            block = synthesis.block(r)
            resnet = architecture == "resnet" and r > 4
            gain = 0.5**0.5 if resnet else 1.0
            beside = double(torch.einsum("oi,bihw->bohw", block.skip.weight[:, :, 0, 0], x)) if resnet else None
            for layer in block.convs:
                own = gain if layer is block.conv1 else 1.0
                x = styled(layer, x, ws[:, row], own)
                row += 1
            if beside is not None:
                x = x + beside * gain / block.skip.weight.shape[1] ** 0.5
            image = None if image is None else double(image)
            if block.torgb is not None:
                rgb = to_rgb(block.torgb, x, ws[:, row])
                image = rgb if image is None else image + rgb
        found = synthesis(ws)
    assert image is not None
    torch.testing.assert_close(found, image, rtol=1e-4, atol=1e-5)


def styled(layer: SynthesisLayer, x: Tensor, w: Tensor, gain: float) -> Tensor:
    s = w @ layer.affine.weight.t() / w.shape[1] ** 0.5 + layer.affine.bias
    w3 = layer.weight * s[:, None, :, None, None]
    w3 = w3 / (w3.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    if layer.up == 2:  # zeros between, convolution with the weights turned round, then the filter
        big = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
        big[:, :, ::2, ::2] = x
        big = torch.nn.functional.pad(big, (2, 1, 2, 1))
        f = torch.tensor([1.0, 3.0, 3.0, 1.0])
        f = (torch.outer(f, f) / 16).expand(x.shape[1], 1, 4, 4)
        big = torch.nn.functional.pad(big, (1, 1, 1, 1))
        x = torch.nn.functional.conv2d(big, f, groups=x.shape[1])
        w3 = w3.flip([3, 4])
        y = torch.cat([torch.nn.functional.conv2d(x[i : i + 1], w3[i]) for i in range(len(x))])
    else:
        y = torch.cat([torch.nn.functional.conv2d(x[i : i + 1], w3[i], padding=1) for i in range(len(x))])
    y = y + layer.noise_const * layer.noise_strength + layer.bias[:, None, None]
    y = torch.where(y > 0, y, 0.2 * y) * 2**0.5 * gain
    assert layer.conv_clamp is not None
    return y.clamp(-layer.conv_clamp * gain, layer.conv_clamp * gain)


def to_rgb(layer: ToRGB, x: Tensor, w: Tensor) -> Tensor:
    s = (w @ layer.affine.weight.t() / w.shape[1] ** 0.5 + layer.affine.bias) / x.shape[1] ** 0.5
    y = torch.einsum("oi,bi,bihw->bohw", layer.weight[:, :, 0, 0], s, x) + layer.bias[:, None, None]
    assert layer.conv_clamp is not None
    return y.clamp(-layer.conv_clamp, layer.conv_clamp)


def double(x: Tensor) -> Tensor:
    """Twice the size with the filter [1, 3, 3, 1]: from each sample and its neighbours 9, 3, 3 and 1 sixteenths."""
    x = torch.nn.functional.pad(x, (1, 1, 1, 1))
    for dim in (2, 3):
        n = x.shape[dim] - 2
        before, here, after = (x.narrow(dim, i, n) for i in range(3))
        both = torch.stack([0.25 * before + 0.75 * here, 0.75 * here + 0.25 * after], dim + 1)
        x = both.flatten(dim, dim + 1)
    return x


def test_a_clamp_limits_every_layer() -> None:
    generator = small(conv_clamp=0.125)
    with torch.no_grad():
        blocks = list(generator.synthesis.run_blocks(generator.synthesis.styles(codes(generator))))
    assert all(float(block.x.abs().max()) <= 0.125 for block in blocks)
    assert float(blocks[0].x.abs().max()) == 0.125


def test_labels() -> None:
    generator = small(c_dim=3)
    z = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    labels = torch.eye(3)[[0, 1]]
    mapping = generator.mapping
    with torch.no_grad():
        ws = mapping(z, labels)
        embedded = labels @ mapping.embed.weight.t() / 3**0.5 + mapping.embed.bias
        x = torch.cat([normal(z), normal(embedded)], dim=1)
        for i in range(2):
            layer = mapping.get_submodule(f"fc{i}")
            x = x @ layer.weight.t() * (0.01 / x.shape[1] ** 0.5) + layer.bias * 0.01
            x = torch.where(x > 0, x, 0.2 * x) * 2**0.5
    torch.testing.assert_close(ws, x[:, None].expand(-1, 8, -1), rtol=1e-5, atol=1e-6)
    for wrong in (None, torch.zeros(2, 4)):
        with pytest.raises(ValueError, match="needs labels"):
            mapping(z, wrong)


def normal(x: Tensor) -> Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


@pytest.mark.parametrize("resolution", [4, 8, 16])
def test_a_smaller_picture_runs_no_block_above(resolution: int) -> None:
    generator = small()
    ws = codes(generator)
    ran = []
    for r in (4, 8, 16, 32):
        generator.synthesis.block(r).register_forward_hook(lambda m, i, o: ran.append(m.resolution))
    with torch.no_grad():
        image = generator.synthesis(ws, resolution=resolution)
        assert max(ran) == resolution
        blocks = list(generator.synthesis.run_blocks(generator.synthesis.styles(ws)))
    running = next(block.image for block in blocks if block.resolution == resolution)
    assert running is not None
    assert torch.equal(image, running)


def test_exits() -> None:
    with torch.device("meta"):
        assert StyleGAN2(img_resolution=256).exits == (64, 128, 256)
        assert StyleGAN2(img_resolution=64).exits == (64,)
        assert StyleGAN2(img_resolution=32).exits == (32,)
        assert StyleGAN2(img_resolution=256, architecture="orig").exits == (256,)


@pytest.mark.parametrize("architecture", ["resnet", "orig"])
def test_only_skip_has_smaller_pictures(architecture: str) -> None:
    generator = small(architecture=architecture)
    with pytest.raises(ValueError, match="has a picture at 32 px only"):
        generator.synthesis(codes(generator), resolution=16)


def test_one_row_is_every_row() -> None:
    generator = small()
    one = codes(generator)[:, :1]
    with torch.no_grad():
        assert torch.equal(generator.synthesis(one), generator.synthesis(one.repeat(1, 8, 1)))


def test_noise_modes() -> None:
    generator = small()
    ws = codes(generator)
    layers = [layer for r in (4, 8, 16, 32) for layer in generator.synthesis.block(r).convs]
    stored = [layer.noise_const[None, None] for layer in layers]
    with torch.no_grad():
        const, none = generator.synthesis(ws), generator.synthesis(ws, noise_mode="none")
        assert torch.equal(generator.synthesis(ws, noise=stored), const)
        assert torch.equal(generator.synthesis(ws, noise=[torch.zeros_like(n) for n in stored]), none)
        random = [
            generator.synthesis(ws, noise_mode="random", rng=torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
        ]
        assert torch.equal(random[0], random[1])
        assert not torch.equal(random[0], random[2])
        each = [torch.cat([n, torch.zeros_like(n)]) for n in stored]
        mixed = generator.synthesis(ws, noise=each)
    torch.testing.assert_close(mixed[0], const[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(mixed[1], none[1], rtol=1e-5, atol=1e-5)


def test_a_network_without_noise() -> None:
    generator = small(use_noise=False)
    assert not any("noise" in name for name in generator.state_dict())
    ws = codes(generator)
    with torch.no_grad():
        for mode in ("const", "random"):
            assert torch.equal(generator.synthesis(ws, noise_mode=mode), generator.synthesis(ws, noise_mode="none"))


def test_style_space_edits_one_channel() -> None:
    generator = small()
    with torch.no_grad():
        styles = generator.synthesis.styles(codes(generator))
        assert [s.shape[1] for s in styles] == [8] * 11
        before = generator.synthesis.from_styles(styles)
        styles[9][:, 3] += 5
        after = generator.synthesis.from_styles(styles)
        # b32's style cannot reach a smaller picture
        small_styles = styles[:8]
        assert torch.equal(
            generator.synthesis.from_styles(small_styles, resolution=16),
            generator.synthesis(codes(generator), resolution=16),
        )
    assert not torch.equal(before, after)


def test_truncation() -> None:
    generator = small()
    generator.w_avg.copy_(torch.arange(16.0))
    z = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        full = generator.mapping(z)
        assert torch.equal(generator.mapping(z, truncation_psi=0)[1, 4], torch.arange(16.0))
        cut = generator.mapping(z, truncation_psi=0.5, truncation_cutoff=2)
    torch.testing.assert_close(cut[:, :2], (full[:, :2] + torch.arange(16.0)) / 2)
    assert torch.equal(cut[:, 2:], full[:, 2:])


def test_configuration_builds_an_equal_network() -> None:
    generator = small(c_dim=2, architecture="resnet", channels={16: 6}, conv_clamp=256, made_for="ffhq-32")
    again = StyleGAN2(**json.loads(json.dumps(generator.config)))
    assert again.config == generator.config
    assert again.made_for == "ffhq-32"
    again.load_state_dict(generator.state_dict())
    with torch.no_grad():
        assert torch.equal(again.eval().synthesis(codes(generator)), generator.synthesis(codes(generator)))


@pytest.mark.parametrize("other", ["float64", "strides"])
def test_codes_of_another_type_or_layout(other: str) -> None:
    generator = small()
    ws = codes(generator)
    given = ws.double() if other == "float64" else ws.transpose(1, 2).contiguous().transpose(1, 2)
    with torch.no_grad():
        torch.testing.assert_close(generator.synthesis(given), generator.synthesis(ws), rtol=1e-5, atol=1e-5)


def test_half_precision_is_for_cuda_only() -> None:
    generator = small(num_fp16_res=2)
    assert [generator.synthesis.block(r).use_fp16 for r in (4, 8, 16, 32)] == [False, False, True, True]
    with torch.no_grad():
        assert generator.synthesis(codes(generator), force_fp32=False).dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_on_the_gpu(architecture: str) -> None:
    """Full and half precision, weights scaled and pictures scaled, gradients: as on the CPU."""
    generator = small(architecture=architecture, num_fp16_res=2, conv_clamp=256)
    ws = codes(generator)
    expected = generator.synthesis(ws)
    expected.square().mean().backward()
    grads = {name: p.grad for name, p in generator.synthesis.named_parameters()}
    twin = small(architecture=architecture, num_fp16_res=2, conv_clamp=256).to("cuda")
    twin.load_state_dict(generator.state_dict())
    scale = float(expected.detach().abs().max())
    with torch.no_grad():
        half = twin.synthesis(ws.cuda()).cpu()
        assert float((half - expected).abs().max()) < 0.02 * scale
    for fused in (True, False):
        twin.zero_grad()
        image = twin.synthesis(ws.cuda(), fused=fused)
        image.square().mean().backward()
        torch.testing.assert_close(image.detach().cpu(), expected.detach(), rtol=1e-3, atol=1e-4 * scale)
        for name, parameter in twin.synthesis.named_parameters():
            assert parameter.grad is not None
            wanted = grads[name]
            assert wanted is not None
            error = float((parameter.grad.cpu() - wanted).abs().max()) / max(1.0, float(wanted.abs().max()))
            assert error < 1e-3, name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: g.mapping(torch.zeros(2, 3)), r"z must be \[B, 16\]"),
        (lambda g: g.synthesis(torch.zeros(2, 8)), r"ws must be \[B, 8 or 1, 16\]"),
        (lambda g: g.synthesis(torch.zeros(2, 7, 16)), r"ws must be \[B, 8 or 1, 16\]"),
        (lambda g: g.synthesis(torch.zeros(2, 8, 16), noise_mode="loud"), "noise_mode must be one of const"),
        (lambda g: g.synthesis(torch.zeros(2, 8, 16), resolution=12), "resolution must be one of"),
        (lambda g: g.synthesis(torch.zeros(2, 8, 16), noise=[]), "noise must be 7 tensors"),
        (
            lambda g: g.synthesis(torch.zeros(2, 8, 16), noise=[torch.zeros(1, 1, 4, 4)] * 7),
            "noise must be 7 tensors",
        ),
        (lambda g: g.synthesis.from_styles([torch.zeros(2, 8)] * 3), "11 styles are needed up to 32 px, not 3"),
        (lambda g: g.synthesis.block(5), "no block of 5 px"),
        (lambda g: small(img_resolution=48), "power of two"),
        (lambda g: small(architecture="unet"), "unknown architecture 'unet'"),
    ],
)
def test_what_does_not_fit_is_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(small())
