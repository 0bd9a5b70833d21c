"""What each layer of StyleGAN3 may draw: sampling rate, cutoff, size, width; and the filters that follow from it.

Frequencies are in cycles and rates in samples, both for the width of the picture: at 1024 samples a picture has
frequencies below 512.
Source: Karras et al. 2021, arXiv:2106.12423, section 3 and appendix C; constants as in NVIDIA stylegan3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

FILTER_SIZE = 6  # taps for every step of a factor
LRELU_UPSAMPLING = 2  # how much finer than its picture a layer's activation works
MOST_EXTRA = 4  # eighths of the picture on each side: half as much again, of which nothing was learned
MAX_LAYERS, MAX_RESOLUTION, MAX_MARGIN = 64, 8192, 256  # of what a file may describe


@dataclass(frozen=True, slots=True)
class Signal:
    """What a layer gives, or takes from the one below."""

    rate: int  # samples
    cutoff: float  # frequencies up to here are kept
    half_width: float  # of the filter's transition, on either side of the cutoff
    size: int  # pixels of the side, margins included
    channels: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """The arguments that decide it, by NVIDIA's names.

    `channels`: widths of all layers but the last; empty: from channel_base and channel_max.
    """

    img_resolution: int
    img_channels: int = 3
    num_layers: int = 14
    num_critical: int = 2  # last layers that are sampled without room above the cutoff
    first_cutoff: float = 2.0
    first_stopband: float = 2**2.1
    last_stopband_rel: float = 2**0.3  # of the last cutoff
    margin_size: int = 10  # pixels around the picture
    channel_base: int = 32768
    channel_max: int = 512
    channels: tuple[int, ...] = ()
    extra: int = 0  # eighths of the picture's side that are drawn beyond it, in each direction left and right together

    def __post_init__(self) -> None:
        size = self.img_resolution
        if not 16 <= size <= MAX_RESOLUTION or size & (size - 1):
            raise ValueError(f"the resolution must be a power of two from 16 to {MAX_RESOLUTION}, not {size}")
        if not 1 <= self.num_critical < self.num_layers <= MAX_LAYERS:
            raise ValueError(f"{self.num_layers} layers, {self.num_critical} of them critical, cannot be")
        if not 0 <= self.margin_size <= MAX_MARGIN:
            raise ValueError(f"the margin must be 0 to {MAX_MARGIN} px, not {self.margin_size}")
        if not (1 <= self.first_cutoff < self.first_stopband < size and 1 < self.last_stopband_rel < 8):
            raise ValueError("the first cutoff must be below its stopband, and that below the resolution")
        if not 0 <= self.extra <= 2 * MOST_EXTRA:
            raise ValueError(f"at most {2 * MOST_EXTRA} eighths more can be drawn, not {self.extra}")
        if self.channels and (len(self.channels) != self.num_layers or min(self.channels) < 1):
            raise ValueError(f"{self.num_layers} widths are needed, not {list(self.channels)[:20]}")

    def signals(self) -> list[Signal]:
        """What each layer gives, the last of them RGB: num_layers + 1. The network's input is like the first."""
        last_cutoff = self.img_resolution / 2
        last_stopband = last_cutoff * self.last_stopband_rel
        out = []
        for index in range(self.num_layers + 1):
            way = min(index / (self.num_layers - self.num_critical), 1.0)
            cutoff = self.first_cutoff * (last_cutoff / self.first_cutoff) ** way
            stopband = self.first_stopband * (last_stopband / self.first_stopband) ** way
            rate = 2 ** math.ceil(math.log2(min(stopband * 2, self.img_resolution)))
            size = self.img_resolution if index >= self.num_layers - 1 else rate + 2 * self.margin_size
            width = self.img_channels if index == self.num_layers else self._width(index, cutoff)
            size += rate * self.extra // 8
            out.append(Signal(rate, cutoff, max(stopband, rate / 2) - cutoff, size, width))
        return out

    def layers(self) -> list[tuple[str, Signal, Signal]]:
        """(name, what it takes, what it gives) of every layer, L0 to the one that gives RGB."""
        signals = self.signals()
        steps = pairwise([signals[0], *signals])
        return [(self._name(i, there), here, there) for i, (here, there) in enumerate(steps)]

    def _name(self, index: int, there: Signal) -> str:
        """Such as "L3_52_512", whatever is drawn beyond the picture."""
        return f"L{index}_{there.size - there.rate * self.extra // 8}_{there.channels}"

    def _width(self, index: int, cutoff: float) -> int:
        if self.channels:
            return self.channels[index]
        return round(min(self.channel_base / 2 / cutoff, self.channel_max))


