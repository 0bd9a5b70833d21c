"""Checkpoints of the StyleGAN family, recognised by what is in them, never by their name.

`read_checkpoint` is the one door: bytes in, a `Checkpoint` of named tensors out. Nothing in a file is executed, every
size is compared with the file before memory is taken, and what does not fit ends in `UnknownCheckpoint` and one line.
See README.md in this folder for the kinds of files and their keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from stitchedit.errors import Refused, UnknownCheckpoint
from stitchedit.files.utf8_path import utf8_path
from stitchedit.stylegan2 import layout, nvidia, tensorflow
from stitchedit.stylegan2.encoder_layout import read_encoder_config
from stitchedit.stylegan2.entries import (
    AS_TRAINED,
    MEANS_OF_W,
    RUNNING_MEANS,
    generator_entry,
    known_names,
    seen,
    with_buffers,
    with_mean_w,
)
from stitchedit.stylegan2.files import map_file
from stitchedit.stylegan2.others import refuse_other, refuse_start
from stitchedit.stylegan2.rosinality import is_rosinality, kernel, rosinality_to_nvidia
from stitchedit.stylegan2.standins import (
    STIT_FILE,
    TENSORFLOW_FILE,
    TORCH_FILE,
    Module,
    NumpyArray,
    StoredTensor,
    nvidia_file,
)
from stitchedit.stylegan2.stored import is_stored, parts_of
from stitchedit.stylegan2.torchfile import is_stream, is_zip, load_storage, read_torch
from stitchedit.stylegan2.unpickle import AllowList, load, printable
from stitchedit.stylegan3.layout import OPTIONS, is_stylegan3
from stitchedit.stylegan3.layout import read_config as read_stylegan3
from stitchedit.stylegan3.layout import with_buffers as stylegan3_buffers

MAX_SAFETENSORS_HEADER = 16 << 20  # bytes
MAX_TEXT = 1_000  # characters kept of an option's text


class Kind(StrEnum):
    """Where a checkpoint comes from."""

    NVIDIA = "nvidia"  # .pkl of stylegan2-ada-pytorch or stylegan3, or a whole module of them in a .pt
    TENSORFLOW = "tensorflow"  # .pkl of stylegan2 and stylegan2-ada
    ROSINALITY = "rosinality"  # .pt of stylegan2-pytorch
    STIT = "stit"  # model_*.pt of "Stitch it in Time"
    E4E = "e4e"
    PSP = "psp"
    RESTYLE_E4E = "restyle-e4e"
    RESTYLE_PSP = "restyle-psp"
    ALEXNET = "alexnet"  # torchvision's, the trunk of LPIPS
    LPIPS = "lpips"  # the heads for that trunk
    TENSORS = "tensors"  # bare tensors with the names of one of the above


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a file holds, by our names."""

    kind: Kind
    role: str  # "generator", "encoder" or "features"
    config: dict[str, Any]  # generator: arguments of its network; encoder: arguments of the encoder's network
    state: dict[str, Tensor]  # generator: NVIDIA's names; encoder: names without "encoder."; float32, may view the file
    latent_avg: Tensor | None = None  # encoder: [L, w_dim] or [w_dim], added to its codes
    pivots: Tensor | None = None  # STIT: [N, L, w_dim]
    quads: NDArray[np.float64] | None = None  # STIT: [N, 4, 2] in source pixels, corners TL BL BR TR
    options: dict[str, Any] = field(default_factory=dict)  # what training said about itself: texts and numbers
    notes: tuple[str, ...] = ()  # what a user should be told
    architecture: str = "stylegan2"  # generator: or "stylegan3"

    @property
    def rows(self) -> int:
        """Generator: rows of W+."""
        if self.architecture == "stylegan3":
            return int(self.config["num_layers"]) + 2
        return 2 * int(self.config["img_resolution"]).bit_length() - 4


