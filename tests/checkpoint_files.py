"""Writers of checkpoints as their tools write them, for tests."""

import io
import pickle
import re
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stitchedit.stylegan2.encoder_layout import encoder_shapes
from stitchedit.stylegan2.layout import tensor_shapes
from stitchedit.stylegan2.rosinality import kernel
from stitchedit.stylegan3 import StyleGAN3

CONFIG = {"z_dim": 6, "c_dim": 0, "w_dim": 8, "mapping_layers": 2, "channels": {4: 5, 8: 4, 16: 3}}
CONFIG |= {"img_resolution": 16, "architecture": "skip"}


def make_state(**changes: object) -> dict[str, Tensor]:
    """A generator's tensors with random numbers."""
    g = torch.Generator().manual_seed(0)
    shapes = tensor_shapes(**{**CONFIG, **changes})  # type: ignore[arg-type]
    return {n: kernel(1.0) if n.endswith("resample_filter") else torch.randn(s, generator=g) for n, s in shapes.items()}


def encoder_content(encoder_type: str = "Encoder4Editing", width: int = 1, **changes: object) -> dict[str, Any]:
    """An e4e or pSp checkpoint of a 16 px generator, 64 / `width` times narrower than a true one."""
    g = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}
    restyle = encoder_type.endswith("BackboneEncoder")
    for name, shape in encoder_shapes(6, width, restyle=restyle).items():
        count = name.endswith("num_batches_tracked")
        state[f"encoder.{name}"] = torch.tensor(7) if count else torch.randn(shape, generator=g)
    state["decoder.input.input"] = torch.ones(1, 512, 4, 4)
    options = {"encoder_type": encoder_type, "start_from_latent_avg": True, "stylegan_size": 16, "lr": 0.1}
    options |= {"device": "cuda:0", "checkpoint_path": None, "weird": ["x"]}
    mean = torch.randn(6, 8 * width, generator=g)
    return {"state_dict": state, "latent_avg": mean, "opts": options, **changes}


class EasyDict(dict):
    """dnnlib.util.EasyDict: a plain subclass of dict."""


class Network:
    """dnnlib.tflib.network.Network: an object whose state is a dictionary of fields."""


def _reconstruct_persistent_obj(meta: dict[str, Any]) -> None:
    raise AssertionError("only the name is needed")


_PLACES = {
    "torch_utils.persistence": _reconstruct_persistent_obj,
    "dnnlib.util": EasyDict,
    "dnnlib.tflib.network": Network,
}


@contextmanager
def importable() -> Iterator[None]:
    """NVIDIA's modules exist while a pickle is written: pickle looks up what it names."""
    names = {".".join(p.split(".")[: k + 1]) for p in _PLACES for k in range(p.count(".") + 1)}
    before = {name: sys.modules.get(name) for name in names}
    for name in names:
        sys.modules[name] = ModuleType(name)
    for place, thing in _PLACES.items():
        thing.__module__ = place
        setattr(sys.modules[place], thing.__name__, thing)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


class Persistent:
    """A module as NVIDIA's persistence pickles it."""

    def __init__(self, class_name: str, source: str = "") -> None:
        self.class_name, self.source = class_name, source
        self.attributes: dict[str, Any] = {}
        self.parameters: dict[str, Any] = OrderedDict()
        self.buffers: dict[str, Any] = OrderedDict()
        self.modules: dict[str, Any] = OrderedDict()

    def __reduce__(self) -> tuple[Any, ...]:
        state = {
            "training": False,
            "_parameters": self.parameters,
            "_buffers": self.buffers,
            "_non_persistent_buffers_set": {"scratch"},
            "_forward_hooks": OrderedDict(),
            "_modules": self.modules,
            **self.attributes,
            "_init_args": (),
            "_init_kwargs": EasyDict(z_dim=4),
        }
        meta = {
            "type": "class",
            "version": 6,
            "module_src": self.source,
            "class_name": self.class_name,
            "state": state,
        }
        return _reconstruct_persistent_obj, (meta,)


def nvidia_module(state: Mapping[str, Tensor], source: str = "", conv_clamp: float | None = None) -> Persistent:
    """The generator whose tensors these are, as NVIDIA's classes hold it, of StyleGAN2 or 3."""
    root = Persistent("Generator", source)
    for name, tensor in state.items():
        *path, leaf = name.split(".")
        module = root
        for depth, part in enumerate(path):
            if part not in module.modules:
                child = Persistent(_class_name(path[: depth + 1]), source)
                if child.class_name == "SynthesisLayer" and part.startswith("L"):
                    child.attributes = {"out_size": np.array([36, 36]), "in_cutoff": np.float64(2), "conv_clamp": 256}
                elif child.class_name == "SynthesisLayer":
                    child.attributes = {"use_noise": True, "activation": "lrelu", "act_gain": np.float64(2**0.5)}
                if child.class_name in ("SynthesisLayer", "ToRGBLayer") and not part.startswith("L"):
                    child.attributes["conv_clamp"] = conv_clamp
                if part.startswith("fc"):
                    child.attributes = {"activation": "lrelu", "bias_gain": 0.01, "weight_gain": np.float64(0.00125)}
                module.modules[part] = child
            module = module.modules[part]
        if leaf in _BUFFERS:
            module.buffers[leaf] = tensor
            module.buffers["scratch"] = torch.zeros(3)  # not persistent: no part of the state dict
        else:
            module.parameters[leaf] = torch.nn.Parameter(tensor)
    return root


