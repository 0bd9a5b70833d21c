"""Encoders of faces into W and W+: e4e (Encoder4Editing) and pSp (GradualStyleEncoder), 267 M numbers at 1024 px.

    picture [B, 3, 256, 256] -> IR-SE50 body, features c1 64 px, c2 32 px, c3 16 px
                             -> feature pyramid p2 = up(c3) + c2, p1 = up(p2) + c1
                             -> one head a row of W+: rows 0-2 read c3, 3-6 p2, the rest p1

e4e and pSp have the same tensors under the same names. In pSp every head gives its row. In e4e the first head gives w,
and every other one how much its row departs from it. ReStyle's two see what is drawn of their codes too, and all their
heads read c3. None holds or runs a generator.
Source: Tov et al. 2021, arXiv:2102.02766 (e4e); Richardson et al. 2021, arXiv:2008.00951 (pSp); body: Deng et al. 2019,
arXiv:1801.07698, with squeeze-and-excitation.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stitchedit.stylegan3.mapping import FullyConnected

PICTURE_SIZE = 256  # pixels of the side that the encoders were trained on

_UNITS = (3, 4, 14, 3)  # residual units at 1, 2, 4 and 8 times the first width; the first of each halves the picture
_TAPS = (6, 20, 23)  # units whose output is c1, c2, c3
_MIDDLE, _FINE = 3, 7  # first rows that read p2, p1
_SQUEEZE = 16
_HEAD_SLOPE = 0.01


class SqueezeExcite(nn.Module):
    """Scales each channel by what the means of all channels say."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(1, channels // _SQUEEZE)
        self.fc1 = nn.Conv2d(channels, squeezed, 1, bias=False)
        self.fc2 = nn.Conv2d(squeezed, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        scale: Tensor = self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()).sigmoid()
        return x * scale


class Unit(nn.Module):
    """Residual unit of IR-SE50."""

    def __init__(self, channels: int, depth: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.shortcut_layer = (
            nn.Sequential(nn.Conv2d(channels, depth, 1, stride, bias=False), nn.BatchNorm2d(depth))
            if channels != depth
            else None
        )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.Conv2d(channels, depth, 3, 1, 1, bias=False),
            nn.PReLU(depth),
            nn.Conv2d(depth, depth, 3, stride, 1, bias=False),
            nn.BatchNorm2d(depth),
            SqueezeExcite(depth),
        )

    def forward(self, x: Tensor) -> Tensor:
        beside = x[:, :, :: self.stride, :: self.stride] if self.shortcut_layer is None else self.shortcut_layer(x)
        out: Tensor = self.res_layer(x) + beside
        return out