def read_checkpoint(path: Path | str) -> Checkpoint:
    """The generator or encoder in a file.

    Tensors are float32 on the CPU. Where the file has them so, they view a private mapping of it: changing them does
    not change the file, but the file must stay as it is while they are used.

    Raises: UnknownCheckpoint, when the file is missing, damaged, of another kind, or names what no checkpoint needs.
    """
    path = Path(path)
    try:
        data = map_file(path)
        return _from_safetensors(path) if _is_safetensors(data) else _read(data)
    except Refused as exc:
        raise UnknownCheckpoint(path, str(exc)) from exc


def _read(data: memoryview) -> Checkpoint:
    if is_zip(data) or is_stream(data):
        return _from_torch(read_torch(data, _torch_allow_list), len(data))
    head = bytes(data[:4096])
    if head[:1] != b"\x80":
        refuse_start(head)
    if b"dnnlib.tflib" in head:
        value, _ = load(data, TENSORFLOW_FILE)
        tensors, options = tensorflow.generator_of(value, 2 * len(data))
        state = {
            name: torch.from_numpy(np.require(value, requirements=["C", "W", "A"])) for name, value in tensors.items()
        }
        return _generator(Kind.TENSORFLOW, state, options)
    if _is_data_pkl(data):
        raise Refused("it is the data.pkl out of a torch file that was unpacked: give the .pt itself, as it came")
    value, _ = load(data, nvidia_file(load_storage))
    return _from_nvidia(value, len(data))


def _is_data_pkl(data: memoryview) -> bool:
    """Whether a pickle refers to storages in files beside it, as in a torch file; NVIDIA's hold theirs."""
    start = bytes(data[: 1 << 20])
    return b"_rebuild_tensor" in start and b"storage" in start and b"_load_from_bytes" not in start


def _torch_allow_list(pickle: memoryview) -> AllowList:
    """Modules of NVIDIA's persistence may stand in a torch file only where it is one of STIT or PTI."""
    return STIT_FILE if b"torch_utils.persistence" in bytes(pickle[: 1 << 20]) else TORCH_FILE


# NVIDIA


def _from_nvidia(value: object, size: int) -> Checkpoint:
    if not isinstance(value, dict):
        return _from_entry(value, "", size)
    key = "G_ema" if value.get("G_ema") is not None else "G"
    return _from_entry(value.get(key), key, size)


def _from_entry(module: object, key: str, size: int) -> Checkpoint:
    if not isinstance(module, Module):
        raise Refused("it holds no generator G_ema")
    found = _from_module(module, size, Kind.NVIDIA)
    return replace(found, notes=(*found.notes, *_as_trained(key)))


def _as_trained(key: str) -> tuple[str, ...]:
    """What is told of a generator that is not the running mean of training."""
    return (
        (f"taken from its entry '{key}': nothing says that it is a running mean, whose faces are finer",)
        if key in AS_TRAINED
        else ()
    )


def _from_module(module: Module, size: int, kind: Kind) -> Checkpoint:
    stored = nvidia.state_dict(module)
    if is_stylegan3(stored):
        return _generator(kind, _to_tensors(stored, size), nvidia.stylegan3_options(module))
    if not layout.is_stylegan2(stored):
        raise Refused(f"its {printable(module.class_name, 30)} is no StyleGAN2 or StyleGAN3 generator")
    options = nvidia.generator_options(module)
    return _generator(kind, _to_tensors(stored, size), options)


# torch files


