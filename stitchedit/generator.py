"""Generators behind one interface, whatever network draws the face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, Self

import torch
from torch import Tensor


class Generator(Protocol):
    """A face generator with a W space. Images are RGB in about [-1, 1], channels first, float32.

    Implementations are `torch.nn.Module`s; their networks know nothing of files.
    """

    architecture: str  # "mobilestylegan" or "stylegan2"
    made_for: str  # what directions name in `made_for`, such as "ffhq-1024"
    z_dim: int
    w_dim: int
    num_ws: int  # rows of W+
    resolution: int  # pixels of the full image's side
    exits: tuple[int, ...]  # ascending; sizes at which `synthesis` can stop, the last is `resolution`
    w_avg: Tensor  # [w_dim], mean of mapped samples

    def mapping(self, z: Tensor, *, truncation_psi: float = 1.0, truncation_cutoff: int | None = None) -> Tensor:
        """z [B, z_dim] -> ws [B, num_ws, w_dim], pulled toward `w_avg` by truncation psi in the first rows."""
        ...

    def synthesis(self, ws: Tensor, *, noise_mode: str = "const", resolution: int | None = None) -> Tensor:
        """ws [B, num_ws or 1, w_dim] -> images [B, 3, R, R]; `resolution` is one of `exits`, default the full one.

        No block above the asked resolution is run. noise_mode: const, none (or random, where the network has it).
        """
        ...

    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state: Mapping[str, Tensor]) -> object: ...
    def parameters(self) -> Iterator[torch.nn.Parameter]: ...
    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]: ...
    def requires_grad_(self, requires_grad: bool = True) -> Self: ...
    def to(self, device: torch.device | str) -> Self: ...
    def train(self, mode: bool = True) -> Self: ...
    def eval(self) -> Self: ...
