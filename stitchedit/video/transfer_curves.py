"""Curves of video and film that are in no OpenColorIO configuration as footage, or needed without it: PQ, HLG, Cineon.

Convention: `light` takes values of a file to light, 1 the white of the display and no end above; `values` is its
inverse. Both go on, mirrored, below 0. Float64 inside: the curves are steep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitchedit.types import FloatArray
from stitchedit.video.linear_light import LinearLight, to_srgb

Floats = NDArray[np.float64]

_REC2020 = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)
_LUMA_2020 = np.array([0.2627, 0.6780, 0.0593])
_WHITE_NITS = 203.0  # of diffuse white in HDR: ITU-R BT.2408
_HLG_NITS = 1000.0  # of the display that HLG is looked at on, with the system gamma that BT.2100 gives for it
_HLG_GAMMA = 1.2


def pq_light(values: Floats) -> Floats:
    """SMPTE ST 2084 as light of the display, 1 for 203 cd/m2."""
    root = np.abs(values) ** (1 / _PQ_M2)
    # Above a value of 2, where no file is, the curve has a pole.
    size = np.maximum(root - _PQ_C1, 0) / np.maximum(_PQ_C2 - _PQ_C3 * root, 1e-6)
    return np.asarray(np.copysign(size ** (1 / _PQ_M1) * (10_000 / _WHITE_NITS), values))


def pq_values(light: Floats) -> Floats:
    power = (np.abs(light) * (_WHITE_NITS / 10_000)) ** _PQ_M1
    return np.asarray(np.copysign(((_PQ_C1 + _PQ_C2 * power) / (1 + _PQ_C3 * power)) ** _PQ_M2, light))


def hlg_light(values: Floats) -> Floats:
    """ITU-R BT.2100 HLG as light of a display of 1000 cd/m2, 1 for 203 cd/m2; three channels, [..., 3]."""
    size = np.abs(values)
    scene = np.where(size <= 0.5, size**2 / 3, (np.exp((size - _HLG_C) / _HLG_A) + _HLG_B) / 12)
    scene = np.copysign(scene, values)
    return scene * _gain(scene @ _LUMA_2020, _HLG_GAMMA - 1) * (_HLG_NITS / _WHITE_NITS)


def hlg_values(light: Floats) -> Floats:
    shown = light * (_WHITE_NITS / _HLG_NITS)
    scene = shown * _gain(shown @ _LUMA_2020, (1 - _HLG_GAMMA) / _HLG_GAMMA)
    size = np.abs(scene)
    with np.errstate(invalid="ignore", divide="ignore"):
        upper = _HLG_A * np.log(12 * size - _HLG_B) + _HLG_C
    return np.asarray(np.copysign(np.where(size <= 1 / 12, np.sqrt(3 * size), upper), scene))


def _gain(luminance: Floats, power: float) -> Floats:
    """luminance ** power, [..., 1]; of black, and what is darker, some value that is not 0 and can be undone."""
    return np.asarray(np.maximum(np.abs(luminance), 1e-9) ** power)[..., None]


def cineon_light(values: Floats) -> Floats:
    """Kodak's film scans: white at code 685 of 1023, black at 95, 0.002 of density a code, gamma 0.6."""
    return np.asarray((10 ** ((1023 * values - 685) * _CINEON_STEP) - _CINEON_BLACK) / (1 - _CINEON_BLACK))


def cineon_values(light: Floats) -> Floats:
    """What is darker than the darkest code gets that code."""
    size = np.maximum(light * (1 - _CINEON_BLACK) + _CINEON_BLACK, 10 ** (-685 * _CINEON_STEP))
    return np.asarray((np.log10(size) / _CINEON_STEP + 685) / 1023)


@dataclass(frozen=True, slots=True)
class Curve:
    """The `View` of a curve, and of the primaries under it."""

    name: str
    light: Callable[[Floats], Floats]
    values: Callable[[Floats], Floats]
    linear: LinearLight

    def shown(self, values: FloatArray) -> FloatArray:
        return self.linear.shown(self.light(values.astype(np.float64)).astype(np.float32))

    def stored(self, codes: FloatArray) -> FloatArray:
        return self.values(self.linear.stored(codes).astype(np.float64)).astype(np.float32)


_PQ_M1, _PQ_M2 = 2610 / 16384, 2523 / 4096 * 128
_PQ_C1, _PQ_C2, _PQ_C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_HLG_A = 0.17883277
_HLG_B, _HLG_C = 1 - 4 * _HLG_A, 0.5 - _HLG_A * float(np.log(4 * _HLG_A))
_CINEON_STEP = 0.002 / 0.6
_CINEON_BLACK = 10 ** ((95 - 685) * _CINEON_STEP)

PQ = Curve("PQ", pq_light, pq_values, LinearLight(to_srgb(_REC2020)))
HLG = Curve("HLG", hlg_light, hlg_values, LinearLight(to_srgb(_REC2020)))
CINEON = Curve("Cineon", cineon_light, cineon_values, LinearLight())