def _from_torch(value: object, size: int) -> Checkpoint:
    if isinstance(value, Module):
        return _from_module(value, size, Kind.NVIDIA)
    if not isinstance(value, dict):
        raise Refused("it holds no dictionary of tensors" if not isinstance(value, StoredTensor) else _LONE_TENSOR)
    if isinstance(value.get("generator"), Module):
        return _from_stit(value, size)
    entry = generator_entry(value)
    if entry is not None and isinstance(entry[1], Module):
        return _from_entry(entry[1], entry[0], size)
    if entry is not None or isinstance(value.get("g_ema"), dict):
        key, stored = entry or ("g_ema", value["g_ema"])
        average = next((value[name] for name in MEANS_OF_W if isinstance(value.get(name), StoredTensor)), None)
        mean = _to_tensor(average) if average is not None and average.nbytes <= size else None
        return _tensors(_to_tensors(_stored(stored), size), {"latent_avg": mean}, Kind.ROSINALITY, _as_trained(key))
    if isinstance(value.get("state_dict"), dict):
        return _from_encoder(value, size)
    if any(isinstance(part, dict | Module) for part in value.values()):
        looked_for = ", ".join((*RUNNING_MEANS, *AS_TRAINED))
        raise Refused(
            f"none of its entries ({seen(value)}) is a StyleGAN2 or StyleGAN3 generator, by itself or as {looked_for}"
        )
    stored = _stored(value)
    refuse_other(stored)
    return _tensors(_to_tensors(_trunk(stored), size), {}, Kind.TENSORS)


_LONE_TENSOR = "it holds a lone tensor; an edit direction goes to --direction"


def _from_stit(value: Mapping[object, object], size: int) -> Checkpoint:
    module, pivots, quads = value["generator"], value.get("pivots"), value.get("quads")
    assert isinstance(module, Module)
    generator = _from_module(module, size, Kind.STIT)
    if not isinstance(pivots, StoredTensor) or len(pivots.shape) != 3 or pivots.nbytes > size:
        raise Refused("its pivots are no tensor [frames, layers, w_dim]")
    rows = generator.rows
    if pivots.shape[1] not in (1, rows) or pivots.shape[2] != generator.config["w_dim"]:
        raise Refused(f"its pivots have shape {list(pivots.shape)}, its generator takes {rows} rows")
    items = list(quads) if isinstance(quads, list) else [quads]
    arrays = [item.array for item in items if isinstance(item, NumpyArray)]
    if len(arrays) != len(items) or any(a.shape[-2:] != (4, 2) or a.dtype.kind != "f" for a in arrays):
        raise Refused("its quads are no arrays [4, 2]")
    if len(items) != pivots.shape[0] and not (len(items) == 1 and arrays[0].shape == (pivots.shape[0], 4, 2)):
        raise Refused(f"it has {pivots.shape[0]} pivots, but another number of quads")
    corners = np.concatenate([a.reshape(-1, 4, 2) for a in arrays]).astype(np.float64)
    if len(corners) != pivots.shape[0] or not np.isfinite(corners).all():
        raise Refused("its quads are not one finite array [4, 2] a frame")
    finite = _finite({"pivots": _to_tensor(pivots)})["pivots"]
    return replace(generator, pivots=finite, quads=corners)


def _from_encoder(value: Mapping[object, object], size: int) -> Checkpoint:
    """e4e and pSp: the encoder's tensors, never the decoder's."""
    everything = value["state_dict"]
    assert isinstance(everything, dict)
    names = {name: tensor for name, tensor in everything.items() if isinstance(name, str)}
    refuse_other({**names, **{str(key): None for key in value if isinstance(key, str)}})
    stored = _stored({n.removeprefix("encoder."): t for n, t in names.items() if n.startswith("encoder.")})
    options = _plain(value.get("opts"))
    kinds = {"Encoder4Editing": Kind.E4E, "GradualStyleEncoder": Kind.PSP}
    restyle = {"ProgressiveBackboneEncoder": Kind.RESTYLE_E4E, "BackboneEncoder": Kind.RESTYLE_PSP}
    kinds |= restyle
    told = options.get("encoder_type")
    if told not in kinds:
        raise Refused(f"its encoder is {printable(told, 40)}; known are {' and '.join(kinds)}")
    config = read_encoder_config({name: tensor.shape for name, tensor in stored.items()})
    average = value.get("latent_avg")
    if average is not None and (not isinstance(average, StoredTensor) or average.nbytes > size):
        raise Refused("its latent_avg is no tensor")
    latent_avg = None if average is None else _finite({"latent_avg": _to_tensor(average)})["latent_avg"]
    _check_latent_avg(latent_avg, stored)
    if (stored["input_layer.0.weight"].shape[1] == 6) != (told in restyle):
        raise Refused(f"its encoder is {told} by name, and another one by its tensors")
    if told in restyle and latent_avg is None:
        raise Refused("it lacks latent_avg, from which its codes start")
    state = _finite(_to_tensors(stored, size))
    return Checkpoint(kinds[str(told)], "encoder", config, state, latent_avg=latent_avg, options=options)


