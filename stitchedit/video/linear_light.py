"""Linear light and what is shown of it: sRGB's curve without an end, and other primaries.

Convention: light is [h, w, 3] with 1 the white of the display, or any value beyond; shown is the same on sRGB's curve,
on a scale of 0..255. The curve goes on above 1 and, mirrored, below 0, so that nothing is lost there and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitchedit.types import FloatArray

SRGB = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # x, y of red, green, blue and white: BT.709's
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_BRIGHTEST = 65504.0  # of a half float; what is no number is shown as black, and infinity as this


def shown(light: FloatArray) -> FloatArray:
    """Light on sRGB's curve times 255, not clipped. Source: IEC 61966-2-1."""
    finite = np.nan_to_num(light.astype(np.float32), nan=0.0, posinf=_BRIGHTEST, neginf=-_BRIGHTEST)
    size = np.abs(finite)
    curve = np.where(size <= 0.0031308, size * 12.92, 1.055 * np.power(size, 1 / 2.4) - 0.055)
    codes: FloatArray = (np.copysign(curve, finite) * 255.0).astype(np.float32)
    return codes


def light(codes: FloatArray) -> FloatArray:
    """The inverse of `shown`."""
    scaled = codes.astype(np.float32) / 255.0
    size = np.abs(scaled)
    curve = np.where(size <= 0.04045, size / 12.92, np.power((size + 0.055) / 1.055, 2.4))
    linear: FloatArray = np.copysign(curve, scaled).astype(np.float32)
    return linear


def to_srgb(chromaticities: Sequence[float]) -> FloatArray:
    """The matrix [3, 3] that takes light of other primaries to sRGB's, white to white (Bradford).

    Args:
        chromaticities: x, y of red, green, blue and white, as in OpenEXR's attribute.
    Raises: ValueError, when they span no space of colours.
    """
    if not np.isfinite(np.asarray(chromaticities, float)).all() or len(chromaticities) != 8:
        raise ValueError("its primaries are no numbers")
    there, here = _to_xyz(chromaticities), _to_xyz(SRGB)
    white, wanted = _BRADFORD @ there.sum(1), _BRADFORD @ here.sum(1)
    if not np.all(np.abs(white) > 1e-6):
        raise ValueError("its white point is no colour")
    adapt = np.linalg.inv(_BRADFORD) @ np.diag(wanted / white) @ _BRADFORD
    matrix: FloatArray = (np.linalg.inv(here) @ adapt @ there).astype(np.float32)
    return matrix


@dataclass(frozen=True, slots=True)
class LinearLight:
    """The `View` of light."""

    matrix: FloatArray | None = None  # [3, 3] from the file's primaries to sRGB's; None: they are the same
    name: str = "linear light"

    def shown(self, values: FloatArray) -> FloatArray:
        return shown(values if self.matrix is None else values @ self.matrix.T)

    def stored(self, codes: FloatArray) -> FloatArray:
        mixed = light(codes)
        return mixed if self.matrix is None else mixed @ np.linalg.inv(self.matrix).T


def _to_xyz(chromaticities: Sequence[float]) -> NDArray[np.float64]:
    """RGB to XYZ, [3, 3], white of luminance 1. Source: SMPTE RP 177."""
    points = np.asarray(chromaticities, float).reshape(4, 2)
    if not np.all(np.abs(points[:, 1]) > 1e-6):
        raise ValueError("its primaries are no colours")
    xyz = np.stack([points[:, 0] / points[:, 1], np.ones(4), (1 - points.sum(1)) / points[:, 1]])  # [3, 4]
    try:
        scale = np.linalg.solve(xyz[:, :3], xyz[:, 3])
    except np.linalg.LinAlgError as exc:
        raise ValueError("its primaries span no space of colours") from exc
    if np.abs(np.linalg.det(xyz[:, :3] * scale)) < 1e-6:
        raise ValueError("its primaries span no space of colours")
    return xyz[:, :3] * scale