_BUFFERS = ("w_avg", "noise_const", "resample_filter", "magnitude_ema", "up_filter", "down_filter")
_BUFFERS += ("freqs", "phases", "transform")


def stylegan3_state(**changes: Any) -> dict[str, Tensor]:
    """The tensors of a small StyleGAN3 with random weights."""
    torch.manual_seed(0)
    config = {"z_dim": 4, "w_dim": 4, "img_resolution": 16, "num_layers": 4, "num_critical": 1, "channel_max": 3}
    return StyleGAN3(**config | changes).state_dict()


def _class_name(path: list[str]) -> str:
    leaf = path[-1]
    known = {
        "synthesis": "SynthesisNetwork",
        "mapping": "MappingNetwork",
        "torgb": "ToRGBLayer",
        "input": "SynthesisInput",
    }
    if re.fullmatch(r"b\d+", leaf):
        return "SynthesisBlock"
    if leaf.startswith(("conv", "L")):
        return "SynthesisLayer"
    return known.get(leaf, "FullyConnectedLayer")


def nvidia_pickle(generator: object, protocol: int, key: str = "G_ema") -> bytes:
    with importable():
        kwargs = {"class_name": "training.dataset.ImageFolderDataset", "resolution": 32}
        content = {"training_set_kwargs": kwargs, "G": None, "D": None, "G_ema": None, "augment_pipe": None}
        content[key] = generator
        return pickle.dumps(content, protocol)


def torch_file(value: object, zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    with importable():
        torch.save(value, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def tensorflow_pickle(state: Mapping[str, Tensor], protocol: int, **kwargs: object) -> bytes:
    """The TensorFlow pickle of a generator with these tensors: NVIDIA's conversion, the other way round."""
    parts: dict[str, list[tuple[str, np.ndarray]]] = {"": [("lod", np.float32(0))], "mapping": [], "synthesis": []}
    for name, tensor in state.items():
        if not name.endswith("resample_filter"):
            full, value = _tensorflow_variable(name, tensor.numpy())
            part, _, rest = full.rpartition("mapping/") if "mapping/" in full else full.rpartition("synthesis/")
            parts[part + full[len(part) :].split("/")[0] if "/" in full else ""].append((rest or full, value))
    networks = {part: network(part, variables, kwargs) for part, variables in parts.items()}
    networks[""].components = EasyDict(mapping=networks["mapping"], synthesis=networks["synthesis"])
    other = network("D", [], {})
    with importable():
        return pickle.dumps((networks[""], other, networks[""]), protocol)


def network(name: str, variables: list[tuple[str, np.ndarray]], kwargs: Mapping[str, object]) -> Network:
    made = Network()
    made.version = 4
    made.name = name
    made.static_kwargs = EasyDict(num_channels=3, **kwargs)
    made.components = EasyDict()
    made.build_module_src = "raise RuntimeError('executed')\n"
    made.build_func_name = "G_main"
    made.variables = variables
    return made


def _tensorflow_variable(name: str, value: np.ndarray) -> tuple[str, np.ndarray]:
    if name == "mapping.w_avg":
        return "dlatent_avg", value
    if match := re.fullmatch(r"mapping\.fc(\d+)\.(weight|bias)", name):
        return f"mapping/Dense{match[1]}/{match[2]}", value.T
    if match := re.fullmatch(r"mapping\.embed\.(weight|bias)", name):
        return f"mapping/LabelEmbed/{match[1]}", value.T
    if name == "synthesis.b4.const":
        return "synthesis/4x4/Const/const", value[None]
    match = re.fullmatch(r"synthesis\.b(\d+)\.(conv0|conv1|torgb|skip)\.(.+)", name)
    assert match, name
    size, part, leaf = int(match[1]), match[2], match[3]
    if leaf == "noise_const":
        number = 0 if size == 4 else 2 * int(np.log2(size)) - (5 if part == "conv0" else 4)
        return f"synthesis/noise{number}", value[None, None]
    layer = {"conv0": "Conv0_up", "conv1": "Conv" if size == 4 else "Conv1", "torgb": "ToRGB", "skip": "Skip"}[part]
    variable = f"synthesis/{size}x{size}/{layer}/{leaf.replace('affine.', 'mod_')}"
    if leaf == "affine.bias":
        return variable, value - np.float32(1)
    if leaf == "weight":
        value = value.transpose(2, 3, 1, 0)
        return variable, value[::-1, ::-1].copy() if part in ("conv0", "skip") else value
    return variable, value.T