def _check_latent_avg(latent_avg: Tensor | None, state: Mapping[str, Any]) -> None:
    """One w, or one a head. Raises Refused."""
    if latent_avg is None:
        return
    heads, w_dim = sum(1 for name in state if name.endswith(".linear.weight")), state["styles.0.linear.weight"].shape[0]
    if tuple(latent_avg.shape) not in ((w_dim,), (1, w_dim), (heads, w_dim)):
        raise Refused(f"its latent_avg has shape {list(latent_avg.shape)}, not [{heads}, {w_dim}]")


def _trunk(stored: Mapping[str, StoredTensor]) -> Mapping[str, StoredTensor]:
    """AlexNet without its classifier, anything else whole."""
    if not _is_alexnet(stored):
        return stored
    return {name: tensor for name, tensor in stored.items() if name.startswith("features.")}


def _is_alexnet(names: Mapping[str, Any]) -> bool:
    first = names.get("features.0.weight")
    return first is not None and tuple(first.shape) == (64, 3, 11, 11)


# Tensors by name


def _tensors(
    state: dict[str, Tensor], extras: Mapping[str, Tensor | None], kind: Kind, notes: tuple[str, ...] = ()
) -> Checkpoint:
    """A checkpoint out of tensors whose names are NVIDIA's, rosinality's, BasicSR's, torchvision's or LPIPS's."""
    state = known_names(state)
    if is_rosinality(state):
        state = rosinality_to_nvidia(state, extras.get("latent_avg"))
        kind = Kind.ROSINALITY
    if is_stylegan3(state):
        state, more = with_mean_w(state)
        return _generator(Kind.TENSORS, stylegan3_buffers(state), {}, (*notes, *more))
    if layout.is_stylegan2(state):
        state, more = with_buffers(state)
        return _generator(kind, state, {}, (*notes, *more))
    if _is_alexnet(state):
        return Checkpoint(Kind.ALEXNET, "features", {}, _finite(state))
    if "lin0.model.1.weight" in state and all(name.startswith("lin") for name in state):
        return Checkpoint(Kind.LPIPS, "features", {}, _finite(state))
    refuse_other(state)
    raise Refused(f"its tensors ({seen(state)}) are those of no known network")


def _generator(
    kind: Kind, state: Mapping[str, Tensor], options: Mapping[str, Any], notes: tuple[str, ...] = ()
) -> Checkpoint:
    if is_stylegan3(state):
        finite = _finite(state)
        config = {**read_stylegan3(finite, options)}
        return Checkpoint(kind, "generator", config, finite, notes=notes, architecture="stylegan3")
    config = layout.read_config({name: tuple(tensor.shape) for name, tensor in state.items()})
    for name, tensor in state.items():
        if name.endswith("resample_filter") and not torch.equal(tensor.float(), kernel(1.0)):
            raise Refused(f"{name} is not the resampling filter [1, 3, 3, 1]")
    return Checkpoint(kind, "generator", {**config, **options}, _finite(state), notes=notes)


