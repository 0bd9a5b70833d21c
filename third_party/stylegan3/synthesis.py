"""Styles to a picture: StyleGAN3's synthesis network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stitchedit.stylegan3.layers import SynthesisInput, SynthesisLayer
from stitchedit.stylegan3.schedule import Schedule, plan_layers


class SynthesisNetwork(nn.Module):
    """Styles to a picture. There is no noise and no smaller picture on the way.

    Args:
        conv_kernel, use_radial_filters: 3 and False in configuration T, 1 and True in R.
        num_fp16_res: layers at the so many highest sampling rates may run in float16 on CUDA.
        offset: where what is drawn lies, see `SynthesisInput`, when the schedule has more than the picture.
    Attributes:
        num_ws: rows of W+, the first for the input.
        layer_names: in the order of execution.
    """

    def __init__(
        self,
        w_dim: int,
        schedule: Schedule,
        *,
        conv_kernel: int = 3,
        use_radial_filters: bool = False,
        num_fp16_res: int = 4,
        output_scale: float = 0.25,
        offset: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        super().__init__()
        if conv_kernel not in (1, 3):
            raise ValueError(f"a convolution has 1 or 3 px, not {conv_kernel}")
        self.w_dim, self.schedule, self.output_scale = w_dim, schedule, output_scale
        self.img_resolution = schedule.signals()[-1].size
        plans = plan_layers(schedule, conv_kernel, use_radial_filters)
        self.input = SynthesisInput(w_dim, plans[0].here, offset)
        for plan in plans:
            half = plan.there.rate * 2**num_fp16_res > schedule.img_resolution
            self.add_module(plan.name, SynthesisLayer(w_dim, plan, use_fp16=half))
        self.layer_names = tuple(plan.name for plan in plans)
        self.num_ws = len(plans) + 1

    def layer(self, name: str) -> SynthesisLayer:
        """The layer of a name, such as "L3_52_512"."""
        found = self.get_submodule(name)
        assert isinstance(found, SynthesisLayer)
        return found

    def forward(
        self,
        ws: Tensor,
        *,
        noise_mode: str = "const",
        resolution: int | None = None,
        transform: Tensor | None = None,
        force_fp32: bool | None = None,
    ) -> Tensor:
        """ws -> RGB [B, 3, R, R], float32.

        Args:
            ws: [B, num_ws, w_dim], or [B, 1, w_dim] for the same w everywhere.
            noise_mode: of other generators; this one has no noise.
            resolution: the full one, or None.
            transform, force_fp32: see `from_styles`.
        Raises: ValueError for arguments that do not fit.
        """
        if resolution not in (None, self.img_resolution):
            raise ValueError(f"this network draws {self.img_resolution} px, not {resolution}")
        return self.from_styles(self.styles(ws), transform=transform, force_fp32=force_fp32)

    def styles(self, ws: Tensor) -> list[Tensor]:
        """ws [B, num_ws or 1, w_dim] -> StyleSpace, in the order of execution.

        The first is the input's pose [B, 4] (cosine, sine, x, y); then the style [B, Cin] of every layer, as its affine
        layer gives it. Raises: ValueError, when the shape does not fit.
        """
        if ws.ndim != 3 or ws.shape[1] not in (1, self.num_ws) or ws.shape[2] != self.w_dim:
            raise ValueError(f"ws must be [B, {self.num_ws} or 1, {self.w_dim}], not {list(ws.shape)}")
        rows = ws.float().expand(-1, self.num_ws, -1).unbind(1)
        affines = [self.input.affine, *(self.layer(name).affine for name in self.layer_names)]
        return [affine(w) for affine, w in zip(affines, rows, strict=True)]

    def from_styles(
        self, styles: Sequence[Tensor], *, transform: Tensor | None = None, force_fp32: bool | None = None
    ) -> Tensor:
        """StyleSpace -> RGB [B, 3, R, R], float32 in about [-1, 1].

        Args:
            styles: as `styles` gives them.
            transform: [3, 3] or [B, 3, 3], what is drawn where, in place of `input.transform`; see `SynthesisInput`.
            force_fp32: False lets the layers marked so run in float16 on CUDA; by default they do without a graph.
        """
        if len(styles) != self.num_ws:
            raise ValueError(f"{self.num_ws} styles are needed, not {len(styles)}")
        if force_fp32 is None:
            force_fp32 = torch.is_grad_enabled()
        x: Tensor = self.input(styles[0], transform)
        for name, style in zip(self.layer_names, styles[1:], strict=True):
            layer = self.layer(name)
            x = layer(x, style, half=layer.use_fp16 and not force_fp32 and x.is_cuda)
        return x.float() * self.output_scale
