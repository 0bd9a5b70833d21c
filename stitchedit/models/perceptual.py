"""What tuning and stitching minimise.

Convention: images are RGB in [-1, 1], [B, 3, H, W]; masks [B, 1, H, W] in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self, cast

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from stitchedit.errors import NotFetched, UnknownCheckpoint
from stitchedit.models.bundled_weights import packaged_file


class Perceptual(Protocol):
    """A distance between pictures in the features of a network. Target features can be kept and used again."""

    name: str

    def features(self, image: Tensor) -> list[Tensor]:
        """image [B, 3, H, W] -> one [B, C, h, w] map a stage, each position of unit length."""
        ...

    def distance(self, a: list[Tensor], b: list[Tensor], weight: Tensor | None = None) -> Tensor:
        """Distance of two feature lists, [B]; `weight` [B, 1, H, W] says where to look."""
        ...


class MobileNetPerceptual(nn.Module):
    """Perceptual distance on six stages of MobileNetV2, "mbv2-perceptual": small, and free to ship. It is not LPIPS.

    Each stage's features are scaled to unit length at every position; the squared differences are summed over
    channels, averaged over positions (weighted, if asked), and the stages are averaged. Pictures of 128 to 512 px.
    Source: the construction of Zhang et al. 2018, arXiv:1801.03924, with all channel weights 1; network of Sandler
    et al. 2018, arXiv:1801.04381, weights of torchvision (BSD-3-Clause).
    """

    name = "mbv2-perceptual"
    # (expansion, channels out, blocks, stride of the first) as in table 2 of the MobileNetV2 paper.
    SETTINGS = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    TAPS = (1, 3, 6, 10, 13, 17)  # last block of 16, 24, 32, 64, 96 and 320 channels

    def __init__(self) -> None:
        super().__init__()
        self.strides = [2] + [stride if i == 0 else 1 for _, _, n, stride in self.SETTINGS for i in range(n)]
        self.weights = {k: v.float() for k, v in load_file(packaged_file("mobilenet_v2_features.safetensors")).items()}
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # The weights are constants, kept out of parameters() so that no optimiser can take them.
        self.weights = {k: fn(v) for k, v in self.weights.items()}
        return cast(Self, super()._apply(fn, recurse))  # type: ignore[no-untyped-call]

    def features(self, image: Tensor) -> list[Tensor]:
        x = ((image + 1) / 2 - cast(Tensor, self.mean)) / cast(Tensor, self.std)
        if not image.is_cuda:  # there pointwise convolutions are matrix products, see `_pointwise`
            x = x.contiguous(memory_format=torch.channels_last)
        maps = []
        for index, stride in enumerate(self.strides):
            x = self._stem(x) if index == 0 else self._block(x, index, stride)
            if index in self.TAPS:
                maps.append(_unit(x))
        return maps

    def distance(self, a: list[Tensor], b: list[Tensor], weight: Tensor | None = None) -> Tensor:
        total = torch.zeros(a[0].shape[0], device=a[0].device)
        for fa, fb in zip(a, b, strict=True):
            total = total + _weighted_mean((fa - fb).square().sum(1, keepdim=True), weight)
        return total / len(a)

    def forward(self, image: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Distance of two pictures, [B]."""
        return self.distance(self.features(image), self.features(target), weight)

    def _stem(self, x: Tensor) -> Tensor:
        return _relu6(F.conv2d(x, self.weights["features.0.weight"], self.weights["features.0.bias"], 2, 1))

    def _block(self, x: Tensor, index: int, stride: int) -> Tensor:
        """Inversion residual: expand 1x1 (absent in the first block), depthwise 3x3, project 1x1."""
        w, pre, last = self.weights, f"features.{index}.conv", 1 if index == 1 else 2
        y = x
        for i in range(last):
            weight, bias = w[f"{pre}.{i}.weight"], w[f"{pre}.{i}.bias"]
            if i == last - 1:
                y = _relu6(F.conv2d(y, weight, bias, stride, 1, groups=y.shape[1]))
            else:
                y = _pointwise(y, weight, bias, _relu6)
        y = _pointwise(y, w[f"{pre}.{last}.weight"], w[f"{pre}.{last}.bias"])
        return x + y if stride == 1 and x.shape[1] == y.shape[1] else y


