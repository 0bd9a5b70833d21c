"""Generators behind one interface, whatever network draws the face; the default one and the file that holds it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from stitchedit import registry
from stitchedit.errors import ConfigError, UnknownCheckpoint
from stitchedit.files.array_files import save_tensors
from stitchedit.files.utf8_path import utf8_path
from stitchedit.mobilestylegan import MobileStyleGAN
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.registry import Registry
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.stylegan3 import StyleGAN3

FORMAT = "stitchedit-generator-1"  # in the header of a generator's safetensors file


class Generator(Protocol):
    """A face generator with a W space. Images are RGB in about [-1, 1], channels first, float32.

    Implementations are `torch.nn.Module`s; their networks know nothing of files.
    """

    architecture: str  # "mobilestylegan", "stylegan2" or "stylegan3"
    made_for: str  # what directions name in `made_for`, such as "ffhq-1024"
    z_dim: int
    w_dim: int
    num_ws: int  # rows of W+
    resolution: int  # pixels of the full image's side
    exits: tuple[int, ...]  # ascending; sizes at which `synthesis` can stop, the last is `resolution`
    w_avg: Tensor  # [w_dim], mean of mapped samples

    @property
    def config(self) -> dict[str, object]:
        """Plain values (JSON) from which `GENERATORS[architecture].build(**config)` builds an equal network."""
        ...

    def mapping(self, z: Tensor, *, truncation_psi: float = 1.0, truncation_cutoff: int | None = None) -> Tensor:
        """z [B, z_dim] -> ws [B, num_ws, w_dim], pulled toward `w_avg` by truncation psi in the first rows."""
        ...

    def synthesis(self, ws: Tensor, *, noise_mode: str = "const", resolution: int | None = None) -> Tensor:
        """ws [B, num_ws or 1, w_dim] -> images [B, 3, R, R]; `resolution` is one of `exits`, default the full one.

        No block above the asked resolution is run. noise_mode: const, none (or random, where the network has it).
        """
        ...

    def zero_grad(self, set_to_none: bool = True) -> None: ...

    def layer_px(self, name: str) -> int:
        """Pixels at which the layer of a parameter works, by the parameter's name; 0 in the mapping network."""
        ...

    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state: Mapping[str, Tensor]) -> object: ...
    def parameters(self) -> Iterator[torch.nn.Parameter]: ...
    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]: ...
    def requires_grad_(self, requires_grad: bool = True) -> Self: ...
    def to(self, device: torch.device | str) -> Self: ...
    def train(self, mode: bool = True) -> Self: ...
    def eval(self) -> Self: ...


def lowest_exit(generator: Generator, at_least: float) -> int:
    """The lowest of its exits with so many pixels; the full size, where none has."""
    return next((size for size in generator.exits if size >= at_least), generator.exits[-1])


# Top, left, bottom and right edge of a part of a picture, in its pixels, all even; the last two lie beyond it.
Window = tuple[int, int, int, int]


def draw(
    generator: Generator,
    ws: Tensor,
    offset: Tensor | None = None,
    *,
    resolution: int | None = None,
    window: Window | None = None,
) -> Tensor:
    """What `synthesis` draws of ws, or the part of it that lies in a window, [B, 3, h, w].

    Args:
        offset: [B or 1, S] is added to the styles, all layers of the full size one after another; None: nothing is.
        window: None: all of the picture, by any generator; else by one that `DrawsWindows`.
    """
    if offset is not None:
        assert isinstance(generator, HasStyleSpace)  # who made the offset has seen to it
        more: dict[str, Any] = {} if window is None else {"window": window}
        styles = moved_styles(generator, generator.styles(ws, resolution=resolution), offset, resolution)
        return generator.from_styles(styles, resolution=resolution, **more)
    if window is None:
        return generator.synthesis(ws, resolution=resolution)
    assert isinstance(generator, DrawsWindows)
    return generator.synthesis_window(ws, window, resolution=resolution)


def moved_styles(
    generator: HasStyleSpace, styles: Sequence[Tensor], offset: Tensor, resolution: int | None = None
) -> list[Tensor]:
    """Styles with what is added to those layers that a picture of this size has in common with the full one."""
    widths = [channels for _, channels in generator.style_layers(resolution)]
    added = torch.split(offset[:, : sum(widths)], widths, dim=1)
    return [style + part for style, part in zip(styles, added, strict=False)] + list(styles[len(added) :])


def part_of(image: Tensor, window: Window | None) -> Tensor:
    """The window's part of an image [.., H, W]; None: all of it."""
    if window is None:
        return image
    top, left, bottom, right = window
    return image[..., top:bottom, left:right]


@runtime_checkable
class DrawsWindows(Protocol):
    """A generator that draws a part of a picture for about its share of the work; others draw all of it."""

    def synthesis_window(self, ws: Tensor, window: Window, *, resolution: int | None = None) -> Tensor: ...


