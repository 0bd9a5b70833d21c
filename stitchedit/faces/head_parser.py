"""The network that tells a head from the clothes below it: MobileNetV2's features, a small decoder.

Who is person and who is background the matte says (`detectors.matte`); so all that is left to learn is where a neck or
long hair ends and clothes begin.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stitchedit.faces.mesh_topology import face_axes, face_outline
from stitchedit.image.signed_distance import distance
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.models.network_files import load_network
from stitchedit.types import FloatArray

FORMAT = "stitchedit-head-parser-1"  # in the header of its safetensors file
WEIGHTS = "head_parser.safetensors"
SIZE = 256  # pixels of the crops that it looks at
PLACES = 4  # maps of `places`


class HeadParser(nn.Module):
    """Features of a crop and where its face lies -> how likely each pixel of the person is head rather than clothes.

    Each map of features is reduced to few channels by a 1x1 convolution, added to the coarser ones' result brought to
    its size, and mixed by a depthwise-separable convolution, as in feature pyramids (Lin et al. 2017,
    arXiv:1612.03144).
    """

    TAPS = ((5, 320, 64), (4, 96, 64), (2, 32, 48), (1, 24, 32))  # (of features, channels, kept)

    def __init__(self) -> None:
        super().__init__()
        self.keep = nn.ModuleList(nn.Conv2d(channels, kept, 1) for _, channels, kept in self.TAPS)
        widths = [kept for _, _, kept in self.TAPS]
        self.place = nn.ModuleList(nn.Conv2d(PLACES, width, 3, padding=1) for width in widths)
        self.mix = nn.ModuleList(_Mix(width) for width in widths)
        self.narrow = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairwise(widths))
        self.read = nn.Conv2d(widths[-1], 1, 1)

    def forward(self, features: list[Tensor], places: Tensor) -> Tensor:
        """Log odds [B, 1, S/4, S/4].

        Args:
            features: of `losses.MobileNetPerceptual`, of crops [B, 3, S, S].
            places: [B, 4, S, S] as `places` gives them.
        """
        x: Tensor | None = None
        for level, (tap, channels, _) in enumerate(self.TAPS):
            here = features[tap] * channels**0.5  # of unit length
            y = self.keep[level](here) + self.place[level](F.adaptive_avg_pool2d(places, here.shape[-2:]))
            if x is not None:
                y = y + F.interpolate(self.narrow[level - 1](x), size=here.shape[-2:], mode="bilinear")
            x = self.mix[level](y)
        assert x is not None
        read: Tensor = self.read(x)
        return read


class _Mix(nn.Module):
    """Two depthwise-separable 3x3 convolutions, the second one two pixels apart, added to what comes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.near = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.one = nn.Conv2d(width, width, 1)
        self.far = nn.Conv2d(width, width, 3, padding=2, dilation=2, groups=width)
        self.two = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.one(self.near(F.leaky_relu(x, 0.2))), 0.2)
        out: Tensor = x + self.two(self.far(y))
        return out


def places(points: FloatArray, matte: FloatArray) -> FloatArray:
    """What the network is told beside the picture, [4, S, S] float32, from mesh points [468, 2] and a matte [S, S].

    The matte; the distance from the face's outline, along the face's axis from the chin downward, and across it: in
    face heights, within -1.5..1.5.
    """
    size = matte.shape[0]
    at = (np.arange(size, dtype=np.float32) + 0.5) / size
    chin, axis, height = face_axes(points)
    x, y = at[None] - chin[0], at[:, None] - chin[1]
    far = distance(face_outline(points) * size, (size, size)) / (size * height)
    along, across = (x * axis[0] + y * axis[1]) / height, (x * axis[1] - y * axis[0]) / height
    maps = np.stack([matte, *(np.clip(m, -1.5, 1.5) for m in (far, along, across))])
    return maps.astype(np.float32)


def load_head_parser(path: Path | None = None) -> HeadParser:
    """The network that comes with stitchedit, or that of a file of `scripts/train_head_parser.py`: CPU, eval mode.

    Raises: NotFetched or HashMismatch, when the installed file is missing or damaged; UnknownCheckpoint, when the
        given one is no such file.
    """
    return load_network(path or packaged_file(WEIGHTS), FORMAT, lambda state: HeadParser())


def parse(network: HeadParser, features: list[Tensor], at: FloatArray) -> FloatArray:
    """How likely each pixel of the person is head, [S/4, S/4] in 0..1, from one crop's features and places."""
    with torch.inference_mode():
        odds = network(features, torch.from_numpy(at)[None].to(features[0].device))
    likely: FloatArray = odds.sigmoid()[0, 0].cpu().numpy()
    return likely
