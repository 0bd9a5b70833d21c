"""Generators against what the reference code drew (tests/golden/README.md, A1 and A6)."""

import json
from typing import Any

import pytest
import torch
from golden_networks import (
    GOLDEN,
    NVIDIA,
    ROSINALITY,
    arrays,
    error,
    fill_nvidia,
    filled,
    nvidia_generator,
    rosinality_fill,
    rosinality_generator,
)
from torch import Tensor, nn

from stitchedit.editing.style_space import offset_of_vector
from stitchedit.models.generator import draw
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.stylegan2.rosinality import key_map, rosinality_to_nvidia

VALUES, GRADIENTS, FULL_SIZE = 5e-5, 1e-3, 1e-4  # tolerances of the README


@pytest.fixture(scope="module", params=NVIDIA)
def nvidia(request: pytest.FixtureRequest, device: torch.device) -> tuple[StyleGAN2, dict[str, Tensor]]:
    return nvidia_generator(request.param).to(device), arrays(f"{request.param}.io.npz", device)


@pytest.fixture(scope="module", params=ROSINALITY)
def rosinality(request: pytest.FixtureRequest, device: torch.device) -> tuple[StyleGAN2, dict[str, Tensor]]:
    return rosinality_generator(request.param).to(device), arrays(f"{request.param}.io.npz", device)


def test_the_fill_rebuilds_a_stored_generator() -> None:
    stored = nvidia_generator("nv_r32_w64_m4").state_dict()
    empty = StyleGAN2(z_dim=64, w_dim=64, img_resolution=32, mapping_layers=4, channel_base=256, channel_max=16)
    assert all(torch.equal(t, stored[name]) for name, t in fill_nvidia(empty).state_dict().items())


def test_nvidia_mapping(nvidia: tuple[StyleGAN2, dict[str, Tensor]]) -> None:
    generator, io = nvidia
    with torch.no_grad():
        assert error(generator.mapping(io["in.z"]), io["out.ws_psi1"]) <= VALUES
        assert error(generator.mapping(io["in.z"], truncation_psi=0.7), io["out.ws_psi0.7"]) <= VALUES
        cut = generator.mapping(io["in.z"], truncation_psi=0.7, truncation_cutoff=3)
    assert error(cut, io["out.ws_psi0.7_cutoff3"]) <= VALUES


def test_nvidia_pictures(nvidia: tuple[StyleGAN2, dict[str, Tensor]]) -> None:
    generator, io = nvidia
    with torch.no_grad():
        assert error(generator(io["in.z"]), io["out.img_z_const"]) <= VALUES
        ws = generator.mapping(io["in.z"], truncation_psi=0.7)
        for mode in ("const", "none"):
            assert error(generator.synthesis(ws, noise_mode=mode), io[f"out.img_z_psi0.7_{mode}"]) <= VALUES
            assert error(generator.synthesis(io["in.wplus"], noise_mode=mode), io[f"out.img_wplus_{mode}"]) <= VALUES


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "nonfused"])
def test_nvidia_pictures_in_the_form_of_other_devices(
    nvidia: tuple[StyleGAN2, dict[str, Tensor]], fused: bool, plain_form: None
) -> None:
    generator, io = nvidia
    with torch.no_grad():
        image = generator.synthesis(io["in.wplus"], fused=fused)
    assert error(image, io["out.img_wplus_const" if fused else "out.img_wplus_const_nonfused"]) <= VALUES


@pytest.fixture(params=["cpu", "plain"])
def form(request: pytest.FixtureRequest) -> None:
    """The CPU's own form of a layer, and the plain one that other devices take."""
    if request.param == "plain":
        request.getfixturevalue("plain_form")


@pytest.fixture
def plain_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stitchedit.stylegan2.layers._has_own_form", lambda x: False)