@dataclass(frozen=True, slots=True)
class Resample:
    """How a layer's activation is enlarged before and shrunk after it, for `filtered_lrelu`."""

    up: int
    down: int
    up_filter: NDArray[np.float32] | None  # [taps]; None where nothing is resampled
    down_filter: NDArray[np.float32] | None  # [taps], or [taps, taps] where it is round
    padding: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """A layer: its name, such as "L3_52_512", what it takes and gives, and what lies between."""

    name: str
    here: Signal
    there: Signal
    kernel: int  # pixels of the convolution's side
    is_rgb: bool
    resample: Resample


def plan_layers(schedule: Schedule, conv_kernel: int, radial: bool) -> list[LayerPlan]:
    """All layers of a network, in the order of execution; `radial`: round filters, but in the critical layers."""
    out = []
    for index, (name, here, there) in enumerate(schedule.layers()):
        is_rgb = index == schedule.num_layers
        kernel = 1 if is_rgb else conv_kernel
        round_ = radial and index < schedule.num_layers - schedule.num_critical
        way = resample_of(here, there, kernel=kernel, is_rgb=is_rgb, radial=round_)
        out.append(LayerPlan(name, here, there, kernel, is_rgb, way))
    return out


def resample_of(here: Signal, there: Signal, *, kernel: int, is_rgb: bool, radial: bool) -> Resample:
    """From `here` to `there` through a convolution of `kernel` px: everything but the last layer, which gives RGB.

    Args: radial: whether the filter on the way down is round.
    """
    rate = max(here.rate, there.rate) * (1 if is_rgb else LRELU_UPSAMPLING)
    up, down = rate // here.rate, rate // there.rate
    up_taps = FILTER_SIZE * up if up > 1 and not is_rgb else 1
    down_taps = FILTER_SIZE * down if down > 1 and not is_rgb else 1
    total = (there.size - 1) * down + 1 - (here.size + kernel - 1) * up + up_taps + down_taps - 2
    before = (total + up) // 2
    after = total - before
    return Resample(
        up,
        down,
        design_lowpass(up_taps, here.cutoff, here.half_width * 2, rate),
        design_lowpass(down_taps, there.cutoff, there.half_width * 2, rate, radial=radial),
        (before, after, before, after),
    )


def design_lowpass(
    taps: int, cutoff: float, width: float, rate: float, *, radial: bool = False
) -> NDArray[np.float32] | None:
    """A low-pass filter with a Kaiser window: [taps], or [taps, taps] of round response; None for one tap.

    Args: cutoff and width of the transition: frequencies, for samples at `rate`.
    """
    if taps == 1:
        return None
    import scipy.signal  # half a second, which who draws with another generator need not wait
    import scipy.special

    if not radial:
        line: NDArray[np.float64] = scipy.signal.firwin(taps, cutoff, width=width, fs=rate)
        return line.astype(np.float32, copy=False)
    at = (np.arange(taps) - (taps - 1) / 2) / rate
    radius = np.hypot(*np.meshgrid(at, at))  # not 0 for an even number of taps
    jinc = scipy.special.j1(2 * cutoff * np.pi * radius) / (np.pi * radius)
    beta = scipy.signal.kaiser_beta(scipy.signal.kaiser_atten(taps, width / (rate / 2)))
    window = np.kaiser(taps, beta)
    found: NDArray[np.float64] = jinc * np.outer(window, window)
    found /= found.sum()
    return found.astype(np.float32)