class Head(nn.Module):
    """Features of 2^convs px to one row of W+."""

    def __init__(self, channels: int, convs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(convs):
            layers += [nn.Conv2d(channels, channels, 3, 2, 1), nn.LeakyReLU(_HEAD_SLOPE)]
        self.convs = nn.Sequential(*layers)
        self.linear = FullyConnected(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(self.convs(x).flatten(1))
        return out


class GradualStyleEncoder(nn.Module):
    """pSp: picture to W+, each row by its own head.

    Args:
        num_styles: rows of W+ (18 at 1024 px).
        width: channels of the first layer; 64 in every published file.

    Attributes:
        kind: what checkpoints of this network are called.
        latent_avg: [num_styles, w_dim] or [w_dim], added to all codes; None where the file says to start from zero.
    """

    kind: ClassVar[str] = "psp"
    latent_avg: Tensor | None

    def __init__(self, num_styles: int = 18, *, width: int = 64) -> None:
        super().__init__()
        self.num_styles, self.w_dim = num_styles, 8 * width
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.PReLU(width)
        )
        units: list[nn.Module] = []
        before = width
        for step, count in enumerate(_UNITS):
            for i in range(count):
                units.append(Unit(before, width << step, stride=2 if i == 0 else 1))
                before = width << step
        self.body = nn.ModuleList(units)
        self.styles = nn.ModuleList(
            Head(self.w_dim, convs=4 if i < _MIDDLE else 5 if i < _FINE else 6) for i in range(num_styles)
        )
        self.latlayer1 = nn.Conv2d(4 * width, self.w_dim, 1)
        self.latlayer2 = nn.Conv2d(2 * width, self.w_dim, 1)
        self.register_buffer("latent_avg", None, persistent=False)

    @property
    def config(self) -> dict[str, object]:
        """What `encoder_layout.read_encoder_config` tells of a file with these tensors."""
        return {"num_styles": self.num_styles}

    def forward(self, images: Tensor) -> Tensor:
        """RGB [B, 3, 256, 256] in [-1, 1] -> ws [B, num_styles, w_dim]."""
        return self._from_average(torch.stack(self._rows(images, self.num_styles), dim=1))

    def one_row(self, images: Tensor) -> Tensor:
        """RGB [B, 3, 256, 256] in [-1, 1] -> the W nearest to all rows, their mean, [B, 1, w_dim]."""
        ws: Tensor = self(images)
        return ws.mean(1, keepdim=True)

    def _rows(self, images: Tensor, count: int) -> list[Tensor]:
        """What the first `count` heads give, [B, w_dim] each; nothing is computed that they do not read."""
        if images.ndim != 4 or images.shape[1:] != (3, PICTURE_SIZE, PICTURE_SIZE):
            raise ValueError(f"images must be [B, 3, {PICTURE_SIZE}, {PICTURE_SIZE}], not {list(images.shape)}")
        taps: list[Tensor] = []
        x = self.input_layer(images)
        for i, unit in enumerate(self.body):
            x = unit(x)
            if i in _TAPS:
                taps.append(x)
        c1, c2, features = taps
        rows: list[Tensor] = []
        for i in range(count):
            if i == _MIDDLE:
                features = _enlarged(features, c2) + self.latlayer1(c2)
            elif i == _FINE:
                features = _enlarged(features, c1) + self.latlayer2(c1)
            rows.append(self.styles[i](features))
        return rows

    def _from_average(self, ws: Tensor) -> Tensor:
        return ws if self.latent_avg is None else ws + self.latent_avg


class Encoder4Editing(GradualStyleEncoder):
    """e4e: picture to one w, and how far each other row departs from it."""

    kind = "e4e"

    def forward(self, images: Tensor, *, stage: int | None = None) -> Tensor:
        """RGB [B, 3, 256, 256] in [-1, 1] -> ws [B, num_styles, w_dim].

        Args:
            stage: rows that may depart from the first, as training frees them one by one: 0 gives W (all rows equal),
                num_styles - 1 or None all of W+. Heads above it are not run.
        Raises: ValueError for a stage out of range.
        """
        last = self.num_styles - 1
        if stage is not None and not 0 <= stage <= last:
            raise ValueError(f"stage must be from 0 to {last}, not {stage}")
        first, *departures = self._rows(images, 1 + (last if stage is None else stage))
        rest = [first] * (last - len(departures))
        return self._from_average(torch.stack([first, *(first + d for d in departures), *rest], dim=1))

    def one_row(self, images: Tensor) -> Tensor:
        """RGB [B, 3, 256, 256] in [-1, 1] -> the w that rows depart from, [B, 1, w_dim]. Runs the first head only."""
        return self.forward(images, stage=0)[:, :1]


class RestyleEncoder(GradualStyleEncoder):
    """ReStyle over pSp: how far each row of W+ is to go from where it is, seen in the picture and in what is drawn now.

    All heads read c3. Source: Alaluf et al. 2021, arXiv:2104.02699.
    """

    kind = "restyle-psp"

    def __init__(self, num_styles: int = 18, *, width: int = 64) -> None:
        super().__init__(num_styles, width=width)
        self.input_layer[0] = nn.Conv2d(6, width, 3, 1, 1, bias=False)
        self.styles = nn.ModuleList(Head(self.w_dim, convs=4) for _ in range(num_styles))
        del self.latlayer1, self.latlayer2

    def forward(self, images: Tensor) -> Tensor:
        """Two RGB pictures [B, 6, 256, 256] in [-1, 1] -> steps [B, num_styles, w_dim].

        The first is the one wanted, the second what a generator draws of the codes so far.
        """
        return torch.stack(self._steps(images), dim=1)

    def nearest_row(self, ws: Tensor) -> Tensor:
        """The W nearest to all rows of codes [B, num_styles, w_dim], [B, 1, w_dim]."""
        return ws.mean(1, keepdim=True)

    def _steps(self, images: Tensor) -> list[Tensor]:
        if images.ndim != 4 or images.shape[1:] != (6, PICTURE_SIZE, PICTURE_SIZE):
            raise ValueError(f"images must be [B, 6, {PICTURE_SIZE}, {PICTURE_SIZE}], not {list(images.shape)}")
        x = self.input_layer(images)
        for unit in self.body:
            x = unit(x)
        return [head(x) for head in self.styles]


class RestyleEncoder4Editing(RestyleEncoder):
    """ReStyle over e4e: a step for all rows, and how far each other row's departs from it."""

    kind = "restyle-e4e"

    def forward(self, images: Tensor) -> Tensor:
        first, *departures = self._steps(images)
        return torch.stack([first, *(first + d for d in departures)], dim=1)

    def nearest_row(self, ws: Tensor) -> Tensor:
        """The row that the others depart from."""
        return ws[:, :1]


ENCODERS: dict[str, type[GradualStyleEncoder]] = {
    network.kind: network for network in (Encoder4Editing, GradualStyleEncoder, RestyleEncoder4Editing, RestyleEncoder)
}


def encoder_picture(images: Tensor, *, antialias: bool = True) -> Tensor:
    """Crops [B, 3, S, S] as the encoders take them, [B, 3, 256, 256], bilinear.

    Args:
        antialias: filter before shrinking, as the encoders' training data was; False as torchvision before 0.17 did
            with tensors, and so "Stitch it in Time" when it was published.
    """
    size = (PICTURE_SIZE, PICTURE_SIZE)
    return F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=antialias)


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=True)