def test_nvidia_gradients(nvidia: tuple[StyleGAN2, dict[str, Tensor]], form: None) -> None:
    generator, io = nvidia
    ws = io["in.wplus"].clone().requires_grad_()
    image = generator.synthesis(ws)
    loss = (image * io["in.loss_weight"]).mean() + image.square().mean()
    assert error(loss, io["out.loss"]) <= VALUES
    wanted = {name.removeprefix("grad."): t for name, t in io.items() if name.startswith("grad.")}
    parameters = {"wplus": ws, **dict(generator.named_parameters())}
    found = torch.autograd.grad(loss, [parameters[name] for name in wanted])
    for (name, expected), gradient in zip(wanted.items(), found, strict=True):
        assert error(gradient, expected) <= GRADIENTS, name


def test_nvidia_blocks_and_layers(nvidia: tuple[StyleGAN2, dict[str, Tensor]]) -> None:
    generator, io = nvidia
    mid = {name.removeprefix("mid.wplus_const."): t for name, t in io.items() if name.startswith("mid.")}
    seen = record(generator.synthesis)
    with torch.no_grad():
        styles = generator.synthesis.styles(io["in.wplus"])
        blocks = list(generator.synthesis.run_blocks(styles))
    found: dict[str, Tensor] = {f"{name}": t[:1] for name, t in seen.items() if not name.endswith("affine")}
    found |= {f"style.{name}": t for name, t in seen.items() if name.endswith("affine")}
    for block in blocks:
        found[f"b{block.resolution}.x"] = block.x[:1]
        if block.image is not None:
            found[f"b{block.resolution}.img"] = block.image[:1]
    compared = 0
    for name, expected in mid.items():
        assert error(found[name], expected) <= VALUES, name
        compared += 1
    assert compared == len(mid) > 10


def record(network: nn.Module) -> dict[str, Tensor]:
    """What every convolution, to-RGB and affine layer gives from now on, by its name."""
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        return lambda module, inputs, output: seen.__setitem__(name, output)

    for name, module in network.named_modules():
        if name.endswith(("conv0", "conv1", "torgb", "affine")):
            module.register_forward_hook(keep(name))
    return seen


def test_w_avg_moves_as_in_training(nvidia: tuple[StyleGAN2, dict[str, Tensor]]) -> None:
    generator, io = nvidia
    before = generator.w_avg.clone()
    try:
        with torch.no_grad():
            generator.mapping(io["in.z"])
            assert torch.equal(generator.w_avg, before)
            generator.mapping(io["in.z"], update_w_avg=True)
        assert error(generator.w_avg, io["out.w_avg_after_train_forward"]) <= VALUES
    finally:
        generator.w_avg.copy_(before)


def test_rosinality_pictures(rosinality: tuple[StyleGAN2, dict[str, Tensor]]) -> None:
    generator, io = rosinality
    noise = [io[f"in.noise_{i}"] for i in range(7)]
    with torch.no_grad():
        ws = generator.mapping(io["in.z"])
        assert error(ws[:, 0], io["out.w"]) <= VALUES
        assert error(ws, io["out.latents_z"]) <= VALUES
        cut = generator.mapping(io["in.z"], truncation_psi=float(io["in.truncation"]))
        at = int(io["in.inject_index"])
        mixed = torch.cat([ws[:, :at], generator.mapping(io["in.z2"])[:, at:]], dim=1)
        pictures = {
            "z_const": generator.synthesis(ws),
            "z_trunc_const": generator.synthesis(cut),
            "z_nonoise": generator.synthesis(ws, noise_mode="none"),
            "z_noise_given": generator.synthesis(ws, noise=noise),
            "mix_const": generator.synthesis(mixed),
            "wplus_const": generator.synthesis(io["in.wplus"]),
            "wplus_nonoise": generator.synthesis(io["in.wplus"], noise_mode="none"),
        }
    assert {name.removeprefix("out.img_") for name in io if name.startswith("out.img_")} == set(pictures)
    for name, image in pictures.items():
        assert error(image, io[f"out.img_{name}"]) <= VALUES, name


