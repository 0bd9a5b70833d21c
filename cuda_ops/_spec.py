"""What the ops take: the table of activations and the ways to write a factor, a padding or a filter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

IMPLEMENTATIONS = ("auto", "cuda", "ref")

_SQRT2 = math.sqrt(2.0)


@dataclass(frozen=True, slots=True)
class Activation:
    """One nonlinearity of `bias_act`."""

    name: str
    index: int  # how the CUDA kernel is told which one
    alpha: float  # default parameter: lrelu's slope; others ignore it
    gain: float  # default factor after the activation
    keeps: str  # what the gradient needs beside dy: "nothing", "y" (only its sign) or "x"
    curved: bool  # has a second derivative that is not zero


# Default gains as in NVIDIA stylegan2-ada-pytorch.
ACTIVATIONS: dict[str, Activation] = {
    spec.name: spec
    for spec in (
        Activation("linear", 0, 0.0, 1.0, "nothing", False),
        Activation("relu", 1, 0.0, _SQRT2, "y", False),
        Activation("lrelu", 2, 0.2, _SQRT2, "y", False),
        Activation("tanh", 3, 0.0, 1.0, "x", True),
        Activation("sigmoid", 4, 0.0, 1.0, "x", True),
        Activation("elu", 5, 0.0, 1.0, "x", True),
        Activation("selu", 6, 0.0, 1.0, "x", True),
        Activation("softplus", 7, 0.0, 1.0, "x", True),
        Activation("swish", 8, 0.0, _SQRT2, "x", True),
    )
}

# Constants of the self-normalising unit, Klambauer et al. 2017, arXiv:1706.02515.
SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


class BiasActSpec(NamedTuple):
    """Everything of a `bias_act` call that is not a tensor."""

    act: Activation
    dim: int
    alpha: float
    gain: float
    clamp: float | None


class Resampling(NamedTuple):
    """One pass of upfirdn2d beside its tensors."""

    up: tuple[int, int]  # x, y
    down: tuple[int, int]  # x, y
    pad: tuple[int, int, int, int]  # x before, x after, y before, y after, in samples of the enlarged picture
    flip_filter: bool  # False: true convolution, True: correlation
    gain: float

    def output_size(self, height: int, width: int, fh: int, fw: int) -> tuple[int, int]:
        """(height, width) of the result."""
        px0, px1, py0, py1 = self.pad
        out_h = (height * self.up[1] + py0 + py1 - fh) // self.down[1] + 1
        out_w = (width * self.up[0] + px0 + px1 - fw) // self.down[0] + 1
        return out_h, out_w

    def transposed(self, height: int, width: int, fh: int, fw: int) -> Resampling:
        """The pass that carries a gradient back to an input of `height` x `width`."""
        out_h, out_w = self.output_size(height, width, fh, fw)
        px0, _, py0, _ = self.pad
        (ux, uy), (dx, dy) = self.up, self.down
        pad = (
            fw - px0 - 1,
            width * ux - out_w * dx + px0 - ux + 1,
            fh - py0 - 1,
            height * uy - out_h * dy + py0 - uy + 1,
        )
        return Resampling(self.down, self.up, pad, not self.flip_filter, self.gain)


class FilteredLreluSpec(NamedTuple):
    """Everything of a `filtered_lrelu` call that is not a tensor."""

    up: tuple[int, int]  # x, y
    down: tuple[int, int]  # x, y
    pad: tuple[int, int, int, int]  # x before, x after, y before, y after, in samples of the enlarged picture
    slope: float  # of the leaky ReLU, not negative
    gain: float  # after the activation, positive
    clamp: float | None
    flip_filter: bool

    @property
    def enlarge(self) -> Resampling:
        """What comes before the activation."""
        return Resampling(self.up, (1, 1), self.pad, self.flip_filter, float(self.up[0] * self.up[1]))

    @property
    def shrink(self) -> Resampling:
        """What comes after it."""
        return Resampling((1, 1), self.down, (0, 0, 0, 0), self.flip_filter, 1.0)

    def sizes(self, x: Tensor, fu: Tensor, fd: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
        """Height and width of the enlarged picture, and of the output; below 1 where nothing is left."""
        large = self.enlarge.output_size(x.shape[2], x.shape[3], *filter_size(fu)[::-1])
        return large, self.shrink.output_size(*large, *filter_size(fd)[::-1])


def parse_factor(name: str, value: int | Sequence[int]) -> tuple[int, int]:
    """An up or down factor -> (x, y). Raises ValueError unless it is one or two positive integers."""
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(v, int) and v >= 1 for v in pair):
        raise ValueError(f"{name} must be a positive integer or two of them (x, y), not {value!r}")
    return pair[0], pair[1]


def parse_padding(value: int | Sequence[int]) -> tuple[int, int, int, int]:
    """A padding -> (x before, x after, y before, y after); two numbers are (x, y). Negative numbers crop."""
    full = (value,) * 4 if isinstance(value, int) else tuple(value)
    if len(full) == 2:
        full = (full[0], full[0], full[1], full[1])
    if len(full) != 4 or not all(isinstance(v, int) for v in full):
        raise ValueError(f"padding must be one, two (x, y) or four (x0, x1, y0, y1) integers, not {value!r}")
    return full[0], full[1], full[2], full[3]


def filter_size(f: Tensor | None) -> tuple[int, int]:
    """(width, height) in taps; None is the single tap 1."""
    if f is None:
        return 1, 1
    return int(f.shape[-1]), int(f.shape[0])
