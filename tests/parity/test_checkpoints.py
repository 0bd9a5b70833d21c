"""Checkpoints written by the reference code come out bit-exact, and nothing in them runs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_fill import fill
from safetensors.torch import load_file
from torch import Tensor

from stitchedit.stylegan2 import nvidia
from stitchedit.stylegan2.checkpoints import Kind, read_checkpoint
from stitchedit.stylegan2.encoder_layout import encoder_shapes, read_encoder_config
from stitchedit.stylegan2.files import map_file
from stitchedit.stylegan2.layout import read_config, tensor_shapes
from stitchedit.stylegan2.rosinality import key_map, nvidia_to_rosinality, rosinality_to_nvidia
from stitchedit.stylegan2.standins import Module, nvidia_file
from stitchedit.stylegan2.torchfile import load_storage
from stitchedit.stylegan2.unpickle import load

GOLDEN = Path(__file__).parents[1] / "golden"
FORMS = ["stripped.p4.pkl", "stripped.legacy_p3.pkl", "canary_src.pkl"]


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("net", ["pkl_sg2ada_r32", "pkl_sg3t_r32"])
def test_modules_of_nvidia_pickles(net: str, form: str) -> None:
    content, _ = load(map_file(GOLDEN / f"{net}.{form}"), nvidia_file(load_storage))
    assert isinstance(content, dict)
    module = content["G_ema"]
    assert isinstance(module, Module)
    found = {name: torch.from_numpy(stored.array()) for name, stored in nvidia.state_dict(module).items()}
    assert_equal(found, load_file(GOLDEN / f"{net}.weights.safetensors"))


@pytest.mark.parametrize("form", FORMS)
def test_a_stylegan2_pickle(form: str) -> None:
    found = read_checkpoint(GOLDEN / f"pkl_sg2ada_r32.{form}")
    assert found.kind is Kind.NVIDIA
    assert found.config == {
        "z_dim": 64,
        "c_dim": 0,
        "w_dim": 64,
        "img_resolution": 32,
        "mapping_layers": 4,
        "channels": {4: 16, 8: 16, 16: 16, 32: 8},
        "architecture": "skip",
        "conv_clamp": 256.0,
        "num_fp16_res": 2,
    }
    assert_equal(found.state, load_file(GOLDEN / "pkl_sg2ada_r32.weights.safetensors"))


@pytest.mark.parametrize("form", [*FORMS, "weights.safetensors"])
def test_a_stylegan3_file(form: str) -> None:
    """Read without running a line of the source text in it, which in the last form would raise."""
    found = read_checkpoint(GOLDEN / f"pkl_sg3t_r32.{form}")
    assert (found.architecture, found.rows) == ("stylegan3", 8)
    told = {"num_fp16_res": 0, "num_critical": 2, "output_scale": 0.25} if form.endswith(".pkl") else {}
    assert found.config == {
        "z_dim": 64,
        "c_dim": 0,
        "w_dim": 64,
        "img_resolution": 32,
        "mapping_layers": 2,
        "num_layers": 6,
        "channels": [16] * 6,
        "margin_size": 10,
        "conv_kernel": 3,
        "use_radial_filters": False,
        **told,
    }
    assert_equal(found.state, load_file(GOLDEN / "pkl_sg3t_r32.weights.safetensors"))


def test_a_stit_run() -> None:
    found = read_checkpoint(GOLDEN / "stit_model.stripped.pt")
    assert found.kind is Kind.STIT
    assert_equal(found.state, load_file(GOLDEN / "nv_r32_w64_m4.weights.safetensors"))
    assert found.pivots is not None
    np.testing.assert_array_equal(found.pivots.numpy(), fill("input.pivots", (3, 8, 64)))
    with np.load(GOLDEN / "stit_alignment.npz") as z:
        np.testing.assert_array_equal(found.quads, z["quads.center_sigma1.0.xy_sigma3.0"][:3])  # type: ignore[arg-type]


@pytest.mark.parametrize("net", ["nv_r32_w64_m4", "nv_r64_w64_m4", "nv_r32_w64_m4_orig"])
def test_configuration_is_read_off_the_shapes(net: str) -> None:
    told = json.loads((GOLDEN / "nv_configs.json").read_text())[net]
    found = read_checkpoint(GOLDEN / f"{net}.weights.safetensors").config
    base, most = told["synthesis_kwargs"]["channel_base"], told["synthesis_kwargs"]["channel_max"]
    sizes = [4 << k for k in range(told["img_resolution"].bit_length() - 2)]
    assert found["channels"] == {size: min(base // size, most) for size in sizes}
    assert found["architecture"] == told["synthesis_kwargs"].get("architecture", "skip")
    assert (found["z_dim"], found["w_dim"], found["mapping_layers"]) == (64, 64, 4)


def keys(name: str) -> dict[str, tuple[int, ...]]:
    return {key: tuple(shape) for key, (shape, _) in json.loads((GOLDEN / name).read_text()).items()}


@pytest.mark.parametrize("size", [256, 1024])
def test_key_lists_of_the_full_networks(size: int) -> None:
    nv, ros = keys(f"keys_nvidia_generator_{size}.json"), keys(f"keys_rosinality_generator_{size}.json")
    config = read_config(nv)
    channels = config["channels"]
    assert isinstance(channels, dict)
    assert channels[4] == channels[64] == 512
    assert tensor_shapes(**config) == nv  # type: ignore[arg-type]
    state = {name: torch.empty(shape, device="meta") for name, shape in nv.items()}
    converted, mean = nvidia_to_rosinality(state)
    assert {name: tuple(t.shape) for name, t in converted.items()} == ros
    assert mean.shape == (512,)


def test_the_key_map() -> None:
    golden = json.loads((GOLDEN / "keymap_nvidia_to_rosinality_r64.json").read_text())
    assert key_map(64, 4) == {ros: nv for ros, (nv, _) in golden.items()}
    state = load_file(GOLDEN / "nv_r64_w64_m4.weights.safetensors")
    converted, mean = nvidia_to_rosinality(state)
    ways = {
        "copy": lambda t: t,
        "unsqueeze(0)": lambda t: t.unsqueeze(0),
        "reshape(1)": lambda t: t.reshape(1),
        "[None,None]": lambda t: t[None, None],
        "view(1,3,1,1)": lambda t: t.view(1, 3, 1, 1),
    }
    for ros, (nv, way) in golden.items():
        assert torch.equal(converted[ros], ways[way](state[nv])), ros
    assert_equal(rosinality_to_nvidia(converted, mean), state)


def test_key_lists_of_the_encoders() -> None:
    golden = keys("keys_e4e_encoder_irse50_1024.json")
    assert encoder_shapes(18) == golden
    assert read_encoder_config(golden) == {"num_styles": 18}
    for size in (256, 512):
        told = json.loads((GOLDEN / f"keys_e4e_encoder_irse50_{size}_summary.json").read_text())
        fewer = encoder_shapes(told["style_count"])
        assert len(fewer) == told["n_keys"]
        assert fewer.items() <= golden.items()


def test_the_decoder_in_an_e4e_checkpoint_has_the_same_names() -> None:
    golden = json.loads((GOLDEN / "keys_e4e_checkpoint_state_dict.json").read_text())["decoder_keys"]
    assert {k: tuple(v[0]) for k, v in golden.items()} == keys("keys_rosinality_generator_1024.json")
