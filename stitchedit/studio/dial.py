"""Sliders of the page: what a direction is called there, and how far it goes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stitchedit.editing.direction import Direction


@dataclass(frozen=True, slots=True)
class Dial:
    """A direction's slider, in the direction's own units."""

    name: str  # as the command line takes it: a name, or a file
    label: str
    low: float
    high: float
    unit: float  # what strength 1 is

    @property
    def step(self) -> float:
        return float(10.0 ** math.floor(math.log10((self.high - self.low) / 50)))


def dial_of(name: str, direction: Direction) -> Dial:
    """The slider of a direction, over its own range; of three units to either side, where it has none."""
    low, high = direction.range or (-3.0, 3.0)
    unit = direction.amount or 1.0
    label = f"{direction.label}, {direction.measured_in}" if direction.amount else direction.label
    ends = sorted(float(f"{end * unit:.4g}") for end in (low, high))
    return Dial(name, label, ends[0], ends[1], unit)
