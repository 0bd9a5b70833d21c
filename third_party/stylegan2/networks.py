"""StyleGAN2's generator: z -> w -> styles -> picture. Tensors in, tensors out.

    mapping:    z [B, z_dim] -> ws [B, num_ws, w_dim]
    styles:     ws -> one tensor [B, Cin] a convolution (StyleSpace: 26 tensors, 9,088 numbers at 1024 px)
    synthesis:  styles and noise -> blocks b4, b8, ... -> RGB in about [-1, 1]

Names in the state dict are those of NVIDIA's G_ema, so that files map by name.
Source: Karras et al. 2020, arXiv:1912.04958; constants as in NVIDIA stylegan2-ada-pytorch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stitchedit.cuda_ops import setup_filter, upsample2d
from stitchedit.stylegan2.layers import FullyConnected, SkipConv, SynthesisLayer, ToRGB

ARCHITECTURES = ("skip", "resnet", "orig")
NOISE_MODES = ("const", "random", "none")

_SMALLEST_EXIT = 64


class MappingNetwork(nn.Module):
    """z, and a label where the network has labels, to w.

    Attributes:
        w_avg: [w_dim], mean of mapped samples; where truncation pulls to.
    """

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int,
        *,
        num_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        activation: str = "lrelu",
        lr_multiplier: float = 0.01,
        w_avg_beta: float = 0.995,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.num_ws, self.num_layers = z_dim, c_dim, num_ws, num_layers
        self.w_avg_beta = w_avg_beta
        embedded = (w_dim if embed_features is None else embed_features) if c_dim else 0
        hidden = w_dim if layer_features is None else layer_features
        widths = [z_dim + embedded, *[hidden] * (num_layers - 1), w_dim]
        if c_dim:
            self.embed = FullyConnected(c_dim, embedded)
        for i in range(num_layers):
            layer = FullyConnected(widths[i], widths[i + 1], activation=activation, lr_multiplier=lr_multiplier)
            self.add_module(f"fc{i}", layer)
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        update_w_avg: bool = False,
    ) -> Tensor:
        """z [B, z_dim] (and c [B, c_dim]) -> ws [B, num_ws, w_dim].

        Args:
            truncation_psi: 1 keeps w, 0 gives w_avg, in the first truncation_cutoff rows (all where None).
            update_w_avg: move w_avg toward this batch's mean, as training from scratch does.
        Raises: ValueError, when the label is missing or the shapes do not fit.
        """
        if z.ndim != 2 or z.shape[1] != self.z_dim:
            raise ValueError(f"z must be [B, {self.z_dim}], not {list(z.shape)}")
        x = _unit_variance(z.float())
        if self.c_dim:
            if c is None or c.shape != (z.shape[0], self.c_dim):
                raise ValueError(f"this network needs labels c of shape [{z.shape[0]}, {self.c_dim}]")
            x = torch.cat([x, _unit_variance(self.embed(c.float()))], dim=1)
        for i in range(self.num_layers):
            x = self.get_submodule(f"fc{i}")(x)
        if update_w_avg:
            self.w_avg.copy_(x.detach().mean(0).lerp(self.w_avg, self.w_avg_beta))
        ws = x[:, None].expand(-1, self.num_ws, -1)
        if truncation_psi == 1:
            return ws.contiguous()
        cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
        return torch.cat([self.w_avg.lerp(ws[:, :cutoff], truncation_psi), ws[:, cutoff:]], dim=1)


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


class StyleGAN2(nn.Module):
    """The generator, as the rest of stitchedit uses generators.

    Attributes:
        made_for: what edit directions name; set by who loads the weights.
        exits: sizes at which `synthesis` can stop; the last is `resolution`.
    """

    architecture = "stylegan2"

    def __init__(
        self,
        *,
        made_for: str = "",
        z_dim: int = 512,
        c_dim: int = 0,
        w_dim: int = 512,
        img_resolution: int = 1024,
        img_channels: int = 3,
        mapping_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        mapping_activation: str = "lrelu",
        lr_multiplier: float = 0.01,
        w_avg_beta: float = 0.995,
        channel_base: int = 32768,
        channel_max: int = 512,
        channels: Mapping[int, int] | Mapping[str, int] | None = None,
        architecture: str = "skip",
        resample_filter: Sequence[float] = (1, 3, 3, 1),
        conv_clamp: float | None = None,
        num_fp16_res: int = 0,
        activation: str = "lrelu",
        use_noise: bool = True,
    ) -> None:
        """The names are NVIDIA's, but for mapping_layers and mapping_activation (there num_layers and activation of the
        mapping's arguments) and channels: widths by resolution, where they are not min(channel_base / resolution,
        channel_max).
        """
        super().__init__()
        self._config: dict[str, object] = {
            "z_dim": z_dim,
            "c_dim": c_dim,
            "w_dim": w_dim,
            "img_resolution": img_resolution,
            "img_channels": img_channels,
            "mapping_layers": mapping_layers,
            "embed_features": embed_features,
            "layer_features": layer_features,
            "mapping_activation": mapping_activation,
            "lr_multiplier": lr_multiplier,
            "w_avg_beta": w_avg_beta,
            "channel_base": channel_base,
            "channel_max": channel_max,
            "channels": {str(r): width for r, width in (channels or {}).items()},
            "architecture": architecture,
            "resample_filter": list(resample_filter),
            "conv_clamp": conv_clamp,
            "num_fp16_res": num_fp16_res,
            "activation": activation,
            "use_noise": use_noise,
        }
        self.made_for = made_for
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.synthesis = SynthesisNetwork(
            w_dim,
            img_resolution,
            img_channels,
            channel_base=channel_base,
            channel_max=channel_max,
            channels={int(r): width for r, width in (channels or {}).items()},
            architecture=architecture,
            resample_filter=resample_filter,
            conv_clamp=conv_clamp,
            num_fp16_res=num_fp16_res,
            activation=activation,
            use_noise=use_noise,
        )
        self.resolution = img_resolution
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(
            z_dim,
            c_dim,
            w_dim,
            self.num_ws,
            num_layers=mapping_layers,
            embed_features=embed_features,
            layer_features=layer_features,
            activation=mapping_activation,
            lr_multiplier=lr_multiplier,
            w_avg_beta=w_avg_beta,
        )
        exits = [r for r in self.synthesis.block_resolutions if r >= _SMALLEST_EXIT]
        early = architecture == "skip"
        self.exits: tuple[int, ...] = tuple(exits) if early and exits else (img_resolution,)

    @property
    def w_avg(self) -> Tensor:
        """[w_dim], mean of mapped samples."""
        return self.mapping.w_avg

    @w_avg.setter
    def w_avg(self, value: Tensor) -> None:
        self.mapping.w_avg = value

    @property
    def config(self) -> dict[str, object]:
        """Plain values (JSON) that build an equal network again: `StyleGAN2(**config)`."""
        return {"made_for": self.made_for, **self._config}

    def forward(
        self, z: Tensor, c: Tensor | None = None, *, truncation_psi: float = 1.0, noise_mode: str = "const"
    ) -> Tensor:
        """z [B, z_dim] -> RGB [B, 3, R, R]."""
        ws: Tensor = self.mapping(z, c, truncation_psi=truncation_psi)
        image: Tensor = self.synthesis(ws, noise_mode=noise_mode)
        return image


def _unit_variance(x: Tensor) -> Tensor:
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
