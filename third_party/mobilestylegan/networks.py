"""MobileStyleGAN: StyleGAN2's mapping network and a light synthesis network distilled from StyleGAN2.

Convention: images are RGB in about [-1, 1], channels first; z and w have `z_dim` and `w_dim` numbers; W+ has one row
for each pair of layers that share a style (`num_ws` rows: 16 at 1024 px).

Sources: the layout was read from the OpenVINO files of the package `random-face` 2021.7.21.1 (Apache-2.0);
Belousov 2021, "MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image Synthesis",
arXiv:2104.04767. The code is written anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from stitchedit.mobilestylegan.layers import (
    SLOPE,
    BlockExit,
    Region,
    SeparableConv,
    StyledConv,
    StyledHead,
    WaveletUp,
    cut,
    drawn_weights,
)

FFHQ_CHANNELS = (512, 512, 512, 512, 512, 256, 128, 64)  # at 4, 8, 16 .. 512 px
FFHQ_HEADS: dict[int | str, str] = {256: "narrow", 512: "deep", 1024: "styled"}
Layer = StyledConv | SeparableConv | WaveletUp | StyledHead  # has an `affine`, which makes its style of a row of ws
# Widths of an exit's convolutions, by those of the block that it stands for.
WIDTHS = {"narrow": (0.5, 0.5), "deep": (0.875, 0.875, 0.875)}


class MappingNetwork(nn.Module):
    """z [B, z_dim] -> w [B, w_dim]. z is normalised to unit mean square first."""

    def __init__(self, z_dim: int, w_dim: int, layers: int) -> None:
        super().__init__()
        dims = [z_dim] + [w_dim] * layers
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(dims))

    def forward(self, z: Tensor) -> Tensor:
        x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE) * 2**0.5
        return x


class SynthesisBlock(nn.Module):
    """[B, S, S, C] -> [B, 2 * S, 2 * S, O]: the wavelet, then two separable convolutions."""

    def __init__(self, w_dim: int, channels: int, out_channels: int, size: int) -> None:
        super().__init__()
        self.up = WaveletUp(w_dim, channels)
        self.conv1 = SeparableConv(w_dim, channels // 4, out_channels, size)
        self.conv2 = SeparableConv(w_dim, out_channels, out_channels, size)

    def forward(self, x: Tensor, styles: Sequence[Tensor], use_noise: bool, here: Region | None = None) -> Tensor:
        """`styles`: of up, conv1 and conv2; `here`: the region at S that the wavelet's output is of; None: all."""
        x = self.conv1(self.up(x, styles[0]), styles[1], use_noise, here)
        out: Tensor = self.conv2(x, styles[2], use_noise, here)
        return out


