"""Crops as batches of tensors, in a fixed random order that can be taken up anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stitchedit.image.arrays import resize
from stitchedit.types import Crops, WeightMap


@dataclass(frozen=True, slots=True)
class Batches:
    """The crops of a clip, with the map that says where losses look (everywhere alike, if none is given)."""

    crops: Crops
    weight: WeightMap | None = None
    device: torch.device | str = "cpu"

    def __len__(self) -> int:
        return len(self.crops.frames)

    def images(self, indices: Sequence[int], size: int) -> Tensor:
        """Crops at `size` pixels, [B, 3, size, size] in [-1, 1]; area filtered when smaller than stored."""
        stack = np.stack([resize(self.crops.images[i], size) for i in indices])
        return torch.from_numpy(stack).permute(0, 3, 1, 2).to(self.device).float().div_(127.5).sub_(1)

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
