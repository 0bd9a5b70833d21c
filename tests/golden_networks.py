"""The reference generators of the golden files, rebuilt in our networks: from files, or by the deterministic fill."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from golden_fill import fill
from safetensors.torch import load_file
from torch import Tensor

from stitchedit.stylegan2 import StyleGAN2
from stitchedit.stylegan2.rosinality import nvidia_to_rosinality, rosinality_to_nvidia

GOLDEN = Path(__file__).parent / "golden"
NVIDIA = ("nv_r32_w64_m4", "nv_r64_w64_m4", "nv_r32_w64_m4_orig", "nv_r32_w512_m8")
ROSINALITY = ("ros_r32_w64_m4", "ros_r32_w512_m8")


def arrays(file: str, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    with np.load(GOLDEN / file) as z:
        return {name: torch.from_numpy(z[name]).to(device) for name in z.files if z[name].dtype.kind in "fiu"}


def filled(name: str, shape: tuple[int, ...], std: float = 1.0, mean: float = 0.0) -> Tensor:
    return torch.from_numpy(fill(name, shape, std, mean))


def nvidia_scale(name: str) -> tuple[float, float]:
    """(std, mean) of a tensor, by the first rule of the README that fits."""
    for start, part, scale in (
        ("mapping.fc", ".weight", (100.0, 0.0)),
        ("mapping.fc", ".bias", (20.0, 0.0)),
        ("mapping.embed", ".weight", (1.0, 0.0)),
        ("mapping.embed", ".bias", (0.2, 0.0)),
        ("", "w_avg", (0.5, 0.0)),
        ("", "affine.weight", (1.0, 0.0)),
        ("", "affine.bias", (0.25, 1.0)),
        ("", "noise_strength", (0.3, 0.0)),
        ("", "noise_const", (1.0, 0.0)),
        ("", ".const", (1.0, 0.0)),
        ("", ".weight", (1.0, 0.0)),
        ("", ".bias", (0.2, 0.0)),
    ):
        if name.startswith(start) and name.endswith(part):
            return scale
    raise KeyError(name)


def rosinality_scale(name: str) -> tuple[float, float]:
    if name.startswith("style."):
        return (100.0, 0.0) if name.endswith(".weight") else (20.0, 0.0)
    for part, scale in (
        ("modulation.weight", (1.0, 0.0)),
        ("modulation.bias", (0.25, 1.0)),
        ("conv.weight", (1.0, 0.0)),
        ("activate.bias", (0.2, 0.0)),
        ("noise.weight", (0.3, 0.0)),
        (".bias", (0.2, 0.0)),
        ("input.input", (1.0, 0.0)),
    ):
        if name.endswith(part):
            return scale
    if name.startswith("noises.noise_"):
        return 1.0, 0.0
    raise KeyError(name)


def fill_nvidia(generator: StyleGAN2) -> StyleGAN2:
    """Every tensor of the generator by the fill, but the filters."""
    with torch.no_grad():
        for name, tensor in generator.state_dict().items():
            if not name.endswith("resample_filter"):
                tensor.copy_(filled(name, tuple(tensor.shape), *nvidia_scale(name)))
    return generator


def nvidia_generator(name: str) -> StyleGAN2:
    config: dict[str, Any] = json.loads((GOLDEN / "nv_configs.json").read_text())[name]
    generator = StyleGAN2(
        mapping_layers=config.pop("mapping_kwargs")["num_layers"], **config.pop("synthesis_kwargs"), **config
    )
    weights = GOLDEN / f"{name}.weights.safetensors"
    if not weights.exists():
        return fill_nvidia(generator).eval()
    generator.load_state_dict(load_file(weights))
    return generator.eval()


def rosinality_generator(name: str) -> StyleGAN2:
    dim, layers = (512, 8) if "w512" in name else (64, 4)
    widths = {4: 16, 8: 16, 16: 12, 32: 8}
    generator = StyleGAN2(z_dim=dim, w_dim=dim, img_resolution=32, mapping_layers=layers, channels=widths)
    weights = GOLDEN / f"{name}.weights.safetensors"
    state = load_file(weights) if weights.exists() else rosinality_fill(generator, layers)
    generator.load_state_dict(rosinality_to_nvidia(state, arrays(f"{name}.io.npz")["in.truncation_latent"]))
    return generator.eval()


def rosinality_fill(generator: StyleGAN2, layers: int) -> dict[str, Tensor]:
    """The generator's tensors under rosinality's names, by the fill of those names."""
    shapes, _ = nvidia_to_rosinality(generator.state_dict())
    return {
        name: tensor
        if name.endswith("kernel")
        else filled(name, tuple(tensor.shape), *rosinality_scale(name)).reshape(tensor.shape)
        for name, tensor in shapes.items()
    }


def error(found: Tensor, expected: Tensor) -> float:
    """max|a - b| / max(1, max|b|), as the README has it."""
    assert found.shape == expected.shape, f"{list(found.shape)} is not {list(expected.shape)}"
    return float((found.detach() - expected).abs().max() / max(1.0, float(expected.abs().max())))