def _finite(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """float32 (counts keep their type), every number finite. Raises Refused, naming the first tensor that is not."""
    out: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if not torch.is_floating_point(tensor):
            if not name.endswith("num_batches_tracked"):
                raise Refused(f"{printable(name)} holds {tensor.dtype}".replace("torch.", ""))
            out[name] = tensor
            continue
        out[name] = tensor.float().contiguous()
        if not bool(torch.isfinite(out[name]).all()):
            raise Refused(f"{printable(name)} holds numbers that are not finite")
    return out


def _stored(values: object) -> dict[str, StoredTensor]:
    if not isinstance(values, dict):
        raise Refused("it holds no dictionary of tensors")
    for name, value in values.items():
        if not isinstance(name, str) or not isinstance(value, StoredTensor):
            raise Refused(f"it holds no dictionary of tensors: {printable(name)} is none")
    return dict(values)


def _to_tensors(stored: Mapping[str, StoredTensor], size: int) -> dict[str, Tensor]:
    """Views of the file's numbers. Names may share storages, but all together are no larger than the file."""
    if sum(tensor.nbytes for tensor in stored.values()) > size:
        raise Refused("its tensors together are larger than the file")
    return {name: _to_tensor(tensor) for name, tensor in stored.items()}


def _to_tensor(stored: StoredTensor) -> Tensor:
    tensor = torch.from_numpy(stored.array())
    if stored.element == "bfloat16":
        return tensor.view(torch.bfloat16)
    return tensor != 0 if stored.element == "bool" else tensor


def _plain(options: object) -> dict[str, Any]:
    """The texts and numbers of a dictionary of options."""
    if not isinstance(options, dict):
        return {}
    return {
        name: value[:MAX_TEXT] if isinstance(value, str) else value
        for name, value in options.items()
        if isinstance(name, str) and isinstance(value, str | int | float | None)
    }


# safetensors


def _is_safetensors(data: memoryview) -> bool:
    if len(data) < 10 or bytes(data[8:9]) != b"{":
        return False
    length = int.from_bytes(data[:8], "little")
    if length > MAX_SAFETENSORS_HEADER or 8 + length > len(data):
        raise Refused("it ends early, or is no safetensors file")
    return True


def _from_safetensors(path: Path) -> Checkpoint:
    try:
        with utf8_path(path) as name, safe_open(name, framework="pt") as file:
            metadata: Mapping[str, str] = file.metadata() or {}
            names: Iterable[str] = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as exc:
        raise Refused(f"it is a damaged safetensors file ({printable(str(exc), 120)})") from exc
    return _from_stored(metadata, tensors) if is_stored(metadata) else _tensors(tensors, {}, Kind.TENSORS)


def _from_stored(metadata: Mapping[str, str], tensors: dict[str, Tensor]) -> Checkpoint:
    """One of our own files, compared with what it says about itself."""
    parts = parts_of(metadata, tensors)
    if parts["kind"] not in list(Kind) or parts["role"] not in ("generator", "encoder", "features"):
        raise Refused(f"its kind {printable(parts['kind'], 30)} is of a newer stitchedit")
    kind = Kind(parts.pop("kind"))
    if parts["role"] == "generator":
        told = parts["config"]
        names = OPTIONS if is_stylegan3(parts["state"]) else ("conv_clamp", "num_fp16_res")
        options = {name: told.pop(name, None) for name in names if name in told}
        if not all(isinstance(value, int | float | None) for value in options.values()):
            raise Refused("its description is damaged")
        found = _generator(kind, parts["state"], options, parts["notes"])
        if {name: found.config[name] for name in told if name in found.config} != told:
            raise Refused("its tensors are not those that it describes")
        return found
    if parts["role"] == "encoder":
        parts["config"] = read_encoder_config({name: tuple(tensor.shape) for name, tensor in parts["state"].items()})
        _check_latent_avg(parts["latent_avg"], parts["state"])
    return Checkpoint(kind, **{**parts, "state": _finite(parts["state"])})
