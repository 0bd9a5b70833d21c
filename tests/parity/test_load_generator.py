"""Checkpoints of the reference code, loaded by the public API, draw the reference's pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_files import torch_file
from safetensors.torch import load_file
from torch import Tensor

import stitchedit
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.stylegan3 import StyleGAN3

GOLDEN = Path(__file__).parents[1] / "golden"
TOLERANCE = 5e-5  # tests/golden/README.md: tiny networks


def golden(name: str, device: torch.device) -> dict[str, Tensor]:
    with np.load(GOLDEN / f"{name}.io.npz") as z:
        return {key: torch.from_numpy(z[key]).to(device) for key in z.files if key.startswith(("in.", "out."))}


def assert_close(found: Tensor, expected: Tensor) -> None:
    error = (found - expected).abs().max() / max(1.0, float(expected.abs().max()))
    assert found.shape == expected.shape
    assert float(error) <= TOLERANCE


@pytest.mark.parametrize("form", ["stripped.p4.pkl", "stripped.legacy_p3.pkl", "canary_src.pkl"])
def test_an_nvidia_pickle(form: str, device: torch.device) -> None:
    io = golden("pkl_sg2ada_r32", device)
    generator = stitchedit.load_generator(GOLDEN / f"pkl_sg2ada_r32.{form}", device)
    assert isinstance(generator, StyleGAN2)
    with torch.no_grad():
        ws = generator.mapping(io["in.z"], truncation_psi=0.7)
        assert_close(ws, io["out.ws_psi0.7"])
        for mode in ("const", "none"):
            assert_close(generator.synthesis(ws, noise_mode=mode, force_fp32=True), io[f"out.img_psi0.7_{mode}"])
    expected = load_file(GOLDEN / "pkl_sg2ada_r32.weights.safetensors")
    state = generator.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name].cpu(), tensor) for name, tensor in expected.items())
    assert torch.equal(generator.w_avg.cpu(), expected["mapping.w_avg"])
    assert (generator.num_ws, generator.resolution) == (8, 32)


@pytest.mark.parametrize("form", ["stripped.p4.pkl", "stripped.legacy_p3.pkl", "canary_src.pkl"])
def test_an_nvidia_pickle_of_stylegan3(form: str, device: torch.device) -> None:
    io = golden("pkl_sg3t_r32", device)
    generator = stitchedit.load_generator(GOLDEN / f"pkl_sg3t_r32.{form}", device)
    assert isinstance(generator, StyleGAN3)
    with torch.no_grad():
        ws = generator.mapping(io["in.z"], truncation_psi=0.7)
        assert_close(ws, io["out.ws_psi0.7"])
        assert_close(generator.synthesis(ws), io["out.img_psi0.7"])
        assert_close(generator.synthesis(io["in.wplus"]), io["out.img_wplus"])
        moved = generator.synthesis(io["in.wplus"], transform=io["in.transform"])
    assert_close(moved, io["out.img_wplus_transform"])
    assert (generator.num_ws, generator.resolution) == (8, 32)


@pytest.mark.parametrize("name", ["nv_r32_w64_m4.weights.safetensors", "stit_model.stripped.pt"])
def test_bare_tensors_and_a_stit_run(name: str, device: torch.device) -> None:
    io = golden("nv_r32_w64_m4", device)
    generator = stitchedit.load_generator(GOLDEN / name, device)
    with torch.no_grad():
        for mode in ("const", "none"):
            assert_close(generator.synthesis(io["in.wplus"], noise_mode=mode), io[f"out.img_wplus_{mode}"])


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stream"])
def test_a_rosinality_checkpoint(tmp_path: Path, zipped: bool, device: torch.device) -> None:
    io = golden("ros_r32_w64_m4", device)
    ros = load_file(GOLDEN / "ros_r32_w64_m4.weights.safetensors")
    path = tmp_path / "g.pt"
    path.write_bytes(torch_file({"g_ema": ros, "latent_avg": io["in.truncation_latent"].cpu()}, zipped))
    generator = stitchedit.load_generator(path, device)
    with torch.no_grad():
        ws = generator.mapping(io["in.z"])
        assert_close(ws[:, 0], io["out.w"])
        assert_close(generator.synthesis(ws, noise_mode="const"), io["out.img_z_const"])
        assert_close(generator.synthesis(io["in.wplus"], noise_mode="const"), io["out.img_wplus_const"])
        truncated = generator.mapping(io["in.z"], truncation_psi=float(io["in.truncation"]))
        assert_close(generator.synthesis(truncated, noise_mode="const"), io["out.img_z_trunc_const"])
