"""Edits in files of strangers, whichever repository wrote them: what a file holds is seen by its content.

    one array                      a vector of W, W+ or StyleSpace        InterFaceGAN, STIT, e4e, HyperStyle, SFE
    mean, comp, std                principal components of W              GANSpace, as e4e saves them
    eigvec                         closed-form factors of the affines     SeFa, as rosinality's repository saves them
    editing_w                      the edit that comes with a StyleGANEX
    one array for each layer       an offset in StyleSpace
    means and deviations           StyleSpace statistics (S_mean_std)     StyleCLIP
    thousands of rows              channel relevance (fs3.npy)            StyleCLIP
    mapper.*                       a mapper                               StyleCLIP
    dense.N.*                      a Latent Transformer

Nothing in a file is executed, and its size is checked before memory is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stitchedit.editing.latent_networks import LatentNetwork, find_mapper, find_transformer
from stitchedit.editing.vector_files import array_of, read_arrays, read_torch_tensors, vector_of
from stitchedit.errors import DirectionError, Refused
from stitchedit.files.npy import moving_float32
from stitchedit.stylegan2.files import map_file
from stitchedit.stylegan2.standins import PLAIN_FILE, NumpyArray, StoredTensor
from stitchedit.stylegan2.torchfile import is_stream, is_zip
from stitchedit.stylegan2.unpickle import load, printable
from stitchedit.types import FloatArray

MAX_FILE_BYTES = 4 << 30  # mapped, not read: a StyleGANEX holds its networks beside the edit, over 1 GB
MAX_LAYERS = 64  # with a style; 26 at 1024 px
TABLE_ROWS = 65  # from which on a matrix is StyleCLIP's table, not the rows of a W+
MAX_TABLE = 1 << 24  # numbers of it; fs3.npy has 6048 x 512
HINT = "known are the files of the table in docs/edit-files.md; save a vector by itself: np.save('age.npy', v)"


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector of W, W+ or StyleSpace; its length tells which."""

    numbers: FloatArray
    said: str = "a vector"


@dataclass(frozen=True, slots=True)
class Components:
    """Axes of W, of which an edit takes one."""

    axes: FloatArray  # [K, w_dim], unit length in GANSpace and SeFa
    deviations: FloatArray  # [K], one SD along each; 1 where none is known
    mean: FloatArray | None  # [w_dim]; None: not known
    said: str

    def vector(self, component: int) -> FloatArray:
        """What one SD along a component adds to w, [w_dim]. Raises Refused, where there is none."""
        if not 0 <= component < len(self.axes):
            raise Refused(f"it holds components 0 to {len(self.axes) - 1}, not {component}")
        return moving_float32(self.axes[component] * self.deviations[component])

    def coordinate(self, component: int, w: FloatArray) -> float:
        """Where w [w_dim] lies along a component, in SD from the mean."""
        assert self.mean is not None
        return float((w - self.mean) @ self.axes[component] / self.deviations[component])


@dataclass(frozen=True, slots=True)
class StyleStatistics:
    """Mean and SD of every channel of a StyleSpace, layer by layer."""

    means: tuple[FloatArray, ...]
    deviations: tuple[FloatArray, ...]

    @property
    def said(self) -> str:
        return f"StyleSpace statistics of {len(self.means)} layers, {sum(map(len, self.means))} channels"


@dataclass(frozen=True, slots=True)
class ChannelRelevance:
    """StyleCLIP's table: how each channel of the convolutions moves a picture in CLIP's space."""

    rows: FloatArray  # [channels, E]

    @property
    def said(self) -> str:
        return f"a StyleCLIP table of {len(self.rows)} channels in a CLIP space of {self.rows.shape[1]}"


EditFile = Vector | Components | StyleStatistics | ChannelRelevance | LatentNetwork


def read_edit(path: Path | str) -> EditFile:
    """What a file of an edit holds.

    Raises: DirectionError, when the file is missing, damaged, of no known kind, too large, not finite, or all 0.
    """
    path = Path(path)
    try:
        data = map_file(path)
        if len(data) > MAX_FILE_BYTES:
            raise Refused(f"it has {len(data) >> 20} MB, too much for an edit")
        return _read(data)
    except Refused as exc:
        raise DirectionError(f"cannot read a direction from {path}: {exc}", HINT) from exc


def _read(data: memoryview) -> EditFile:
    if is_stream(data) or is_zip(data):
        tensors = read_torch_tensors(data)
        if tensors is not None:
            return _of_torch(tensors)
    elif bytes(data[:1]) == b"\x80":
        return _of_pickle(data)
    array = read_arrays(data, MAX_TABLE)
    if array.ndim == 2 and len(array) >= TABLE_ROWS and array.shape[1] > 1:
        rows = np.array(array_of(array), np.float32)
        if not np.isfinite(rows).all():
            raise Refused("it holds numbers that are not finite")
        return ChannelRelevance(rows)
    return _vector(array)


def _vector(array: Any) -> Vector:
    numbers = vector_of(array)
    rows = numbers.reshape(-1, numbers.shape[-1])
    alike = len(rows) > 1 and bool((rows == rows[0]).all())
    return Vector(numbers, f"a vector of shape {list(numbers.shape)}{', all rows alike' if alike else ''}")


