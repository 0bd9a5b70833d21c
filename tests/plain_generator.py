"""A generator that is made up: quick, and known by heart."""

from __future__ import annotations

from typing import cast

import torch

from stitchedit.models.generator import Generator


class _Plain:
    """w = 2 z; an image whose grey is w's first number."""

    z_dim = w_dim = 4
    num_ws = 3
    w_avg = torch.tensor([1.0, 0, 0, 0])

    def mapping(self, z: torch.Tensor) -> torch.Tensor:
        return (2 * z)[:, None].repeat(1, 3, 1)

    def synthesis(self, ws: torch.Tensor, *, resolution: int | None = None) -> torch.Tensor:
        size = resolution or 512
        return ws[:, 0, 0].reshape(-1, 1, 1, 1).expand(-1, 3, size, size)


GENERATOR = cast(Generator, _Plain())