def test_rosinality_layers(rosinality: tuple[StyleGAN2, dict[str, Tensor]]) -> None:
    generator, io = rosinality
    seen = record(generator.synthesis)
    with torch.no_grad():
        blocks = list(generator.synthesis.run_blocks(generator.synthesis.styles(io["in.wplus"])))
    # There to_rgb gives the running picture.
    found = seen | {f"b{block.resolution}.torgb": block.image for block in blocks if block.image is not None}
    assert len(found) == sum(name.startswith("mid.") for name in io)
    for ours, output in found.items():
        if ours.endswith(".affine"):
            expected = io[f"mid.style.{rosinality_name(ours.removesuffix('.affine'))}.conv"]
        else:
            output, expected = output[:1], io[f"mid.wplus_const.{rosinality_name(ours)}"]
        assert error(output, expected) <= VALUES, ours


def rosinality_name(ours: str) -> str:
    """b16.conv1 -> convs.3, b16.torgb -> to_rgbs.1, and the two of 4 px."""
    block, layer = ours.split(".")
    k = int(block[1:]).bit_length() - 4
    if k < 0:
        return {"conv1": "conv1", "torgb": "to_rgb1"}[layer]
    return {"conv0": f"convs.{2 * k}", "conv1": f"convs.{2 * k + 1}", "torgb": f"to_rgbs.{k}"}[layer]


def test_rosinality_gradients(rosinality: tuple[StyleGAN2, dict[str, Tensor]]) -> None:
    generator, io = rosinality
    ws = io["in.wplus"].clone().requires_grad_()
    image = generator.synthesis(ws)
    loss = (image * io["in.loss_weight"]).mean() + image.square().mean()
    assert error(loss, io["out.loss"]) <= VALUES
    names = key_map(32, generator.mapping.num_layers)
    parameters = dict(generator.named_parameters())
    wanted = {name.removeprefix("grad."): t for name, t in io.items() if name.startswith("grad.")}
    ours = [ws if name == "wplus" else parameters[names[name]] for name in wanted]
    for name, gradient in zip(wanted, torch.autograd.grad(loss, ours), strict=True):
        assert error(gradient.reshape(wanted[name].shape), wanted[name]) <= GRADIENTS, name


@pytest.mark.parametrize("name", ["nv_r32_w64_m4", "nv_r64_w64_m4"])
def test_style_space_in_and_out(name: str, device: torch.device) -> None:
    all_of_them = arrays("stit_style_input.npz", device)
    io = {key.removeprefix(f"{name}."): t for key, t in all_of_them.items() if key.startswith(name)}
    generator = nvidia_generator(name).to(device)
    wplus = arrays(f"{name}.io.npz", device)["in.wplus"]
    kinds = [key.split(".")[2] for key in sorted(io) if key.startswith("style.")]
    with torch.no_grad():
        styles = generator.synthesis.styles(wplus)
        assert len(styles) == len(kinds) == len(io["w_index_of_style"])
        edited, row = [], 0
        for i, (style, kind) in enumerate(zip(styles, kinds, strict=True)):
            assert error(style, io[f"style.{i:02}.{kind}"]) <= VALUES
            delta = 0.0
            if kind == "conv":
                delta = io["in.factor"] * io["in.direction_conv_only"][row : row + style.shape[1]]
                row += style.shape[1]
            edited.append(style + delta)
            assert error(edited[-1], io[f"style_edited.{i:02}"]) <= VALUES
        assert error(generator.synthesis.from_styles(styles), io["out.img_styles"]) <= VALUES
        assert error(generator.synthesis.from_styles(edited), io["out.img_styles_edited"]) <= VALUES
        offset = offset_of_vector(io["in.direction_conv_only"].cpu().numpy(), generator, name)
        moved = torch.from_numpy(offset)[None].to(device) * io["in.factor"]
        assert error(draw(generator, wplus, moved), io["out.img_styles_edited"]) <= VALUES
        noise = [io[f"in.noise_buf_{i}"] for i in range(sum(key.startswith("in.noise_buf_") for key in io))]
        assert error(generator.synthesis(wplus, noise=noise), io["out.img_injected_noise"]) <= VALUES