def _of_torch(value: object) -> EditFile:
    """Of what torch.save wrote. Raises Refused."""
    if isinstance(value, list | tuple):
        return _styles(value)
    if not isinstance(value, Mapping):
        return _vector(array_of(value))
    named = {name: part for name, part in value.items() if isinstance(name, str)}
    if {"mean", "comp", "std"} <= set(named):
        return _ganspace(named)
    if "eigvec" in named:
        axes = _matrix(named["eigvec"], "eigvec")
        said = f"SeFa factors, {axes.shape[1]} of them"
        return Components(np.ascontiguousarray(axes.T), np.ones(axes.shape[1], np.float32), None, said)
    if "editing_w" in named:
        both = _finite(named["editing_w"], "editing_w")
        if both.ndim != 3:
            raise Refused(f"its editing_w is {list(both.shape)}, not [2, rows, w_dim]")
        return Vector(moving_float32(both[0]), "the edit of a StyleGANEX, the first of its editing_w")
    found = _network(named)
    if found is None and any(_holds_tensors(part) for part in named.values()):
        shown = ", ".join(printable(name, 20) for name in list(named)[:4])
        raise Refused(f"it holds networks ({shown}), no edit: an encoder goes to --encoder, a generator to --generator")
    return found or _vector(array_of(value))


def _holds_tensors(part: object) -> bool:
    return isinstance(part, Mapping) and any(isinstance(value, StoredTensor) for value in part.values())


def _network(named: Mapping[str, object]) -> LatentNetwork | None:
    """A mapper or transformer by the names of its tensors; None, where it is neither."""
    inner = next(
        (named[key] for key in ("state_dict", "T_net_state_dict") if isinstance(named.get(key), Mapping)), named
    )
    assert isinstance(inner, Mapping)
    names = [name for name in inner if isinstance(name, str)]
    wanted = [n for n in names if n.removeprefix("module.").startswith(("mapper.", "dense.", "mapping."))]
    wanted += [n for n in names if n.startswith(("course_", "medium_", "fine_"))]
    if not wanted:
        return None
    tensors = {name: _finite(inner[name], printable(name, 40)) for name in wanted}
    rows = sum(1 for name in names if name.startswith("decoder.convs.") and name.endswith("conv.weight"))
    return find_mapper(tensors, rows + 2 if rows else 0) or find_transformer(tensors)


def _ganspace(named: Mapping[str, object]) -> Components:
    mean, comp, std = (_finite(named[name], name) for name in ("mean", "comp", "std"))
    axes = comp.reshape(len(comp), -1) if comp.ndim > 1 and comp.size else comp
    if axes.ndim != 2 or std.size != len(axes) or mean.size != axes.shape[1]:
        raise Refused("its GANSpace components, mean and deviations do not fit each other")
    if not (std > 0).all():
        raise Refused("a deviation of its GANSpace components is not above 0")
    return Components(np.ascontiguousarray(axes), std.reshape(-1), mean.reshape(-1), f"{len(axes)} GANSpace components")


def _of_pickle(data: memoryview) -> StyleStatistics:
    """S_mean_std: two lists with an array for each layer. Raises Refused."""
    try:
        value, _ = load(data, PLAIN_FILE)
    except Refused as exc:
        raise Refused(f"it is a bare pickle, and no S_mean_std: {exc}") from exc
    if not (isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(v, list | tuple) for v in value)):
        raise Refused("it is a bare pickle, and no S_mean_std")
    means, deviations = (_layers(part) for part in value)
    if [len(layer) for layer in means] != [len(layer) for layer in deviations]:
        raise Refused("its means and deviations do not fit each other")
    if any((layer < 0).any() for layer in deviations):
        raise Refused("a deviation of its channels is below 0")
    return StyleStatistics(means, deviations)


def _styles(value: Sequence[object]) -> Vector:
    layers = _layers(value)
    return Vector(moving_float32(np.concatenate(layers)), f"an offset in StyleSpace, {len(layers)} layers")


def _layers(value: Sequence[object]) -> tuple[FloatArray, ...]:
    """An array for each layer, each [C] once axes of one are dropped."""
    if not 1 <= len(value) <= MAX_LAYERS:
        raise Refused(f"it holds a list of {len(value)} things, not an array for each layer")
    layers = tuple(_finite(part, "a layer").reshape(-1) for part in value)
    if not all(layer.size for layer in layers):
        raise Refused("a layer has no channels")
    return layers


def _matrix(value: object, name: str) -> FloatArray:
    found = _finite(value, name)
    if found.ndim != 2 or not found.size:
        raise Refused(f"its {name} is {list(found.shape)}, no matrix")
    return found


def _finite(value: object, name: str) -> FloatArray:
    """float32 numbers of a tensor. Raises Refused."""
    if not isinstance(value, StoredTensor | NumpyArray):
        raise Refused(f"its {name} is no tensor")
    array = array_of(value)
    if array.dtype.kind != "f" or array.size > MAX_TABLE:
        raise Refused(f"its {name} holds {array.size} x {array.dtype.name}")
    with np.errstate(over="ignore"):
        numbers = np.array(array, np.float32, order="C")
    if not np.isfinite(numbers).all():
        raise Refused(f"its {name} holds numbers that are not finite")
    return numbers
