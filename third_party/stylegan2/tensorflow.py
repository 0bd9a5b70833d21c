"""The TensorFlow pickles of NVIDIA's first StyleGAN2 releases -> tensors by NVIDIA's later names.

The file is a tuple (G, D, Gs) of networks; Gs, the averaged one, is taken. Its variables are numpy arrays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stitchedit.errors import Refused
from stitchedit.stylegan2.standins import Network, NumpyArray
from stitchedit.stylegan2.unpickle import printable

Array = NDArray[Any]

# What a network's own arguments may say; another value would draw other pictures from the same tensors.
_KNOWN: Mapping[str, tuple[object, ...]] = {
    "mapping_lrmul": (0.01,),
    "mapping_nonlinearity": ("lrelu",),
    "normalize_latents": (True,),
    "nonlinearity": ("lrelu",),
    "use_noise": (True,),
    "num_channels": (3,),
    "fused_modconv": (True, False),
}


def generator_of(networks: object, max_bytes: int) -> tuple[dict[str, Array], dict[str, object]]:
    """Tensors by NVIDIA's PyTorch names, and `conv_clamp` and `num_fp16_res`.

    Args:
        networks: what the pickle holds.
        max_bytes: of all variables together; some are copied, and names may share one array.
    Raises: Refused, for StyleGAN (1), for options that are not known, for missing or unknown variables.
    """
    if not (isinstance(networks, tuple) and len(networks) == 3 and all(isinstance(n, Network) for n in networks)):
        raise Refused("it is no tuple of three TensorFlow networks")
    root = networks[2]
    assert isinstance(root, Network)
    version = root.fields.get("version")
    if not isinstance(version, int) or version < 4:
        raise Refused("it is a TensorFlow network of before StyleGAN2")
    options = _options(root)
    variables = _variables(root)
    if not any(name.endswith("/mod_weight") for name in variables):
        raise Refused("it is a StyleGAN (1) generator; stitchedit works with StyleGAN2")
    if "mapping/LabelConcat/weight" in variables:
        raise Refused("its labels are joined to z as in StyleGAN2 of 2019, which is not known here")
    if sum(value.nbytes for value in variables.values()) > max_bytes:
        raise Refused("its variables together are larger than the file")
    tensors: dict[str, Array] = {}
    for name, value in variables.items():
        if name.rpartition("/")[2] not in ("lod",):
            tensors[_name(name)] = _value(name, value)
    for name in [n for n in tensors if re.fullmatch(r"synthesis\.b\d+\.(conv[01]|skip)\.weight", n)]:
        tensors[f"{name.removesuffix('weight')}resample_filter"] = _kernel()
        tensors[f"{name.rsplit('.', 2)[0]}.resample_filter"] = _kernel()
    return tensors, options


def _options(root: Network) -> dict[str, object]:
    given = root.fields.get("static_kwargs", {})
    if not isinstance(given, dict):
        raise Refused("a TensorFlow network's arguments are no dictionary")
    for name, allowed in _KNOWN.items():
        value = given.get(name, allowed[0])
        if not isinstance(value, str | int | float) or value not in allowed:
            raise Refused(f"{name} is {printable(value, 20)}, only {allowed[0]} is known")
    kernel = given.get("resample_kernel", [1, 3, 3, 1])
    if not isinstance(kernel, list) or kernel != [1, 3, 3, 1]:
        raise Refused("its resampling kernel is not [1, 3, 3, 1]")
    clamp, half = given.get("conv_clamp"), given.get("num_fp16_res", 0)
    if not isinstance(clamp, int | float | None) or not isinstance(half, int):
        raise Refused("conv_clamp or num_fp16_res is no number")
    return {"conv_clamp": None if clamp is None else float(clamp), "num_fp16_res": half}


def _variables(network: Network, prefix: str = "", depth: int = 0) -> dict[str, Array]:
    """Name -> value of the network and its components, whose names come first: "synthesis/4x4/Conv/weight"."""
    found: dict[str, Array] = {}
    items, components = network.fields.get("variables", []), network.fields.get("components", {})
    if not isinstance(items, list) or not isinstance(components, dict) or depth > 2 or len(components) > 8:
        raise Refused("a TensorFlow network's variables are malformed")
    for item in items:
        if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str)):
            raise Refused("a TensorFlow network's variables are malformed")
        name, value = item
        if isinstance(value, NumpyArray):
            found[prefix + name] = value.array
        elif isinstance(value, int | float):
            found[prefix + name] = np.asarray(value, np.float32)
        else:
            raise Refused(f"the variable {printable(prefix + name)} is no array")
    for name, component in components.items():
        if not (isinstance(component, Network) and isinstance(name, str)):
            raise Refused("a TensorFlow network's components are malformed")
        found |= _variables(component, f"{prefix}{name}/", depth + 1)
    return found


_NAMES: tuple[tuple[str, str], ...] = (
    (r"dlatent_avg", "mapping.w_avg"),
    (r"mapping/LabelEmbed/(weight|bias)", r"mapping.embed.\1"),
    (r"mapping/Dense(\d+)/(weight|bias)", r"mapping.fc\1.\2"),
    (r"synthesis/4x4/Const/const", "synthesis.b4.const"),
    (r"synthesis/4x4/Conv/(weight|bias|noise_strength)", r"synthesis.b4.conv1.\1"),
    (r"synthesis/4x4/Conv/mod_(weight|bias)", r"synthesis.b4.conv1.affine.\1"),
    (r"synthesis/(\d+)x\1/Conv0_up/(weight|bias|noise_strength)", r"synthesis.b\1.conv0.\2"),
    (r"synthesis/(\d+)x\1/Conv0_up/mod_(weight|bias)", r"synthesis.b\1.conv0.affine.\2"),
    (r"synthesis/(\d+)x\1/Conv1/(weight|bias|noise_strength)", r"synthesis.b\1.conv1.\2"),
    (r"synthesis/(\d+)x\1/Conv1/mod_(weight|bias)", r"synthesis.b\1.conv1.affine.\2"),
    (r"synthesis/(\d+)x\1/ToRGB/(weight|bias)", r"synthesis.b\1.torgb.\2"),
    (r"synthesis/(\d+)x\1/ToRGB/mod_(weight|bias)", r"synthesis.b\1.torgb.affine.\2"),
    (r"synthesis/(\d+)x\1/Skip/weight", r"synthesis.b\1.skip.weight"),
)


def _name(variable: str) -> str:
    noise = re.fullmatch(r"synthesis/noise(\d{1,3})", variable)
    if noise:  # 0 at 4 px, then two a size
        number = int(noise[1])
        size, half = (4, 1) if number == 0 else (1 << (number + 5) // 2, (number + 1) % 2)
        return f"synthesis.b{size}.conv{half}.noise_const"
    for pattern, replacement in _NAMES:
        match = re.fullmatch(pattern, variable)
        if match:
            return match.expand(replacement)
    raise Refused(f"it has a variable that a StyleGAN2 generator has not: {printable(variable)}")


def _value(variable: str, value: Array) -> Array:
    """TensorFlow's layout -> PyTorch's. Up-sampling convolutions were stored flipped."""
    value = np.asarray(value, np.float32)
    if re.search(r"/noise\d+$|/const$", variable):
        leading = 2 if "noise" in variable else 1
        if value.shape[:leading] != (1,) * leading:
            raise Refused(f"{printable(variable)} has shape {list(value.shape)}")
        return value.reshape(value.shape[leading:])
    if variable.endswith("/mod_bias"):
        return np.asarray(value + np.float32(1), np.float32)
    if variable.endswith("weight") and value.ndim == 4:
        flipped = variable.endswith(("Conv0_up/weight", "Skip/weight"))
        return (value[::-1, ::-1] if flipped else value).transpose(3, 2, 0, 1)
    return value.transpose()


def _kernel() -> Array:
    taps = np.array([1, 3, 3, 1], np.float32)
    kernel: Array = np.outer(taps, taps) / np.float32(64)
    return kernel