class SynthesisNetwork(nn.Module):
    """W+ rows -> image. Block b works at 8 * 2**b px; a head turns the features of size S into an image of 2 * S.

    Args:
        channels: features at 4, 8, 16 .. px, each divisible by 4; the full image has 2 * 4 * 2**(len - 1) px.
        heads: by size of the image that it gives, the kind of head: "styled" on the features of a block; or one of
            `WIDTHS`, convolutions in place of the last block: "narrow", two of half its channels, or "deep", three of
            seven eighths.
    """

    def __init__(self, w_dim: int, channels: Sequence[int], heads: Mapping[int, str]) -> None:
        super().__init__()
        self.const = nn.Parameter(drawn_weights(1, channels[0], 4, 4))
        self.first = StyledConv(w_dim, channels[0], channels[0], 4)
        self.blocks = nn.ModuleList(
            SynthesisBlock(w_dim, a, b, 8 << index) for index, (a, b) in enumerate(pairwise(channels))
        )
        self.heads = nn.ModuleDict()
        for size, kind in sorted(heads.items()):
            at = (size // 8).bit_length() - 1  # the head's features are number `at` of `channels`
            if kind == "styled":
                self.heads[str(size)] = StyledHead(w_dim, channels[at])
            else:
                widths = [round(part * channels[at]) for part in WIDTHS[kind]]
                self.heads[str(size)] = BlockExit(w_dim, channels[at - 1], widths, size // 2)

    def style_layers(self, resolution: int) -> list[tuple[str, Layer]]:
        """What takes a style on the way to an image of this size, with its name, in the order of execution.

        The layers of a `BlockExit` are left out: of those of the full size none are like them.
        """
        head = self.heads[str(resolution)]
        cut_short = isinstance(head, BlockExit)
        layers: list[tuple[str, Layer]] = [("first", self.first)]
        for number in range(_blocks_to(resolution // (4 if cut_short else 2))):
            block = self.blocks[number]
            assert isinstance(block, SynthesisBlock)
            layers += [(f"blocks.{number}.{name}", getattr(block, name)) for name in ("up", "conv1", "conv2")]
        if cut_short:
            number = _blocks_to(resolution // 4)
            return [*layers, (f"blocks.{number}.up", self.blocks[number].up)]  # type: ignore[list-item]
        return [*layers, (f"heads.{resolution}", head)]  # type: ignore[list-item]

    def styles(self, ws: Tensor, resolution: int) -> list[Tensor]:
        """ws [B, num_ws, w_dim] -> [B, channels] for each of `style_layers`, then for those of a `BlockExit`."""
        layers = self.style_layers(resolution)
        rows = [0, *(1 + (place // 3) * 2 + (place % 3 == 2) for place in range(len(layers) - 1))]
        out: list[Tensor] = [layer.affine(ws[:, row]) for (_, layer), row in zip(layers, rows, strict=True)]
        head = self.heads[str(resolution)]
        if isinstance(head, BlockExit):
            out += head.styles(ws[:, rows[-1] : rows[-1] + len(head.convs) + 1].unbind(1))
        return out

    def forward(
        self, styles: Sequence[Tensor], resolution: int, use_noise: bool = True, window: Region | None = None
    ) -> Tensor:
        """What `styles` gives for this size -> image [B, 3, R, R], or a window of it, its numbers even."""
        image: Tensor
        head = self.heads[str(resolution)]
        wanted = None if window is None else window.halved()
        if isinstance(head, BlockExit):
            here = None if wanted is None else wanted.grown(len(head.convs), resolution // 2)
            x, used = self.to_exit(styles, resolution, use_noise, here)
            image = head(x, styles[used:], use_noise, here, wanted)
        else:
            x, used = self.features(styles, resolution // 2, use_noise, wanted)
            image = head(x, styles[used])
        return image

    def features(
        self, styles: Sequence[Tensor], size: int, use_noise: bool = True, wanted: Region | None = None
    ) -> tuple[Tensor, int]:
        """The features of `size` pixels [B, size, size, C], or a region of them, and how many styles they took."""
        x = self.first(self.const.expand(len(styles[0]), -1, -1, -1).permute(0, 2, 3, 1), styles[0], use_noise)
        steps: list[tuple[int, Region | None, Region | None]] = []  # a block, what it works on, what is wanted of it
        for number in reversed(range(_blocks_to(size))):
            here = None if wanted is None else wanted.grown(2, 8 << number)  # it has two convolutions
            steps.append((number, here, wanted))
            wanted = None if here is None else here.halved()
        x, used = cut(x, Region(0, 0, 4, 4), wanted), 1
        for number, here, wanted in reversed(steps):
            x = cut(self.blocks[number](x, styles[used : used + 3], use_noise, here), here, wanted)
            used += 3
        return x, used

    def to_exit(
        self, styles: Sequence[Tensor], resolution: int, use_noise: bool = True, wanted: Region | None = None
    ) -> tuple[Tensor, int]:
        """What a `BlockExit` takes: the wavelet's output in the block of half the size; and how many styles it took.

        `wanted`: of that output, at half the size, its numbers even; None: all.
        """
        x, used = self.features(styles, resolution // 4, use_noise, None if wanted is None else wanted.halved())
        block = self.blocks[_blocks_to(resolution // 4)]
        assert isinstance(block, SynthesisBlock)
        return block.up(x, styles[used]), used + 1


def _blocks_to(size: int) -> int:
    """How many blocks there are up to features of `size` pixels."""
    return (size // 8).bit_length()


class MobileStyleGAN(nn.Module):
    """A face generator that satisfies `stitchedit.models.generator.Generator`. Weights are random until loaded.

    Args:
        made_for: what edit directions name in `made_for`.
        z_dim, w_dim, mapping_layers: sizes of the mapping network.
        channels: features of the synthesis network at 4, 8, 16 .. px, each divisible by 4.
        heads: {image size: "styled", "narrow" or "deep"}, sizes as numbers or text; the largest, a styled one, is the
            full size, 8 * 2**(len(channels) - 1).
    Raises: ValueError, when heads and channels do not fit.
    """

    architecture = "mobilestylegan"
    w_avg: Tensor

    def __init__(
        self,
        made_for: str = "ffhq-1024",
        z_dim: int = 512,
        w_dim: int = 512,
        mapping_layers: int = 8,
        channels: Sequence[int] = FFHQ_CHANNELS,
        heads: Mapping[int | str, str] = FFHQ_HEADS,
    ) -> None:
        super().__init__()
        self.made_for = made_for
        self.precision = torch.float32  # in which `synthesis` works, whatever the weights have
        self.z_dim, self.w_dim = z_dim, w_dim
        self.channels = tuple(channels)
        self.head_kinds = {size: heads[key] for size, key in sorted((int(key), key) for key in heads)}
        self.exits = tuple(self.head_kinds)
        self.resolution = 4 << len(self.channels)
        self.num_ws = 2 * len(self.channels)
        sizes = {8 << index for index in range(len(self.channels))}
        fits = set(self.exits) <= sizes and self.head_kinds.get(8, "styled") == "styled"
        if not fits or self.head_kinds.get(self.resolution) != "styled":
            raise ValueError(f"heads {self.exits} do not fit channels {self.channels}")
        if unknown := set(self.head_kinds.values()) - {"styled", *WIDTHS}:
            raise ValueError(f"unknown kinds of heads {sorted(unknown)}")
        self.mapping_network = MappingNetwork(z_dim, w_dim, mapping_layers)
        self.synthesis_network = SynthesisNetwork(w_dim, self.channels, self.head_kinds)
        self.register_buffer("w_avg", torch.zeros(w_dim))

    @property
    def config(self) -> dict[str, object]:
        """Plain values that build an equal network again: `MobileStyleGAN(**config)`."""
        return {
            "made_for": self.made_for,
            "z_dim": self.z_dim,
            "w_dim": self.w_dim,
            "mapping_layers": len(self.mapping_network.layers),
            "channels": list(self.channels),
            "heads": {str(size): kind for size, kind in self.head_kinds.items()},
        }

    def layer_px(self, name: str) -> int:
        """Pixels at which the layer of a parameter works, by the parameter's name; 0 in the mapping network."""
        part, _, rest = name.removeprefix("synthesis_network.").partition(".")
        if name.startswith("mapping"):
            return 0
        if part in ("const", "first"):
            return 4
        number = int(rest.partition(".")[0])
        return 8 << number if part == "blocks" else number

    def mapping(self, z: Tensor, *, truncation_psi: float = 1.0, truncation_cutoff: int | None = None) -> Tensor:
        """z [B, z_dim] -> ws [B, num_ws, w_dim].

        Truncation pulls the first `truncation_cutoff` rows (default all) toward `w_avg`: w_avg + psi * (w - w_avg).
        """
        w: Tensor = self.mapping_network(z)
        ws = w[:, None].expand(-1, self.num_ws, -1)
        if truncation_psi == 1:
            return ws
        ws = ws.clone()
        ws[:, :truncation_cutoff] = torch.lerp(self.w_avg, ws[:, :truncation_cutoff], truncation_psi)
        return ws

    def synthesis(self, ws: Tensor, *, noise_mode: str = "const", resolution: int | None = None) -> Tensor:
        """ws [B, num_ws or 1, w_dim] -> images [B, 3, R, R], R = `resolution` (one of `exits`, default the full one).

        noise_mode: "const" adds the stored noise constants, "none" leaves them out.
        Raises: ValueError, for another shape, noise mode or resolution.
        """
        return self.from_styles(self.styles(ws, resolution=resolution), noise_mode=noise_mode, resolution=resolution)

    def synthesis_window(
        self, ws: Tensor, window: tuple[int, int, int, int], *, resolution: int | None = None
    ) -> Tensor:
        """A part of what `synthesis` draws, [B, 3, h, w], for about its share of the work.

        Args:
            window: top, left, bottom and right edge in pixels of the image, all even; the last two lie beyond it.
        """
        return self.from_styles(self.styles(ws, resolution=resolution), resolution=resolution, window=window)

    def style_layers(self, resolution: int | None = None) -> tuple[tuple[str, int], ...]:
        """Name and channels of each layer with a style, in the order of execution: 23 at 1024 px.

        Those of a smaller image are the first of them.
        """
        layers = self.synthesis_network.style_layers(self._size(resolution))
        return tuple((name, len(layer.affine.bias)) for name, layer in layers)

    def styles(self, ws: Tensor, *, resolution: int | None = None) -> list[Tensor]:
        """ws [B, num_ws or 1, w_dim] -> StyleSpace: [B, channels] for each of `style_layers`.

        Of an exit with layers of its own, theirs follow. Raises: ValueError, for another shape or resolution.
        """
        if ws.ndim != 3 or ws.shape[1] not in (1, self.num_ws) or ws.shape[2] != self.w_dim:
            raise ValueError(f"ws must be [B, 1 or {self.num_ws}, {self.w_dim}], not {list(ws.shape)}")
        return self.synthesis_network.styles(ws.expand(-1, self.num_ws, -1), self._size(resolution))

    def from_styles(
        self,
        styles: Sequence[Tensor],
        *,
        noise_mode: str = "const",
        resolution: int | None = None,
        window: tuple[int, int, int, int] | None = None,
    ) -> Tensor:
        """What `styles` gives for the same size -> images; a window of them as `synthesis_window` has it."""
        if noise_mode not in ("const", "none"):
            raise ValueError(f"noise_mode must be 'const' or 'none', not {noise_mode!r}")
        size, region = self._size(resolution), None if window is None else Region(*window)
        if region is not None and (any(e % 2 for e in region) or not _within(region, size)):
            raise ValueError(f"a window must have even edges within {size} px, not {tuple(region)}")
        given = size, noise_mode == "const", region
        if self.precision == torch.float32:
            image: Tensor = self.synthesis_network(styles, *given)
            return image
        network, kind = self.synthesis_network, self.precision
        lower = {name: each.to(kind) for name, each in [*network.named_parameters(), *network.named_buffers()]}
        coarse: Tensor = functional_call(network, lower, ([style.to(kind) for style in styles], *given))
        return coarse.float()

    def _size(self, resolution: int | None) -> int:
        size = self.resolution if resolution is None else resolution
        if size not in self.exits:
            raise ValueError(f"resolution must be one of {self.exits}, not {size}")
        return size


def _within(window: Region, size: int) -> bool:
    return 0 <= window.top < window.bottom <= size and 0 <= window.left < window.right <= size
