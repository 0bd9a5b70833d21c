"""Which tensors a StyleGAN3 generator has: NVIDIA's names, and the network's configuration read off their shapes.

What shapes do not tell (cutoffs, the number of critical layers) comes from the file or is the published value; either
way the filters that follow from it must be those of the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from stitchedit.errors import Refused
from stitchedit.stylegan3.networks import StyleGAN3
from stitchedit.stylegan3.schedule import Schedule, plan_layers

# Of `StyleGAN3`'s arguments, those that a file may tell beside its tensors.
OPTIONS = ("num_fp16_res", "output_scale", "num_critical", "first_cutoff", "first_stopband", "last_stopband_rel")
_LAYER = re.compile(r"synthesis\.L(\d{1,3})_(\d{1,5})_(\d{1,6})\.weight")
_FILTER_ERROR = 2e-3  # of the largest tap: files in half precision round to 5e-4


def is_stylegan3(names: Mapping[str, object]) -> bool:
    return "synthesis.input.freqs" in names or any(_LAYER.fullmatch(name) for name in names)


def read_config(state: Mapping[str, Tensor], options: Mapping[str, object]) -> dict[str, object]:
    """Arguments of `StyleGAN3` for the generator whose tensors these are: none missing, none beside, the filters equal.

    Args: options: what the file tells of `OPTIONS`.
    Raises: Refused, naming the first tensors that do not fit.
    """
    config = {**_guess(state), **options}
    expected = _build(config).state_dict()
    missing = [name for name in expected if name not in state]
    surplus = [name for name in state if name not in expected]
    if missing:
        raise Refused(f"it lacks {_some(missing)}")
    if surplus:
        raise Refused(f"it has tensors that such a StyleGAN3 generator has not: {_some(surplus)}")
    for name, tensor in expected.items():
        if state[name].shape != tensor.shape:
            raise Refused(f"{name} has shape {list(state[name].shape)}, not {list(tensor.shape)}")
    for name, tensor in _filters(config).items():
        if not bool((state[name].float() - tensor).abs().max() <= _FILTER_ERROR * tensor.abs().max()):
            raise Refused(f"{name} is not the filter of such a layer: its cutoffs are others")
    return config


def with_buffers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with those that need not be in a file: filters, and the user's transform, which is none."""
    known = _filters(_guess(state)) | {"synthesis.input.transform": torch.eye(3)}
    return {**known, **state}


def _build(config: Mapping[str, object]) -> StyleGAN3:
    try:
        with torch.device("meta"):  # takes no memory
            return StyleGAN3(**config)  # type: ignore[arg-type]
    except (ValueError, TypeError, ArithmeticError, RuntimeError) as exc:
        raise Refused(f"its layers are those of no StyleGAN3: {ascii(str(exc))[1:120]}") from exc


def _filters(config: Mapping[str, object]) -> dict[str, Tensor]:
    """Name -> taps of every filter of such a network. Raises Refused."""
    network = _build(config)
    found = {}
    for plan in plan_layers(network.synthesis.schedule, network.conv_kernel, network.use_radial_filters):
        for kind in ("up_filter", "down_filter"):
            taps = getattr(plan.resample, kind)
            if taps is not None:
                found[f"synthesis.{plan.name}.{kind}"] = torch.from_numpy(taps)
    return found


def _guess(state: Mapping[str, Tensor]) -> dict[str, object]:
    """The configuration by the few tensors that tell it."""
    names = {int(m[1]): m for m in map(_LAYER.fullmatch, state) if m}
    if sorted(names) != list(range(len(names))) or len(names) < 3:
        raise Refused(f"it has the StyleGAN3 layers {sorted(names)[:20]}, not L0, L1, ..")
    mapping_layers = sum(1 for name in state if re.fullmatch(r"mapping\.fc\d{1,3}\.weight", name))
    w_dim = _side(state, f"mapping.fc{mapping_layers - 1}.weight", 0)
    c_dim = _side(state, "mapping.embed.weight", 1) if "mapping.embed.weight" in state else 0
    first, last = names[0], names[len(names) - 1]
    rates = Schedule(16, num_layers=3).signals()  # the first of them is the same at every resolution
    down = state.get(first[0].removesuffix("weight") + "down_filter")
    kernel = _side(state, first[0], 2)
    return {
        "z_dim": _side(state, "mapping.fc0.weight", 1) - (w_dim if c_dim else 0),
        "c_dim": c_dim,
        "w_dim": w_dim,
        "img_resolution": int(last[2]),
        "mapping_layers": mapping_layers,
        "num_layers": len(names) - 1,
        "channels": [int(names[i][3]) for i in range(len(names) - 1)],
        "margin_size": (int(first[2]) - rates[0].rate) // 2,
        "conv_kernel": kernel,
        "use_radial_filters": kernel == 1 if down is None else down.ndim == 2,
    }


def _side(state: Mapping[str, Tensor], name: str, axis: int) -> int:
    shape = state[name].shape if name in state else ()
    if len(shape) <= axis or shape[axis] < 1:
        raise Refused(f"it lacks {name}" if name not in state else f"{name} has shape {list(shape)}")
    return int(shape[axis])


def _some(names: list[str]) -> str:
    shown = ", ".join(ascii(name[:80])[1:-1] for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