@runtime_checkable
class HasStyleSpace(Protocol):
    """A generator whose layers take styles, a number a channel, which can be moved apart from w."""

    def style_layers(self, resolution: int | None = None) -> tuple[tuple[str, int], ...]:
        """Name and channels of each layer with a style, in the order of execution.

        Those of a smaller picture are the first of the full one's.
        """
        ...

    def styles(self, ws: Tensor, *, resolution: int | None = None) -> list[Tensor]:
        """ws [B, num_ws or 1, w_dim] -> [B, channels] for each of `style_layers`, then those of layers that only this
        size has.
        """
        ...

    def from_styles(self, styles: Sequence[Tensor], *, resolution: int | None = None) -> Tensor:
        """What `styles` gives for the same size -> images. One that `DrawsWindows` takes a `window` too."""
        ...


@runtime_checkable
class DrawsBeyond(Protocol):
    """A generator that can draw more than its picture; others know nothing of what lies outside."""

    def expanded(self, expand: Sequence[int]) -> Generator:
        """The same weights, drawing eighths of the picture more at the left, top, right and bottom, a square."""
        ...


@dataclass(frozen=True, slots=True)
class GeneratorFamily:
    """Generators of one architecture: how one is built, and known in a file."""

    build: Callable[..., Generator]  # one with random weights, from the plain values of its `config`
    # One from a file in a format of the family's own, in eval mode on the CPU; None, where the file is not of it. Asked
    # when the file is neither of `save_generator` nor a StyleGAN2 or 3 checkpoint; not needed otherwise.
    read: Callable[[Path], Generator | None] | None = None


MOBILESTYLEGAN = GeneratorFamily(MobileStyleGAN)
STYLEGAN2 = GeneratorFamily(StyleGAN2)  # its files are read by `stylegan2.checkpoints`, see `weights.load_generator`
STYLEGAN3 = GeneratorFamily(StyleGAN3)  # likewise
GENERATORS: Registry[GeneratorFamily] = registry.GENERATORS  # by architecture


def load_default_generator(device: torch.device | str = "cpu") -> Generator:
    """The generator that comes with stitchedit: FFHQ faces, 1024 px, exits at 256 and 512; float32, in eval mode.

    Raises: NotFetched or HashMismatch, when an installed file is missing or damaged.
    """
    base = packaged_file("mobilestylegan_ffhq_1024.safetensors")
    exits = packaged_file("mobilestylegan_ffhq_1024_exits.safetensors")
    return read_generator(base, exits).to(device)


def read_generator(path: Path, exits: Path | None = None) -> Generator:
    """The generator in a safetensors file that `save_generator` wrote: float32, on the CPU, in eval mode.

    Args:
        exits: a second file with more exits for it, from `scripts/distill_exits.py`.
    Raises: UnknownCheckpoint, when it is no such file, one that does not fit its own description, or one of a family
        that is not known or whose package is broken.
    """
    try:
        metadata, state = read_safetensors(path)
        if metadata.get("format") != FORMAT:
            raise UnknownCheckpoint(path, f"it is no {FORMAT} file")
        config = json.loads(metadata["config"])
        if exits is not None:
            extra, more = read_safetensors(exits)
            config["heads"] |= json.loads(extra["heads"])
            state |= more
        family = GENERATORS[metadata["architecture"]]
        generator = _build(family, config, state)
    except ConfigError as exc:
        raise UnknownCheckpoint(path, str(exc), exc.hint) from exc
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, ArithmeticError, RuntimeError) as exc:
        raise UnknownCheckpoint(path, f"it is damaged, or of a newer stitchedit ({exc})") from exc
    return generator.eval()


def save_generator(generator: Generator, path: Path, *, licence: str, half: bool = False) -> None:
    """Writes weights and description into one safetensors file, in place of an older one only when complete.

    Args:
        licence: one line, kept in the file's header.
        half: float16 in place of float32: half the size.
    """
    dtype = torch.float16 if half else torch.float32
    state = {key: value.detach().to("cpu", dtype) for key, value in generator.state_dict().items()}
    metadata = {
        "format": FORMAT,
        "architecture": generator.architecture,
        "made_for": generator.made_for,
        "config": json.dumps(generator.config),
        "licence": licence,
    }
    save_tensors(path, state, metadata)


def _build(family: GeneratorFamily, config: Mapping[str, object], state: Mapping[str, Tensor]) -> Generator:
    """The network with these tensors, made only when they are those that it describes: it may describe any size."""
    layers = config.get("mapping_layers", 0) if isinstance(config, dict) else None
    if not isinstance(layers, int) or layers > len(state):
        raise ValueError("it describes layers that it does not hold")
    build = partial(family.build, **config)
    with torch.device("meta"):  # takes no memory
        described = {name: tensor.shape for name, tensor in build().state_dict().items()}
    if described != {name: tensor.shape for name, tensor in state.items()}:
        raise ValueError("its tensors are not those that it describes")
    generator = build()
    generator.load_state_dict(state)
    return generator


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Header texts and float32 tensors of a file. Raises OSError or SafetensorError, when it is none."""
    with utf8_path(path) as name, safe_open(name, framework="pt") as file:
        return file.metadata() or {}, {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