def test_order_of_style_space_at_1024() -> None:
    with torch.device("meta"):
        synthesis = StyleGAN2().synthesis
    layout = json.loads((GOLDEN / "s_space_layout_1024.json").read_text())
    found, row = [], 0
    for resolution in synthesis.block_resolutions:
        block = synthesis.block(resolution)
        for i, layer in enumerate(block.styled):
            kind = "torgb" if layer is block.torgb else "conv1" if layer is block.conv1 else "conv0"
            found.append((f"b{resolution}.{kind}.affine", layer.weight.shape[1], kind != "torgb", row + i))
        row += len(block.convs)
    assert found == [(s["name"], s["dim"], s["is_conv"], s["w_index"]) for s in layout["layout"]]
    layers = synthesis.style_layers()
    assert [(f"{name}.affine", channels) for name, channels in layers] == [
        (s["name"], s["dim"]) for s in layout["layout"]
    ]
    assert (len(found), sum(width for _, width, _, _ in found)) == (26, layout["total_all_channels"])
    assert sum(width for _, width, conv, _ in found if conv) == layout["total_conv_channels"]


@pytest.mark.parametrize("resolution", [256, 1024])
def test_names_and_shapes_of_full_size(resolution: int) -> None:
    with torch.device("meta"):
        state = StyleGAN2(img_resolution=resolution).state_dict()
    keys = json.loads((GOLDEN / f"keys_nvidia_generator_{resolution}.json").read_text())
    assert {name: [list(t.shape), str(t.dtype).removeprefix("torch.")] for name, t in state.items()} == keys


@pytest.mark.slow
@pytest.mark.parametrize(("names", "processor"), [("nvidia", "AVX2"), ("rosinality", "AVX512")])
def test_full_size(names: str, processor: str, device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one kind of processor Winograd's convolution draws, on the other the direct one."""
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: processor)
    golden = arrays("gen1024_fill.npz", device)
    generator = StyleGAN2().eval()
    if names == "nvidia":
        fill_nvidia(generator)
    else:
        latent = filled("input.truncation_latent", (1, 512), 0.5)
        generator.load_state_dict(rosinality_to_nvidia(rosinality_fill(generator, 8), latent))
    generator.to(device)
    z, wplus = filled("input.z", (1, 512)).to(device), filled("input.wplus", (1, 18, 512)).to(device)
    with torch.no_grad():
        w = generator.mapping(z, truncation_psi=0.7)
        if names == "nvidia":
            assert error(w[:, 0], golden["out.w_psi0.7"]) <= VALUES
        blocks = list(generator.synthesis.run_blocks(generator.synthesis.styles(wplus)))
        assert blocks[-1].image is not None
        pictures = {"wplus_const": blocks[-1].image, "z_psi0.7_const": generator.synthesis(w)}
        if names == "nvidia":
            pictures["wplus_none"] = generator.synthesis(wplus, noise_mode="none")
            for block, (resolution, x_std, image_std) in zip(
                blocks, golden["nvidia.wplus_const.block_std_x_img"], strict=True
            ):
                assert block.image is not None
                assert block.resolution == resolution
                assert float(block.x.std()) == pytest.approx(float(x_std), rel=FULL_SIZE)
                assert float(block.image.std()) == pytest.approx(float(image_std), rel=FULL_SIZE)
    rows, columns = golden["pixel_rows_1024"], golden["pixel_cols_1024"]
    assert {k.rsplit(".", 1)[0].removeprefix(f"{names}.") for k in golden if k.startswith(names)} == set(pictures)
    for name, image in pictures.items():
        expected = {
            k.removeprefix(f"{names}.{name}."): t for k, t in golden.items() if k.startswith(f"{names}.{name}.")
        }
        assert error(torch.nn.functional.avg_pool2d(image, 16), expected["down64"]) <= FULL_SIZE
        assert error(image[:, :, 496:528, 496:528], expected["center32"]) <= FULL_SIZE
        assert error(image[:, :, rows, columns], expected["pixels"]) <= FULL_SIZE
        wide = image.double()
        stats = torch.stack([wide.mean(), wide.std(), wide.min(), wide.max(), wide.square().sum()])
        torch.testing.assert_close(
            stats, expected["stats_mean_std_min_max_sumsq"], rtol=FULL_SIZE, atol=FULL_SIZE, msg=name
        )
