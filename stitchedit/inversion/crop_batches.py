"""Crops as batches of tensors, in a fixed random order that can be taken up anywhere."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from stitchedit.image.arrays import resize
from stitchedit.types import Crops, WeightMap

KEPT = 256 << 20  # bytes of crops that stay decoded: 340 of 512 px
_keeping = threading.Lock()  # held by whoever changes what is kept


@dataclass(frozen=True, slots=True)
class Batches:
    """The crops of a clip, with the map that says where losses look (everywhere alike, if none is given)."""

    crops: Crops
    weight: WeightMap | None = None
    device: torch.device | str = "cpu"
    _kept: dict[tuple[int, int], Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.crops.frames)

    def images(self, indices: Sequence[int], size: int) -> Tensor:
        """Crops at `size` pixels, [B, 3, size, size] in [-1, 1]; area filtered when smaller than stored."""
        stack = torch.stack([self._levels(i, size) for i in indices])
        return stack.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)

    def _levels(self, index: int, size: int) -> Tensor:
        """A crop, uint8 [size, size, 3] on the device: decoding it anew at every step would take a GPU's time."""
        found = self._kept.get((index, size))
        if found is None:
            found = torch.from_numpy(resize(self.crops.images[index], size).copy()).to(self.device)
            with _keeping:
                while self._kept and (len(self._kept) + 1) * found.numel() > KEPT:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[index, size] = found
        return found

    def weights(self, indices: Sequence[int], size: int) -> Tensor | None:
        """[B, 1, size, size] of mean 1, or None when all pixels count alike."""
        if self.weight is None:
            return None
        stack = torch.from_numpy(np.stack([self.weight(i, size) for i in indices]))[:, None].to(self.device)
        return stack / stack.mean((1, 2, 3), keepdim=True).clamp_min(1e-8)


def shuffled(count: int, per_step: int, step: int, seed: int) -> list[int]:
    """The crops of one optimiser step: every crop is drawn once before any is drawn again.

    Depends on nothing but its arguments, so that a run can go on at any step.
    """
    drawn: list[int] = []
    for position in range(step * per_step, (step + 1) * per_step):
        epoch, place = divmod(position, count)
        order = np.random.default_rng((seed, epoch)).permutation(count)
        drawn.append(int(order[place]))
    return drawn