class Lpips(nn.Module):
    """LPIPS v0.1 on AlexNet, from the user's own files.

    Args:
        trunk: torchvision's AlexNet state dict (`features.N.weight`).
        heads: the five 1x1 heads (`linN.model.1.weight`), as the lpips package carries them.
    Raises: KeyError, when a tensor is missing. For the files themselves see `load_lpips`.
    Source: Zhang et al. 2018, arXiv:1801.03924.
    """

    name = "lpips-alex"
    CONVS = ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1))  # (index in features, stride, padding)

    def __init__(self, trunk: dict[str, Tensor], heads: dict[str, Tensor]) -> None:
        super().__init__()
        for index, _, _ in self.CONVS:
            self.register_buffer(f"weight{index}", trunk[f"features.{index}.weight"].float())
            self.register_buffer(f"bias{index}", trunk[f"features.{index}.bias"].float())
        for stage in range(len(self.CONVS)):
            self.register_buffer(f"head{stage}", heads[f"lin{stage}.model.1.weight"].float())
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).reshape(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).reshape(1, 3, 1, 1))

    def features(self, image: Tensor) -> list[Tensor]:
        x = (image - cast(Tensor, self.shift)) / cast(Tensor, self.scale)
        maps = []
        for stage, (index, stride, padding) in enumerate(self.CONVS):
            if stage in (1, 2):
                x = F.max_pool2d(x, 3, 2)
            x = F.relu(F.conv2d(x, self._buffers[f"weight{index}"], self._buffers[f"bias{index}"], stride, padding))  # type: ignore[arg-type]
            maps.append(_unit(x))
        return maps

    def distance(self, a: list[Tensor], b: list[Tensor], weight: Tensor | None = None) -> Tensor:
        total = torch.zeros(a[0].shape[0], device=a[0].device)
        for stage, (fa, fb) in enumerate(zip(a, b, strict=True)):
            head = cast(Tensor, self._buffers[f"head{stage}"])
            total = total + _weighted_mean(F.conv2d((fa - fb).square(), head), weight)
        return total

    def forward(self, image: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Distance of two pictures, [B]."""
        return self.distance(self.features(image), self.features(target), weight)


def load_lpips(trunk: Path | str, heads: Path | str) -> Lpips:
    """LPIPS from torchvision's `alexnet-owt-*.pth` and the lpips package's `weights/v0.1/alex.pth`.

    Args:
        trunk, heads: names of imported weights, or paths; .pth or .safetensors. Nothing in them is executed.
    Raises: NotFetched, when there is no such name or file; UnknownCheckpoint, when it holds something else.
    """
    from stitchedit.models import weights

    found = []
    for name, kind in ((trunk, "alexnet"), (heads, "lpips")):
        if isinstance(name, Path) and not name.exists():
            raise NotFetched(str(name), "bring torchvision's AlexNet and the heads of the lpips package")
        checkpoint = weights.load_checkpoint(name, "features")
        if checkpoint.kind != kind:
            raise UnknownCheckpoint(name, f"it holds {checkpoint.kind}, where {kind} is needed")
        found.append({key: tensor.clone() for key, tensor in checkpoint.state.items()})  # files may change
    try:
        lpips = Lpips(*found)
        picture = torch.zeros(1, 3, 64, 64)
        lpips(picture, picture)  # tensors of other shapes are met here
    except (KeyError, RuntimeError) as exc:
        raise UnknownCheckpoint(trunk, f"with {heads} it gives no LPIPS ({exc})") from exc
    return lpips


def _relu6(x: Tensor) -> Tensor:
    """In place: what went in is not needed again, neither by callers nor for the gradient."""
    return F.hardtanh_(x, 0.0, 6.0)


def _pointwise(x: Tensor, weight: Tensor, bias: Tensor, then: Callable[[Tensor], Tensor] = lambda x: x) -> Tensor:
    """A 1x1 convolution. On a CPU a matrix product of features that lie channels last: twice as fast as torch's own."""
    if x.is_cuda:
        return then(F.conv2d(x, weight, bias))
    batch, channels, height, width = x.shape
    rows = torch.addmm(bias, x.permute(0, 2, 3, 1).reshape(-1, channels), weight[:, :, 0, 0].T)
    return then(rows).view(batch, height, width, -1).permute(0, 3, 1, 2)  # in place, before there are views of it


def _unit(x: Tensor) -> Tensor:
    # rsqrt of the clamped sum keeps the gradient finite where ReLU left only zeros
    return x * x.square().sum(1, keepdim=True).clamp_min(1e-20).rsqrt()


def _weighted_mean(d: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return d.mean((1, 2, 3))
    small = F.adaptive_avg_pool2d(weight, (d.shape[2], d.shape[3]))
    return (d * small).sum((1, 2, 3)) / small.sum((1, 2, 3)).clamp_min(1e-8)
