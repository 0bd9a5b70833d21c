"""StyleGAN3's generator: z -> w -> styles -> picture. Tensors in, tensors out.

    mapping.py      z [B, z_dim] -> ws [B, num_ws, w_dim]
    synthesis.py    ws -> styles: the input's pose, then one tensor [B, Cin] a layer -> RGB in about [-1, 1]
    layers.py       the input's waves, and the layers
    schedule.py     what each layer may draw, and its filters

Names in the state dict are those of NVIDIA's G_ema, so that files map by name.
Source: Karras et al. 2021, arXiv:2106.12423; constants as in NVIDIA stylegan3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stitchedit.stylegan3.mapping import MappingNetwork
from stitchedit.stylegan3.schedule import MOST_EXTRA, Schedule
from stitchedit.stylegan3.synthesis import SynthesisNetwork

# What sets the published configurations apart. R was trained with twice the widths.
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "T": {"conv_kernel": 3, "use_radial_filters": False, "channel_base": 32768, "channel_max": 512},
    "R": {"conv_kernel": 1, "use_radial_filters": True, "channel_base": 65536, "channel_max": 1024},
}


class StyleGAN3(nn.Module):
    """The generator, as the rest of stitchedit uses generators. It draws at one size only and has no noise.

    Attributes:
        made_for: what edit directions name; set by who loads the weights.
        exits: the one size that it draws.
    """

    architecture = "stylegan3"

    def __init__(
        self,
        *,
        made_for: str = "",
        z_dim: int = 512,
        c_dim: int = 0,
        w_dim: int = 512,
        img_resolution: int = 1024,
        mapping_layers: int = 2,
        w_avg_beta: float = 0.998,
        conv_kernel: int = 3,
        use_radial_filters: bool = False,
        num_fp16_res: int = 4,
        output_scale: float = 0.25,
        channels: Sequence[int] = (),
        expand: Sequence[int] = (0, 0, 0, 0),
        **schedule: Any,
    ) -> None:
        """The names are NVIDIA's, but for mapping_layers (there num_layers of the mapping's arguments) and channels:
        widths of all layers but the last, where they do not follow from channel_base and channel_max. `schedule`: the
        other fields of `Schedule`. `expand`: see `expanded`. Raises: ValueError, for layers that cannot be; TypeError,
        for unknown arguments.
        """
        super().__init__()
        self._config: dict[str, Any] = {
            "z_dim": z_dim,
            "c_dim": c_dim,
            "w_dim": w_dim,
            "img_resolution": img_resolution,
            "mapping_layers": mapping_layers,
            "w_avg_beta": w_avg_beta,
            "conv_kernel": conv_kernel,
            "use_radial_filters": use_radial_filters,
            "num_fp16_res": num_fp16_res,
            "output_scale": output_scale,
            "channels": list(channels),
            "expand": list(expand),
            **schedule,
        }
        left, top, right, bottom = expand
        if min(expand) < 0 or max(expand) > MOST_EXTRA or left + right != top + bottom:
            raise ValueError(f"what is drawn beyond the picture must be square and 0 to {MOST_EXTRA} eighths: {expand}")
        self.made_for = made_for
        self.conv_kernel, self.use_radial_filters = conv_kernel, use_radial_filters
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.synthesis = SynthesisNetwork(
            w_dim,
            Schedule(img_resolution, channels=tuple(channels), extra=left + right, **schedule),
            conv_kernel=conv_kernel,
            use_radial_filters=use_radial_filters,
            num_fp16_res=num_fp16_res,
            output_scale=output_scale,
            offset=((right - left) / 16, (bottom - top) / 16),
        )
        self.resolution = self.synthesis.img_resolution
        self.exits: tuple[int, ...] = (self.resolution,)
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(
            z_dim, c_dim, w_dim, self.num_ws, num_layers=mapping_layers, w_avg_beta=w_avg_beta
        )

    @property
    def w_avg(self) -> Tensor:
        """[w_dim], mean of mapped samples."""
        return self.mapping.w_avg

    @w_avg.setter
    def w_avg(self, value: Tensor) -> None:
        self.mapping.w_avg = value

    @property
    def config(self) -> dict[str, Any]:
        """Plain values (JSON) that build an equal network again: `StyleGAN3(**config)`."""
        return {"made_for": self.made_for, **self._config}

    def expanded(self, expand: Sequence[int]) -> StyleGAN3:
        """The same generator, drawing more than its picture: all layers run on a larger canvas.

        The weights are shared. `resolution` and `exits` are those of what is drawn.

        Args: expand: eighths of the picture more at the left, top, right and bottom, 0 to 4; what is drawn is square.
        Raises: ValueError, when it would not be, or is too large.
        """
        with torch.device("meta"):
            larger = StyleGAN3(**self.config | {"expand": list(expand)})
        larger.load_state_dict(self.state_dict(keep_vars=True), assign=True)
        return larger.train(self.training)

    def layer_px(self, name: str) -> int:
        """Pixels at which the layer of a parameter works, by the parameter's name; 0 in the mapping network."""
        if name.startswith("mapping"):
            return 0
        part = name.split(".")[1]
        return self.synthesis.input.signal.rate if part == "input" else self.synthesis.layer(part).out_rate

    def style_layers(self, resolution: int | None = None) -> tuple[tuple[str, int], ...]:
        """Name and channels of each layer with a style, in the order of execution: 16 with the published layers.

        The first is "input", whose style is its pose (cosine, sine, x, y); then NVIDIA's names, such as "L3_52_512".
        """
        names = self.synthesis.layer_names
        return ("input", 4), *((name, self.synthesis.layer(name).weight.shape[1]) for name in names)

    def styles(self, ws: Tensor, *, resolution: int | None = None) -> list[Tensor]:
        """ws [B, num_ws or 1, w_dim] -> StyleSpace: [B, channels] for each of `style_layers`."""
        return self.synthesis.styles(ws)

    def from_styles(self, styles: Sequence[Tensor], *, resolution: int | None = None) -> Tensor:
        """What `styles` gives -> RGB [B, 3, R, R]."""
        return self.synthesis.from_styles(styles)

    def forward(self, z: Tensor, c: Tensor | None = None, *, truncation_psi: float = 1.0) -> Tensor:
        """z [B, z_dim] -> RGB [B, 3, R, R]."""
        ws: Tensor = self.mapping(z, c, truncation_psi=truncation_psi)
        image: Tensor = self.synthesis(ws)
        return image
