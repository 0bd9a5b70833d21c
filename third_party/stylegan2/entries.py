"""Where in a file a generator's tensors are and by which names: entries, prefixes, BasicSR's; what can be made anew."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

from stitchedit.errors import Refused
from stitchedit.stylegan2 import layout
from stitchedit.stylegan2.rosinality import is_rosinality, kernel, mean_w
from stitchedit.stylegan2.standins import Module, StoredTensor
from stitchedit.stylegan2.unpickle import printable
from stitchedit.stylegan3.layout import is_stylegan3

# What training programs call the generator, the running mean of its weights first.
RUNNING_MEANS = ("g_ema", "params_ema", "G_ema", "generator_ema", "generator_smooth", "ema")
AS_TRAINED = ("g", "G", "generator", "params", "netG", "net_g", "state_dict", "model")
MEANS_OF_W = ("latent_avg", "mean_latent")  # beside it
_MOST_PREFIXES = 3

_BASICSR = (  # BasicSR's names, as its own converter has them -> rosinality's
    (re.compile(r"^style_mlp\."), "style."),
    (re.compile(r"^constant_input\.weight$"), "input.input"),
    (re.compile(r"^style_conv(1|s\.\d+)\.weight$"), r"conv\1.noise.weight"),
    (re.compile(r"^style_conv(1|s\.\d+)\."), r"conv\1."),
    (re.compile(r"\.modulated_conv\."), ".conv."),
    (re.compile(r"^noises\.noise(\d+)$"), r"noises.noise_\1"),
)
_V = TypeVar("_V")


def generator_entry(content: Mapping[object, object]) -> tuple[str, Module | dict[str, StoredTensor]] | None:
    """The entry that is a generator, and its key; None, where none is. Raises Refused, when several may be meant."""
    found = {str(key): value for key, value in content.items() if isinstance(key, str) and _is_generator(value)}
    if not found:
        return None
    key = next((key for key in (*RUNNING_MEANS, *AS_TRAINED) if key in found), None)
    if key is None and len(found) > 1:
        raise Refused(f"it holds several generators: {', '.join(printable(name, 30) for name in list(found)[:5])}")
    key = key or next(iter(found))
    return key, found[key]  # type: ignore[return-value]


def known_names(state: Mapping[str, _V]) -> dict[str, _V]:
    """The tensors without the prefix that all names share, such as `module.`, and BasicSR's by rosinality's names.

    Names of networks that are no StyleGAN2 or StyleGAN3 generator stay as they are.
    """
    names = dict(state)
    for _ in range(_MOST_PREFIXES):
        renamed = {_by_rosinality(name): value for name, value in names.items()}
        if is_rosinality(renamed) or layout.is_stylegan2(renamed) or is_stylegan3(renamed):
            return renamed
        starts = {name.partition(".")[0] for name in names}
        if len(starts) != 1 or not all("." in name for name in names):
            break
        names = {name.partition(".")[2]: value for name, value in names.items()}
    return dict(state)


def with_buffers(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """A generator's tensors by NVIDIA's names with what need not be in a file, and what to tell of it.

    Noise is drawn from seed 0, resampling filters are always the same, the mean of w is that of samples.
    """
    full, told = with_mean_w(state)
    notes = list(told)
    random = torch.Generator().manual_seed(0)
    drawn = 0
    for name, shape in layout.expected_shapes({name: tuple(tensor.shape) for name, tensor in full.items()}).items():
        if name.endswith("noise_const"):
            noise = torch.randn(shape, generator=random)  # the same in a layer, whichever others are there
            drawn += name not in full
            full.setdefault(name, noise)
        elif name.endswith("resample_filter"):
            full.setdefault(name, kernel(1.0))
    if drawn:
        notes.append(f"the file keeps no noise for {drawn} of its layers: it was drawn from seed 0")
    return full, tuple(notes)


def with_mean_w(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """A generator's tensors with the mean of w, from samples where there is none, and what to tell of it."""
    if "mapping.w_avg" in state or "mapping.embed.weight" in state or "mapping.fc0.weight" not in state:
        return dict(state), ()
    told = "the file keeps no mean of w: it was computed from 10,000 samples"
    return {**state, "mapping.w_avg": mean_w(state)}, (told,)


def seen(content: Mapping[Any, object]) -> str:
    """The keys of a dictionary, as a refusal tells them."""
    names = [printable(key, 40) for key in list(content)[:4]]
    return f"{', '.join(names)}{' and more' if len(content) > 4 else ''}"


def _is_generator(value: object) -> bool:
    if isinstance(value, Module):
        return True
    if not isinstance(value, dict) or not all(isinstance(v, StoredTensor) for v in value.values()):
        return False
    names = known_names({name: None for name in value if isinstance(name, str)})
    known = is_rosinality(names) or layout.is_stylegan2(names) or is_stylegan3(names)
    return len(names) == len(value) and known


def _by_rosinality(name: str) -> str:
    for pattern, there in _BASICSR:
        name = pattern.sub(there, name)
    return name
