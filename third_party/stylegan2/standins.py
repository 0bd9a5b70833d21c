"""What the globals of checkpoints stand for here: numpy values, torch tensors, NVIDIA modules. Data only, no code.

A tensor of a file stays a `StoredTensor` (where it lies, not its numbers) until somebody asks for it, so the networks
of a checkpoint that nobody needs, such as the discriminator or e4e's decoder, cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stitchedit.errors import Refused
from stitchedit.stylegan2.unpickle import AllowList, Name, Ordered, Stand, printable

MAX_DIMENSIONS = 8
MAX_STORAGES = 20_000  # of one file; a 1024 px generator with its discriminator has some 700

# torch's name of the element type -> the numpy type that its bytes are read as (bfloat16 has none: raw 16 bit)
ELEMENTS: Mapping[str, np.dtype[Any]] = {
    "float64": np.dtype("<f8"),
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "bfloat16": np.dtype("<u2"),
    "int64": np.dtype("<i8"),
    "int32": np.dtype("<i4"),
    "int16": np.dtype("<i2"),
    "int8": np.dtype("i1"),
    "uint8": np.dtype("u1"),
    "bool": np.dtype("u1"),
}

STORAGE_TYPES: Mapping[str, str] = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}


# Tensors


@dataclass(slots=True)
class Storage:
    """One block of numbers of the file.

    `data` is set later where the numbers follow the pickle (torch's older format).
    """

    element: str  # key of ELEMENTS
    numel: int
    data: memoryview | None = None

    @property
    def nbytes(self) -> int:
        return self.numel * ELEMENTS[self.element].itemsize


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor as the file describes it. Offset, shape and strides count elements and were checked to be in bounds."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def element(self) -> str:
        return self.storage.element

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * ELEMENTS[self.element].itemsize

    def array(self) -> NDArray[Any]:
        """The numbers: a view of the file's bytes with the file's strides, copied only where they are not aligned.

        bfloat16 comes as its raw uint16, bool as uint8.
        """
        kind = ELEMENTS[self.element]
        if self.storage.data is None:
            raise Refused("a tensor's numbers are missing")
        steps = tuple(s * kind.itemsize for s in self.strides)
        view = np.ndarray(self.shape, kind, self.storage.data, self.offset * kind.itemsize, steps)
        return view if view.flags.aligned else view.copy()


def storage_of(type_name: object, numel: object) -> Storage:
    """The storage that a torch persistent id announces. Raises Refused."""
    if not isinstance(type_name, Name) or type_name.dotted not in STORAGE_TYPES:
        raise Refused("a storage of unknown type")
    return Storage(STORAGE_TYPES[type_name.dotted], _count(numel, "a storage's size"))


def _rebuild_tensor(
    storage: object,
    offset: object,
    size: object,
    stride: object,
    requires_grad: object = False,
    hooks: object = None,
    metadata: object = None,
) -> StoredTensor:
    del requires_grad, hooks, metadata
    if not isinstance(storage, Storage):
        raise Refused("a tensor has no storage")
    if not (isinstance(size, tuple) and isinstance(stride, tuple) and len(size) == len(stride) <= MAX_DIMENSIONS):
        raise Refused("a tensor's shape and strides do not fit each other")
    shape = tuple(_count(n, "a tensor's size") for n in size)
    strides = tuple(_count(n, "a tensor's stride") for n in stride)
    start = _count(offset, "a tensor's offset")
    numel = math.prod(shape)
    if numel > storage.numel:
        raise Refused(f"a tensor of {printable(numel, 24)} elements in a storage of {storage.numel}")
    last = start + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if numel else start - 1
    if last >= storage.numel:
        raise Refused(f"a tensor reaches element {printable(last, 24)} of a storage of {storage.numel}")
    if not numel:  # no element is ever touched, whatever the strides say
        start, strides = 0, (0,) * len(shape)
    return StoredTensor(storage, start, shape, strides)


def _rebuild_parameter(data: object, requires_grad: object, hooks: object) -> StoredTensor:
    del requires_grad, hooks
    if not isinstance(data, StoredTensor):
        raise Refused("a parameter is no tensor")
    return data


def _count(value: object, what: str) -> int:
    if type(value) is not int or not 0 <= value < 1 << 48:
        raise Refused(f"{what} is {printable(value)}")
    return value


# numpy


class NumpyType:
    """Stands for a numpy.dtype; numbers only."""

    def __init__(self, code: object, align: object = False, copy: object = True) -> None:
        del align, copy
        if not isinstance(code, str) or code not in _NUMERIC_CODES:
            raise Refused(f"the numpy type {printable(code, 20)} is no plain number")
        self.dtype = np.dtype(code)

    def build(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) >= 5 and state[1] in ("<", ">", "|")):
            raise Refused("the state of a numpy type is malformed")
        if any(part is not None for part in state[2:5]):
            raise Refused("a numpy type with fields or parts is no plain number")
        self.dtype = self.dtype.newbyteorder(">" if state[1] == ">" else "<")


_NUMERIC_CODES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")


@dataclass(slots=True)
class NumpyArray:
    """Stands for a numpy.ndarray; empty until its state has come."""

    array: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.float32))

    def build(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) == 5):
            raise Refused("the state of a numpy array is malformed")
        _, shape, kind, fortran, raw = state
        self.array = _array(raw, kind, shape, "F" if fortran is True else "C")


def _array(raw: object, kind: object, shape: object, order: str) -> NDArray[Any]:
    if not (isinstance(kind, NumpyType) and isinstance(raw, memoryview | bytes) and isinstance(shape, tuple)):
        raise Refused("a numpy array is not made of type, shape and bytes")
    if len(shape) > MAX_DIMENSIONS:
        raise Refused("a numpy array has too many dimensions")
    sizes = [_count(n, "a numpy array's size") for n in shape]
    if math.prod(sizes) * kind.dtype.itemsize != len(raw):
        raise Refused(f"a numpy array of {printable(math.prod(sizes), 24)} numbers in {len(raw)} bytes")
    return np.frombuffer(raw, kind.dtype).reshape(sizes, order="F" if order == "F" else "C")


def _empty_array(kind: object, shape: object, code: object) -> NumpyArray:
    del shape, code  # (0,) and b"b" in every file: the true ones come with the state
    if not isinstance(kind, Name) or kind.dotted != "numpy.ndarray":
        raise Refused("a numpy array of unknown class")
    return NumpyArray()


def _array_from_buffer(raw: object, kind: object, shape: object, order: object, axes: object = None) -> NumpyArray:
    """Protocol 5. Order "K" is C order of the axes as `axes` permutes them."""
    array = _array(raw, kind, shape, "F" if order == "F" else "C")
    if order != "K" or axes is None:
        return NumpyArray(array)
    if not isinstance(axes, tuple) or len(axes) > MAX_DIMENSIONS or set(map(type, axes)) != {int}:
        raise Refused("a numpy array's axes are malformed")
    if sorted(axes) != list(range(array.ndim)):
        raise Refused("a numpy array's axes are malformed")
    return NumpyArray(array.transpose(axes))


def _scalar(kind: object, raw: object) -> object:
    return _array(raw, kind, (), "C").item()


# Plain Python


@dataclass(frozen=True, slots=True)
class Items:
    """Stands for a set that was called into being: its items, not copied, since a call must cost nothing."""

    items: Sequence[object] = ()


def _set(items: object = ()) -> Items:
    if not isinstance(items, list | tuple):
        raise Refused("a set of no list")
    return Items(items)


def _encode(text: object, encoding: object) -> bytes:
    """`_codecs.encode`, by which protocol 2 spells byte strings."""
    if not isinstance(text, str) or encoding != "latin1":
        raise Refused("bytes that are not spelt as latin1 text")
    try:
        return text.encode("latin1")
    except UnicodeEncodeError as exc:
        raise Refused("bytes that are not spelt as latin1 text") from exc


def _no_bytes() -> bytes:
    return b""


def _ordered() -> Ordered:
    return Ordered()


class Namespace:
    """Stands for argparse.Namespace: the options of a training run."""

    def __init__(self) -> None:
        self.values: dict[object, object] = {}

    def build(self, state: object) -> None:
        if not isinstance(state, dict):
            raise Refused("a Namespace without a dictionary")
        self.values = state


def _device(*parts: object) -> str:
    return ":".join(printable(part, 16) for part in parts if isinstance(part, str | int))


def _size(parts: object) -> tuple[object, ...]:
    if not isinstance(parts, tuple):
        raise Refused("a torch.Size of no tuple")
    return parts


# NVIDIA


@dataclass(frozen=True, slots=True)
class Module:
    """A module of NVIDIA's persistence: its class's name and its attributes. Its source text is dropped unread."""

    class_name: str
    state: Mapping[object, object]


def _module(meta: object) -> Module:
    if not isinstance(meta, dict) or meta.get("type") != "class":
        raise Refused("a persistent object that is no class")
    name, state = meta.get("class_name"), meta.get("state")
    if not isinstance(name, str) or not isinstance(state, dict):
        raise Refused("a persistent object without class name and state")
    return Module(name, state)


class Network:
    """Stands for dnnlib.tflib.network.Network of the TensorFlow releases: a dictionary of fields."""

    def __init__(self) -> None:
        self.fields: Mapping[object, object] = {}

    def build(self, state: object) -> None:
        if not isinstance(state, dict):
            raise Refused("a TensorFlow network without fields")
        self.fields = state


# Allow-lists, one a kind of file

_NUMPY: AllowList = {
    "numpy.dtype": Stand(call=NumpyType),
    "numpy.ndarray": Stand(),
    **{
        f"numpy.{core}.{name}": Stand(call=call)
        for core in ("core", "_core")
        for name, call in (
            ("multiarray.scalar", _scalar),
            ("multiarray._reconstruct", _empty_array),
            ("numeric._frombuffer", _array_from_buffer),
        )
    },
}

_PYTHON: AllowList = {
    "collections.OrderedDict": Stand(call=_ordered),
    "builtins.set": Stand(call=_set),
    "builtins.bytes": Stand(call=_no_bytes),
    "_codecs.encode": Stand(call=_encode),
}

_TENSORS: AllowList = {
    "torch._utils._rebuild_tensor_v2": Stand(call=_rebuild_tensor),
    "torch._utils._rebuild_parameter": Stand(call=_rebuild_parameter),
}

_PERSISTENCE: AllowList = {
    "torch_utils.persistence._reconstruct_persistent_obj": Stand(call=_module),
    "dnnlib.util.EasyDict": Stand(new=Ordered),
}

STORAGE_ONLY: AllowList = dict.fromkeys(STORAGE_TYPES, Stand())
TENSOR_FILE: AllowList = {"collections.OrderedDict": _PYTHON["collections.OrderedDict"], **_TENSORS, **STORAGE_ONLY}
PLAIN_FILE: AllowList = {**_NUMPY, **_PYTHON}  # a pickle of numpy arrays and plain values
TORCH_FILE: AllowList = {
    **_NUMPY,
    **_PYTHON,
    **_TENSORS,
    **STORAGE_ONLY,
    "argparse.Namespace": Stand(new=Namespace),
    "torch.device": Stand(call=_device),
    "torch.Size": Stand(call=_size),
}
STIT_FILE: AllowList = {**_NUMPY, **_PYTHON, **_TENSORS, **STORAGE_ONLY, **_PERSISTENCE}
TENSORFLOW_FILE: AllowList = {
    **_NUMPY,
    **_PYTHON,
    "dnnlib.tflib.network.Network": Stand(new=Network),
    "dnnlib.util.EasyDict": Stand(new=Ordered),
}


def nvidia_file(load_storage: Callable[[memoryview], Storage]) -> AllowList:
    """The allow-list for one reading of an NVIDIA .pkl.

    `load_storage` reads the bytes of `torch.storage._load_from_bytes`; it is asked once for the same bytes, however
    often the file calls for them.
    """
    known: dict[int, tuple[memoryview, Storage]] = {}  # by id; the view is kept so that its id stays its own

    def load_once(raw: object) -> Storage:
        if isinstance(raw, bytes):  # protocol 2; each is new, and the reader bounds how many bytes can be made so
            return load_storage(memoryview(bytearray(raw)))
        if not isinstance(raw, memoryview):
            raise Refused("a storage is no byte string")
        if id(raw) not in known:
            if len(known) >= MAX_STORAGES:
                raise Refused(f"it has more than {MAX_STORAGES} storages")
            known[id(raw)] = raw, load_storage(raw)
        return known[id(raw)][1]

    return {
        **_NUMPY,
        **_PYTHON,
        **_TENSORS,
        **_PERSISTENCE,
        "torch.storage._load_from_bytes": Stand(call=load_once),
    }
