"""Small networks that work a step out of a code: StyleCLIP's mappers and the Latent Transformer, from their files.

Both take codes of W+ as they are and answer each row's step: the edit is w + strength * step(w). They are a few matrix
products, so numpy does.
Sources: Patashnik et al. 2021, arXiv:2103.17249; Yao et al. 2021, arXiv:2106.11895. Written anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stitchedit.errors import Refused
from stitchedit.types import FloatArray

LEVELS = ("course", "medium", "fine")  # as the files spell them
ENDS = (4, 8)  # rows of W+ at which the medium and the fine level begin
MAPPER_LAYERS = 4
MAPPER_RATE = 0.01  # lr_mul of its layers
MAPPER_STRENGTH = 0.1  # of the output, as StyleCLIP's own inference adds it
_SLOPE, _GAIN, _EPSILON = 0.2, 2**0.5, 1e-8
_MAPPER_KEY = re.compile(r"(?:mapper\.)?(?:(course|medium|fine)_)?mapping\.(?:mapping\.)?(\d)\.(weight|bias)")
_DENSE_KEY = re.compile(r"(?:module\.)?dense\.(\d{1,2})\.(weight|bias)")


class LatentNetwork(Protocol):
    """What a file of a network holds."""

    @property
    def w_dim(self) -> int: ...
    @property
    def num_ws(self) -> int:
        """Rows that it takes; 0: any number."""
        ...

    @property
    def said(self) -> str:
        """What it is, in words."""
        ...

    def step(self, ws: FloatArray) -> FloatArray:
        """ws [N, L, w_dim] -> what strength 1 adds to them, of the same shape."""
        ...


@dataclass(frozen=True, slots=True)
class Mapper:
    """A mapper of StyleCLIP: a perceptron for each level of rows, or one for all."""

    layers: Mapping[
        str, tuple[tuple[FloatArray, FloatArray], ...]
    ]  # level, or "" for all -> weight, bias of each layer
    num_ws: int = 0  # of the generator that lies in the same file

    @property
    def w_dim(self) -> int:
        first = next(iter(self.layers.values()))[0]
        return int(first[0].shape[1])

    @property
    def said(self) -> str:
        levels = ", ".join(level.replace("course", "coarse") for level in self.layers if level)
        return f"a StyleCLIP mapper ({levels or 'all'} rows), strength 1 adds a tenth of its output"

    def step(self, ws: FloatArray) -> FloatArray:
        out = np.zeros_like(ws)
        edges = {"": slice(None)} | dict(zip(LEVELS, (slice(0, 4), slice(*ENDS), slice(ENDS[1], None)), strict=True))
        for level, layers in self.layers.items():
            x = ws[:, edges[level]]
            # Over the rows, not over the numbers of each: so it is in StyleCLIP, whose norm takes dimension 1.
            x = x / np.sqrt(np.square(x).mean(axis=1, keepdims=True) + _EPSILON)
            for weight, bias in layers:
                x = x @ (weight.T * (MAPPER_RATE / np.sqrt(weight.shape[1]))) + bias * MAPPER_RATE
                x = np.where(x < 0, _SLOPE * x, x) * _GAIN
            out[:, edges[level]] = MAPPER_STRENGTH * x
        return out


@dataclass(frozen=True, slots=True)
class LatentTransformer:
    """The Latent Transformer of one attribute: a linear layer for each row."""

    weights: FloatArray  # [L, w_dim, w_dim]
    biases: FloatArray  # [L, w_dim]

    @property
    def w_dim(self) -> int:
        return int(self.weights.shape[2])

    @property
    def num_ws(self) -> int:
        return len(self.weights)

    @property
    def said(self) -> str:
        return f"a Latent Transformer of {self.num_ws} rows"

    def step(self, ws: FloatArray) -> FloatArray:
        scaled = self.weights / np.sqrt(self.w_dim)
        moved: FloatArray = np.einsum("loi,nli->nlo", scaled, ws) + self.biases
        return moved


def find_mapper(tensors: Mapping[str, FloatArray], num_ws: int = 0) -> Mapper | None:
    """The mapper among named tensors; None, where none is.

    Args:
        num_ws: rows of the generator that it was trained with, where that is known.
    Raises: Refused, where layers are missing or do not fit.
    """
    levels: dict[str, dict[str, FloatArray]] = {}
    for name, tensor in tensors.items():
        if found := _MAPPER_KEY.fullmatch(name):
            levels.setdefault(found[1] or "", {})[f"{found[2]}.{found[3]}"] = tensor
    if not levels:
        return None
    wanted = {f"{number}.{part}" for number in range(1, MAPPER_LAYERS + 1) for part in ("weight", "bias")}
    if ("" in levels and len(levels) > 1) or any(set(parts) != wanted for parts in levels.values()):
        raise Refused("its mapper has not the four layers of StyleCLIP's")
    side = next(iter(levels.values()))["1.weight"].shape[-1:]
    layers = {}
    for level in sorted(levels, key=[*LEVELS, ""].index):
        pairs = [(levels[level][f"{k}.weight"], levels[level][f"{k}.bias"]) for k in range(1, MAPPER_LAYERS + 1)]
        _require_square(pairs, side)
        layers[level] = tuple(pairs)
    return Mapper(layers, num_ws)


def find_transformer(tensors: Mapping[str, FloatArray]) -> LatentTransformer | None:
    """The Latent Transformer among named tensors; None, where none is. Raises Refused, where it is incomplete."""
    parts = {(int(m[1]), m[2]): tensor for name, tensor in tensors.items() if (m := _DENSE_KEY.fullmatch(name))}
    if not parts:
        return None
    rows = 1 + max(row for row, _ in parts)
    if set(parts) != {(row, part) for row in range(rows) for part in ("weight", "bias")}:
        raise Refused("rows of its Latent Transformer are missing")
    pairs = [(parts[row, "weight"], parts[row, "bias"]) for row in range(rows)]
    _require_square(pairs, pairs[0][0].shape[-1:])
    return LatentTransformer(np.stack([weight for weight, _ in pairs]), np.stack([bias for _, bias in pairs]))


def _require_square(pairs: list[tuple[FloatArray, FloatArray]], side: tuple[int, ...]) -> None:
    """Raises Refused, unless all weights are [side, side] and biases [side], and finite."""
    if not side or not side[0] or any(w.shape != (*side, *side) or b.shape != side for w, b in pairs):
        raise Refused("the layers of its network do not fit each other")
    if not all(np.isfinite(part).all() for pair in pairs for part in pair):
        raise Refused("its network holds numbers that are not finite")
