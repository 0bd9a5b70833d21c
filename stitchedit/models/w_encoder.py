"""The network that guesses a face's w: a trained start for `latent_optimization`, for the default generator only."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stitchedit.models.bundled_weights import packaged_file
from stitchedit.models.network_files import load_network
from stitchedit.models.perceptual import MobileNetPerceptual

FORMAT = "stitchedit-w-encoder-1"  # in the header of its safetensors file
WEIGHTS = "w_encoder_ffhq_1024.safetensors"
MADE_FOR = ("mobilestylegan", "ffhq-1024")  # architecture and `made_for` of the generator that it was trained for


class WEncoder(nn.Module):
    """Pictures of aligned faces -> w. MobileNetV2 looks at several scales; a linear layer reads codes off its maps.

    The linear layer sees each chosen map reduced to few channels on a grid of 6 x 6, so that it knows where things
    are. A small residual network bends what it gives. Codes are whitened, w = mean + u @ color with the
    colouring matrix [w_dim, w_dim] (`latent_optimization.Prior`):
    u has unit variance among people, which makes all of its numbers equally easy to learn.

    Args:
        w_dim: numbers of a code.
    Source: the trunk is that of Sandler et al. 2018, arXiv:1801.04381, with batch norms folded, started from the
    weights that `perceptual.MobileNetPerceptual` has.
    """

    SIZE = 192  # pixels that the network looks at
    GRID = 6
    TAPS = ((3, 12), (6, 24), (13, 48), (17, 48))  # (block, channels kept of its output)
    HIDDEN = 448

    mean: Tensor
    color: Tensor
    rgb_mean: Tensor
    rgb_std: Tensor

    def __init__(self, w_dim: int = 512) -> None:
        super().__init__()
        self.w_dim = w_dim
        self.features = nn.ModuleList([nn.Conv2d(3, 32, 3, 2, 1)])
        channels, widths = 32, []
        for expansion, out, count, stride in MobileNetPerceptual.SETTINGS:
            for index in range(count):
                self.features.append(_Block(channels, out, expansion, stride if index == 0 else 1))
                channels = out
                widths.append(out)
        self.keep = nn.ModuleList(nn.Conv2d(widths[block - 1], kept, 1) for block, kept in self.TAPS)
        self.read = nn.Linear(sum(kept for _, kept in self.TAPS) * self.GRID**2, w_dim)
        self.bend_in, self.bend_out = nn.Linear(w_dim, self.HIDDEN), nn.Linear(self.HIDDEN, w_dim)
        self.register_buffer("mean", torch.zeros(w_dim))
        self.register_buffer("color", torch.eye(w_dim))
        self.register_buffer("rgb_mean", torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("rgb_std", torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """FFHQ-aligned faces [B, 3, S, S] in [-1, 1], 256 px as trained -> w [B, 1, w_dim]."""
        return (self.mean + self.whitened(image) @ self.color)[:, None]

    def whitened(self, image: Tensor) -> Tensor:
        """The same faces -> u [B, w_dim]."""
        u = self.read(self.seen(image))
        bent: Tensor = u + self.bend_out(F.leaky_relu(self.bend_in(u), 0.2))
        return bent

    def seen(self, image: Tensor) -> Tensor:
        """What the linear layer reads: [B, sum of kept channels * GRID * GRID]."""
        parts = [
            F.adaptive_avg_pool2d(keep(x), self.GRID).flatten(1)
            for keep, x in zip(self.keep, self.maps(image), strict=True)
        ]
        return torch.cat(parts, 1)

    def maps(self, image: Tensor) -> list[Tensor]:
        """The trunk's outputs at `TAPS`, [B, C, h, w] each."""
        if image.shape[-1] != self.SIZE:
            image = F.interpolate(image, size=(self.SIZE, self.SIZE), mode="bilinear", antialias=True)
        x = ((image + 1) / 2 - self.rgb_mean) / self.rgb_std
        blocks, maps = [block for block, _ in self.TAPS], []
        for index, layer in enumerate(self.features):
            x = layer(x) if index else F.relu6(layer(x))
            if index in blocks:
                maps.append(x)
        return maps


class _Block(nn.Module):
    """MobileNetV2's inverted residual: expand 1x1 (absent when expansion is 1), depthwise 3x3, project 1x1."""

    def __init__(self, channels: int, out: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.conv = nn.ModuleList([nn.Conv2d(channels, wide, 1)] if expansion > 1 else [])
        self.conv.append(nn.Conv2d(wide, wide, 3, stride, 1, groups=wide))
        self.conv.append(nn.Conv2d(wide, out, 1))
        self.adds = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for conv in self.conv[:-1]:
            y = F.relu6(conv(y))
        out: Tensor = self.conv[-1](y)
        return x + out if self.adds else out


def load_w_encoder(path: Path | None = None) -> WEncoder:
    """The encoder of the default generator, or that in a file of `scripts/train_encoder.py`: float32, CPU, eval mode.

    Raises: NotFetched or HashMismatch, when the installed file is missing or damaged; UnknownCheckpoint, when the
        given one is no such file.
    """
    return load_network(path or packaged_file(WEIGHTS), FORMAT, lambda state: WEncoder(len(state["mean"])))
