"""rosinality's names for the same generator. Every tensor is the same numbers in another shape, so both ways are exact.

The key map was proven on the reference code: `tests/golden/keymap_nvidia_to_rosinality_r64.json`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from stitchedit.errors import Refused
from stitchedit.stylegan2.layout import tensor_shapes

_KERNEL = re.compile(r"(convs\.\d+\.conv\.blur|to_rgbs\.\d+\.upsample)\.kernel")


def is_rosinality(names: Mapping[str, object]) -> bool:
    return "input.input" in names and "conv1.conv.modulation.weight" in names


def key_map(resolution: int, mapping_layers: int) -> dict[str, str]:
    """rosinality's name -> NVIDIA's, for all tensors that both have (not the constant resampling kernels)."""
    names: dict[str, str] = {}
    for index in range(mapping_layers):
        for part in ("weight", "bias"):
            names[f"style.{index + 1}.{part}"] = f"mapping.fc{index}.{part}"
    names["input.input"] = "synthesis.b4.const"
    names |= _conv("conv1", 0, "synthesis.b4.conv1")
    names |= _to_rgb("to_rgb1", "synthesis.b4.torgb")
    size, index = 8, 0
    while size <= resolution:
        for half in (0, 1):
            names |= _conv(f"convs.{index + half}", index + half + 1, f"synthesis.b{size}.conv{half}")
        names |= _to_rgb(f"to_rgbs.{index // 2}", f"synthesis.b{size}.torgb")
        size, index = size * 2, index + 2
    return names


def rosinality_to_nvidia(state: Mapping[str, Tensor], latent_avg: Tensor | None = None) -> dict[str, Tensor]:
    """A `g_ema` of rosinality as NVIDIA names it.

    Args:
        state: rosinality's state dict.
        latent_avg: [w_dim] (or [1, w_dim]) mean of mapped samples, becomes `mapping.w_avg`, which is left out without.
    Returns: tensors that share memory with `state`'s, and the constant filters that NVIDIA stores beside; noise that
        is not there is left out.
    Raises: Refused, for other missing or unknown tensors, or another resampling kernel than [1, 3, 3, 1].
    """
    layers = sum(1 for name in state if re.fullmatch(r"style\.\d+\.weight", name))
    resolution = 4 << (sum(1 for name in state if re.fullmatch(r"convs\.\d+\.conv\.weight", name)) // 2)
    names = key_map(resolution, layers)
    missing = [name for name in names if name not in state and not name.startswith("noises.")]
    if missing:
        raise Refused(f"it lacks {', '.join(missing[:3])}{' and more' if len(missing) > 3 else ''}")
    out: dict[str, Tensor] = {}
    for name, value in state.items():
        if name in names:
            out[names[name]] = _squeeze(names[name], value)
        elif not _KERNEL.fullmatch(name):
            raise Refused(f"it has a tensor that a StyleGAN2 generator has not: {name[:80]!a}")
        elif not torch.equal(value.float(), kernel(4.0)):
            raise Refused(f"{name} is not the resampling kernel [1, 3, 3, 1]")
    if latent_avg is not None:
        out["mapping.w_avg"] = latent_avg.reshape(-1)
    sizes = [4 << k for k in range(resolution.bit_length() - 2)]
    for name in tensor_shapes(1, 0, 1, resolution, 0, dict.fromkeys(sizes, 1), "skip"):
        if name.endswith("resample_filter"):
            out[name] = kernel(1.0)
    return out


def nvidia_to_rosinality(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
    """NVIDIA's state dict as rosinality's, and its `latent_avg` [w_dim].

    Raises: Refused, for what rosinality's generator cannot hold: labels, or another architecture than skip.
    """
    layers = sum(1 for name in state if re.fullmatch(r"mapping\.fc\d+\.weight", name))
    resolution = max(int(name.split(".")[1][1:]) for name in state if name.endswith(".conv1.weight"))
    names = key_map(resolution, layers)
    missing = [name for name in names.values() if name not in state]
    if missing or "mapping.embed.weight" in state:
        raise Refused("rosinality's generator has neither labels nor an architecture other than skip")
    out: dict[str, Tensor] = {}
    for name, source in names.items():
        out[name] = _unsqueeze(name, state[source])
    for name in list(names):
        index = re.match(r"(convs|to_rgbs)\.(\d+)\.conv\.weight", name)
        if index and index[1] == "to_rgbs":
            out[f"to_rgbs.{index[2]}.upsample.kernel"] = kernel(4.0)
        elif index and int(index[2]) % 2 == 0:
            out[f"convs.{index[2]}.conv.blur.kernel"] = kernel(4.0)
    return out, state["mapping.w_avg"]


def mean_w(state: Mapping[str, Tensor], samples: int = 10_000) -> Tensor:
    """[w_dim], the mean of w over `samples` random z of seed 0, for files of training runs, which do not keep one.

    Args: state: NVIDIA's names; the mapping network's weights are used, for a generator without labels.
    """
    first = state["mapping.fc0.weight"]
    z = torch.randn(samples, first.shape[1], generator=torch.Generator().manual_seed(0))
    x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
    index = 0
    while f"mapping.fc{index}.weight" in state:
        weight, bias = state[f"mapping.fc{index}.weight"].float(), state[f"mapping.fc{index}.bias"].float()
        x = torch.nn.functional.leaky_relu(x @ (weight.T * (0.01 / weight.shape[1] ** 0.5)) + bias * 0.01, 0.2) * 2**0.5
        index += 1
    return x.mean(dim=0)


def kernel(gain: float) -> Tensor:
    """[4, 4], the resampling filter [1, 3, 3, 1] in both directions, its sum `gain`."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64 * gain


