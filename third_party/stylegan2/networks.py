"""StyleGAN2's generator: z -> w -> styles -> picture. Tensors in, tensors out.

    mapping         z [B, z_dim] -> ws [B, num_ws, w_dim]: `stylegan3/mapping.py`, which is the same network
    synthesis.py    ws -> styles, one tensor [B, Cin] a convolution (StyleSpace: 26 tensors, 9,088 numbers at 1024 px);
                    styles and noise -> blocks b4, b8, ... -> RGB in about [-1, 1]
    layers.py       what blocks are made of; conv.py has their convolutions in the plain form
    styled_conv.py  the same layer on the CPU, where it is tuned; winograd.py its 3x3 convolution

Names in the state dict are those of NVIDIA's G_ema, so that files map by name.
Source: Karras et al. 2020, arXiv:1912.04958; constants as in NVIDIA stylegan2-ada-pytorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from stitchedit.stylegan2.synthesis import SynthesisNetwork
from stitchedit.stylegan3.mapping import MappingNetwork

_SMALLEST_EXIT = 64


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

    def layer_px(self, name: str) -> int:
        """Pixels at which the layer of a parameter works, by the parameter's name; 0 in the mapping network."""
        return 0 if name.startswith("mapping") else int(name.split(".")[1].removeprefix("b"))

    def style_layers(self, resolution: int | None = None) -> tuple[tuple[str, int], ...]:
        """Name and channels of each layer with a style, in the order of execution: 26 at 1024 px.

        Those of a smaller picture are the first of them; the names are NVIDIA's, such as "b4.conv1" and "b4.torgb".
        """
        return self.synthesis.style_layers(resolution)

    def styles(self, ws: Tensor, *, resolution: int | None = None) -> list[Tensor]:
        """ws [B, num_ws or 1, w_dim] -> StyleSpace: [B, channels] for each of `style_layers`."""
        return self.synthesis.styles(ws, resolution=resolution)

    def from_styles(
        self, styles: Sequence[Tensor], *, noise_mode: str = "const", resolution: int | None = None
    ) -> Tensor:
        """What `styles` gives for the same size -> RGB [B, 3, R, R]."""
        return self.synthesis.from_styles(styles, noise_mode=noise_mode, resolution=resolution)

    def forward(
        self, z: Tensor, c: Tensor | None = None, *, truncation_psi: float = 1.0, noise_mode: str = "const"
    ) -> Tensor:
        """z [B, z_dim] -> RGB [B, 3, R, R]."""
        ws: Tensor = self.mapping(z, c, truncation_psi=truncation_psi)
        image: Tensor = self.synthesis(ws, noise_mode=noise_mode)
        return image
