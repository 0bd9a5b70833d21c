"""Which tensors a StyleGAN2 generator has: NVIDIA's names, and the network's configuration read off their shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from stitchedit.errors import Refused
from stitchedit.stylegan2.unpickle import printable

Shapes = Mapping[str, tuple[int, ...]]


def is_stylegan2(names: Mapping[str, object]) -> bool:
    return "synthesis.b4.const" in names and "mapping.fc0.weight" in names


def read_config(shapes: Shapes) -> dict[str, object]:
    """Configuration of the generator whose tensors have these names and shapes.

    Returns: arguments of `StyleGAN2`: z_dim, c_dim, w_dim, img_resolution, mapping_layers, channels (by size),
        architecture. Every tensor was found to be there, in the shape that follows, and none beside them.
    Raises: Refused, naming the first tensors that do not fit.
    """
    config = _guess(shapes)
    expected = tensor_shapes(**config)  # type: ignore[arg-type]
    missing = [name for name in expected if name not in shapes]
    surplus = [name for name in shapes if name not in expected]
    if missing:
        raise Refused(f"it lacks {_some(missing)}")
    if surplus:
        raise Refused(f"it has tensors that a StyleGAN2 generator has not: {_some(surplus)}")
    for name, shape in expected.items():
        if tuple(shapes[name]) != shape:
            raise Refused(f"{name} has shape {list(shapes[name])}, not {list(shape)}")
    return config


def expected_shapes(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """What `tensor_shapes` says of a generator that has at least the telling ones of these. Raises Refused."""
    return tensor_shapes(**_guess(shapes))  # type: ignore[arg-type]


def tensor_shapes(
    z_dim: int,
    c_dim: int,
    w_dim: int,
    img_resolution: int,
    mapping_layers: int,
    channels: Mapping[int, int],
    architecture: str,
) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor of the generator, parameters and buffers, in the order of execution."""
    shapes: dict[str, tuple[int, ...]] = {"mapping.w_avg": (w_dim,)}
    if c_dim:
        shapes |= {"mapping.embed.weight": (w_dim, c_dim), "mapping.embed.bias": (w_dim,)}
    width = z_dim + (w_dim if c_dim else 0)
    for index in range(mapping_layers):
        shapes |= {f"mapping.fc{index}.weight": (w_dim, width), f"mapping.fc{index}.bias": (w_dim,)}
        width = w_dim
    before = 0
    for size, count in sorted(channels.items()):
        block = f"synthesis.b{size}."
        shapes[f"{block}resample_filter"] = (4, 4)
        if size == 4:
            shapes[f"{block}const"] = (count, 4, 4)
        else:
            shapes |= _conv(f"{block}conv0.", size, before, count, w_dim)
        shapes |= _conv(f"{block}conv1.", size, count, count, w_dim)
        if architecture == "skip" or size == img_resolution:
            shapes |= {
                f"{block}torgb.weight": (3, count, 1, 1),
                f"{block}torgb.bias": (3,),
                f"{block}torgb.affine.weight": (count, w_dim),
                f"{block}torgb.affine.bias": (count,),
            }
        if architecture == "resnet" and size > 4:
            shapes |= {f"{block}skip.weight": (count, before, 1, 1), f"{block}skip.resample_filter": (4, 4)}
        before = count
    return shapes


def _conv(prefix: str, size: int, before: int, count: int, w_dim: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{prefix}weight": (count, before, 3, 3),
        f"{prefix}bias": (count,),
        f"{prefix}noise_strength": (),
        f"{prefix}noise_const": (size, size),
        f"{prefix}resample_filter": (4, 4),
        f"{prefix}affine.weight": (before, w_dim),
        f"{prefix}affine.bias": (before,),
    }


def _guess(shapes: Shapes) -> dict[str, object]:
    """The configuration by the few tensors that tell it; `read_config` then compares all of them."""
    layers = sum(1 for name in shapes if re.fullmatch(r"mapping\.fc\d+\.weight", name))
    sizes = sorted(int(m[1]) for m in (re.fullmatch(r"synthesis\.b(\d{1,5})\.conv1\.weight", n) for n in shapes) if m)
    if sizes != [4 << k for k in range(len(sizes))] or not sizes:
        raise Refused(f"it has blocks for {sizes[:12]} px, not for 4, 8, 16 .. px")
    w_dim = _side(shapes, f"mapping.fc{layers - 1}.weight", 0)
    c_dim = _side(shapes, "mapping.embed.weight", 1) if "mapping.embed.weight" in shapes else 0
    architecture = "orig"
    if "synthesis.b4.torgb.weight" in shapes:
        architecture = "skip"
    elif "synthesis.b8.skip.weight" in shapes:
        architecture = "resnet"
    return {
        "z_dim": _side(shapes, "mapping.fc0.weight", 1) - (w_dim if c_dim else 0),
        "c_dim": c_dim,
        "w_dim": w_dim,
        "img_resolution": sizes[-1],
        "mapping_layers": layers,
        "channels": {size: _side(shapes, f"synthesis.b{size}.conv1.weight", 0) for size in sizes},
        "architecture": architecture,
    }


def _side(shapes: Shapes, name: str, axis: int) -> int:
    shape = shapes.get(name, ())
    if len(shape) <= axis or shape[axis] < 1:
        raise Refused(f"it lacks {name}" if name not in shapes else f"{name} has shape {list(shape)}")
    return shape[axis]


def _some(names: list[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