def _conv(name: str, noise: int, nvidia: str) -> dict[str, str]:
    return {
        f"{name}.conv.weight": f"{nvidia}.weight",
        f"{name}.conv.modulation.weight": f"{nvidia}.affine.weight",
        f"{name}.conv.modulation.bias": f"{nvidia}.affine.bias",
        f"{name}.activate.bias": f"{nvidia}.bias",
        f"{name}.noise.weight": f"{nvidia}.noise_strength",
        f"noises.noise_{noise}": f"{nvidia}.noise_const",
    }


def _to_rgb(name: str, nvidia: str) -> dict[str, str]:
    return {
        f"{name}.conv.weight": f"{nvidia}.weight",
        f"{name}.conv.modulation.weight": f"{nvidia}.affine.weight",
        f"{name}.conv.modulation.bias": f"{nvidia}.affine.bias",
        f"{name}.bias": f"{nvidia}.bias",
    }


def _squeeze(nvidia: str, value: Tensor) -> Tensor:
    """rosinality's shape -> NVIDIA's: leading and, in to_rgb's bias, trailing axes of one dropped."""
    if nvidia.endswith("noise_strength"):
        return value.reshape(())
    if nvidia.endswith("torgb.bias"):
        return value.reshape(-1)
    leading = 2 if nvidia.endswith("noise_const") else 1
    if nvidia.endswith(("noise_const", ".const", "torgb.weight", "conv0.weight", "conv1.weight")):
        if value.ndim < leading or value.shape[:leading] != (1,) * leading:
            raise Refused(f"{nvidia} comes in shape {list(value.shape)}")
        return value[(0,) * leading]
    return value


def _unsqueeze(rosinality: str, value: Tensor) -> Tensor:
    """NVIDIA's shape -> rosinality's."""
    if rosinality.endswith("noise.weight"):
        return value.reshape(1)
    if rosinality.startswith("noises."):
        return value[None, None]
    if re.fullmatch(r"to_rgb(1|s\.\d+)\.bias", rosinality):
        return value.reshape(1, 3, 1, 1)
    if rosinality.endswith(".conv.weight") or rosinality == "input.input":
        return value[None]
    return value
