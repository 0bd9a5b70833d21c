"""Styles and noise to a picture: StyleGAN2's synthesis network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stitchedit.cuda_ops import setup_filter, upsample2d
from stitchedit.stylegan2.layers import SkipConv, SynthesisLayer, ToRGB

ARCHITECTURES = ("skip", "resnet", "orig")
NOISE_MODES = ("const", "random", "none")


class BlockOutput(NamedTuple):
    """What a block of the synthesis gives."""

    resolution: int
    x: Tensor  # [B, C, r, r] features
    image: Tensor | None  # [B, 3, r, r] the picture so far; None before the last block without skip connections


class SynthesisBlock(nn.Module):
    """One resolution: two convolutions (one at 4 px, from the constant) and, where it has one, the way to RGB."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        img_channels: int,
        *,
        is_last: bool,
        architecture: str,
        resample_filter: Sequence[float],
        conv_clamp: float | None,
        activation: str,
        use_noise: bool,
        use_fp16: bool,
    ) -> None:
        super().__init__()
        self.resolution, self.architecture, self.use_fp16 = resolution, architecture, use_fp16
        self.register_buffer("resample_filter", setup_filter(resample_filter))

        def layer(channels: int, up: int) -> SynthesisLayer:
            return SynthesisLayer(
                channels,
                out_channels,
                w_dim,
                resolution,
                up=up,
                activation=activation,
                resample_filter=resample_filter,
                conv_clamp=conv_clamp,
                use_noise=use_noise,
            )

        self.conv0 = layer(in_channels, 2) if in_channels else None
        if not in_channels:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution))
        self.conv1 = layer(out_channels, 1)
        has_rgb = is_last or architecture == "skip"
        self.torgb = ToRGB(out_channels, img_channels, w_dim, conv_clamp=conv_clamp) if has_rgb else None
        has_skip = bool(in_channels) and architecture == "resnet"
        self.skip = SkipConv(in_channels, out_channels, resample_filter=resample_filter) if has_skip else None

    @property
    def convs(self) -> list[SynthesisLayer]:
        """The convolutions with noise, in the order of execution."""
        return [self.conv1] if self.conv0 is None else [self.conv0, self.conv1]

    @property
    def styled(self) -> list[SynthesisLayer | ToRGB]:
        """Everything that takes a style, in the order of execution."""
        return [*self.convs, *([] if self.torgb is None else [self.torgb])]

    def forward(
        self,
        x: Tensor | None,
        image: Tensor | None,
        styles: Sequence[Tensor],
        noise: Sequence[Tensor | None],
        *,
        half: bool,
        fused: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """Features and picture of the block below (None at 4 px) -> those of this one."""
        if x is None:
            x = self.const.expand(styles[0].shape[0], -1, -1, -1)
        x = x.to(torch.float16 if half else torch.float32)
        if self.skip is not None:
            gain = math.sqrt(0.5)
            beside = self.skip(x, gain=gain)
        else:
            gain, beside = 1.0, None
        if self.conv0 is not None:
            x = self.conv0(x, styles[0], noise[0], fused=fused)
        x = self.conv1(x, styles[len(self.convs) - 1], noise[-1], gain=gain, fused=fused)
        if beside is not None:
            x = beside + x
        if image is not None:
            image = upsample2d(image, self.resample_filter)
        if self.torgb is not None:
            rgb = self.torgb(x, styles[-1]).float()
            image = rgb if image is None else image + rgb
        return x, image


class SynthesisNetwork(nn.Module):
    """Styles and noise to a picture.

    Attributes:
        num_ws: rows of W+.
        block_resolutions: 4, 8, ... img_resolution.
    """

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        *,
        channel_base: int = 32768,
        channel_max: int = 512,
        channels: Mapping[int, int] | None = None,
        architecture: str = "skip",
        resample_filter: Sequence[float] = (1, 3, 3, 1),
        conv_clamp: float | None = None,
        num_fp16_res: int = 0,
        activation: str = "lrelu",
        use_noise: bool = True,
    ) -> None:
        super().__init__()
        if img_resolution < 4 or img_resolution & (img_resolution - 1):
            raise ValueError(f"the resolution must be a power of two from 4 on, not {img_resolution}")
        if architecture not in ARCHITECTURES:
            raise ValueError(f"unknown architecture {architecture!r}, known are {', '.join(ARCHITECTURES)}")
        self.w_dim, self.img_resolution, self.img_channels = w_dim, img_resolution, img_channels
        self.architecture = architecture
        self.block_resolutions = tuple(2**i for i in range(2, img_resolution.bit_length()))
        width = {r: min(channel_base // r, channel_max) for r in self.block_resolutions} | dict(channels or {})
        first_half = max(2 * img_resolution >> num_fp16_res, 8)  # NVIDIA: the num_fp16_res highest resolutions
        below = 0
        for r in self.block_resolutions:
            block = SynthesisBlock(
                below,
                width[r],
                w_dim,
                r,
                img_channels,
                is_last=r == img_resolution,
                architecture=architecture,
                resample_filter=resample_filter,
                conv_clamp=conv_clamp,
                activation=activation,
                use_noise=use_noise,
                use_fp16=num_fp16_res > 0 and r >= first_half,
            )
            self.add_module(f"b{r}", block)
            below = width[r]
        self.num_ws = 2 * len(self.block_resolutions)

    def block(self, resolution: int) -> SynthesisBlock:
        """The block of this resolution. Raises ValueError where there is none."""
        if resolution not in self.block_resolutions:
            raise ValueError(f"there is no block of {resolution} px, known are {self.block_resolutions}")
        block = self.get_submodule(f"b{resolution}")
        assert isinstance(block, SynthesisBlock)
        return block

    def forward(
        self,
        ws: Tensor,
        *,
        noise_mode: str = "const",
        resolution: int | None = None,
        noise: Sequence[Tensor] | None = None,
        rng: torch.Generator | None = None,
        force_fp32: bool | None = None,
        fused: bool | None = None,
    ) -> Tensor:
        """ws -> RGB [B, 3, R, R], float32. `from_styles` says what the other arguments mean.

        Args:
            ws: [B, num_ws, w_dim], or [B, 1, w_dim] for the same w in every layer.
        """
        return self.from_styles(
            self.styles(ws, resolution=resolution),
            noise_mode=noise_mode,
            resolution=resolution,
            noise=noise,
            rng=rng,
            force_fp32=force_fp32,
            fused=fused,
        )

    def styles(self, ws: Tensor, *, resolution: int | None = None) -> list[Tensor]:
        """ws [B, num_ws or 1, w_dim] -> StyleSpace: [B, Cin] for each convolution up to resolution.

        Order of execution: b4.conv1, b4.torgb, b8.conv0, b8.conv1, b8.torgb, ... A style of torgb is what its affine
        layer gives, before the division by the root of Cin. Raises: ValueError, when the shape does not fit.
        """
        if ws.ndim != 3 or ws.shape[1] not in (1, self.num_ws) or ws.shape[2] != self.w_dim:
            raise ValueError(f"ws must be [B, {self.num_ws} or 1, {self.w_dim}], not {list(ws.shape)}")
        ws = ws.float().expand(-1, self.num_ws, -1)
        out: list[Tensor] = []
        row = 0
        for r in self._up_to(resolution):
            block = self.block(r)
            out += [layer.affine(ws[:, row + i]) for i, layer in enumerate(block.styled)]
            row += len(block.convs)  # torgb shares its row with the next block's first convolution
        return out

    def style_layers(self, resolution: int | None = None) -> tuple[tuple[str, int], ...]:
        """Name and number of channels of each layer that takes a style, in the order of `styles`."""
        return tuple(
            (f"b{r}.{name}", layer.affine.bias.numel())
            for r in self._up_to(resolution)
            for name in ("conv0", "conv1", "torgb")
            if (layer := getattr(self.block(r), name)) is not None
        )

    def from_styles(
        self,
        styles: Sequence[Tensor],
        *,
        noise_mode: str = "const",
        resolution: int | None = None,
        noise: Sequence[Tensor] | None = None,
        rng: torch.Generator | None = None,
        force_fp32: bool | None = None,
        fused: bool | None = None,
    ) -> Tensor:
        """StyleSpace -> RGB [B, 3, R, R], float32 in about [-1, 1].

        Args:
            styles: as `styles` gives them for the same resolution.
            noise_mode: "const" (the stored noise), "random" (from rng) or "none".
            resolution: a smaller picture of the skip architecture; no block above it is run.
            noise: in place of noise_mode, one [B or 1, 1, r, r] for each 3x3 convolution that is run.
            rng: where random noise comes from, on the device of the styles; None is torch's own.
            force_fp32: False lets the blocks marked so run in float16 on CUDA; by default they do without a graph.
            fused: whether CUDA scales weights (True) or pictures (False); by default weights, but pictures where a
                graph over several samples is kept. The CPU has one form, see `styled_conv`.
        Raises: ValueError for arguments that do not fit.
        """
        image: Tensor | None = None
        for out in self.run_blocks(
            styles,
            noise_mode=noise_mode,
            resolution=resolution,
            noise=noise,
            rng=rng,
            force_fp32=force_fp32,
            fused=fused,
        ):
            image = out.image
        if image is None:
            raise ValueError(f"architecture {self.architecture!r} has a picture at {self.img_resolution} px only")
        return image

    def run_blocks(
        self,
        styles: Sequence[Tensor],
        *,
        noise_mode: str = "const",
        resolution: int | None = None,
        noise: Sequence[Tensor] | None = None,
        rng: torch.Generator | None = None,
        force_fp32: bool | None = None,
        fused: bool | None = None,
    ) -> Iterator[BlockOutput]:
        """What every block gives, from 4 px on; arguments as for `from_styles`."""
        blocks = [self.block(r) for r in self._up_to(resolution)]
        wanted = sum(len(block.styled) for block in blocks)
        if len(styles) != wanted:
            raise ValueError(f"{wanted} styles are needed up to {blocks[-1].resolution} px, not {len(styles)}")
        graph = torch.is_grad_enabled()
        if fused is None:
            fused = not graph or styles[0].shape[0] == 1
        if force_fp32 is None:
            force_fp32 = graph
        noises = self._noises(blocks, styles[0], noise_mode, noise, rng)
        x: Tensor | None = None
        image: Tensor | None = None
        for block in blocks:
            own, styles = styles[: len(block.styled)], styles[len(block.styled) :]
            own_noise, noises = noises[: len(block.convs)], noises[len(block.convs) :]
            half = block.use_fp16 and not force_fp32 and own[0].is_cuda
            x, image = block(x, image, own, own_noise, half=half, fused=fused)
            assert x is not None
            yield BlockOutput(block.resolution, x, image)

    def _up_to(self, resolution: int | None) -> list[int]:
        if resolution is None:
            return list(self.block_resolutions)
        if resolution not in self.block_resolutions:
            raise ValueError(f"resolution must be one of {self.block_resolutions}, not {resolution}")
        return [r for r in self.block_resolutions if r <= resolution]

    def _noises(
        self,
        blocks: Sequence[SynthesisBlock],
        like: Tensor,
        noise_mode: str,
        given: Sequence[Tensor] | None,
        rng: torch.Generator | None,
    ) -> list[Tensor | None]:
        layers = [layer for block in blocks for layer in block.convs]
        if given is not None:
            shapes = [tuple(n.shape) for n in given]
            fit = [{(1, 1, k.resolution, k.resolution), (like.shape[0], 1, k.resolution, k.resolution)} for k in layers]
            if len(shapes) != len(fit) or any(s not in f for s, f in zip(shapes, fit, strict=True)):
                raise ValueError(f"noise must be {len(layers)} tensors [B or 1, 1, r, r], not {shapes}")
            return [n if k.use_noise else None for n, k in zip(given, layers, strict=True)]
        if noise_mode not in NOISE_MODES:
            raise ValueError(f"noise_mode must be one of {', '.join(NOISE_MODES)}, not {noise_mode!r}")
        if noise_mode == "const":
            return [k.noise_const if k.use_noise else None for k in layers]
        if noise_mode == "none":
            return [None] * len(layers)
        return [
            torch.randn(like.shape[0], 1, k.resolution, k.resolution, device=like.device, generator=rng)
            if k.use_noise
            else None
            for k in layers
        ]
