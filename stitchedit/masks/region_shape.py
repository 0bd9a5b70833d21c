"""The part of a crop that an edit may change, as smooth distances to its border.

Masks, rings and fades are drawn from it, in the crop or on the source's own pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from stitchedit.faces.alignment import PixelBox, sides, to_source, uncrop
from stitchedit.faces.mesh_topology import face_outline
from stitchedit.image.signed_distance import distance
from stitchedit.types import FacePoints, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What lies inside of any outline, or where the field is below 0. Positions are in crop sides."""

    outlines: tuple[FloatArray, ...]  # [K, 2] each, closed
    grow: float = 0.0  # crop sides by which the outlines are widened
    within: FloatArray | None = None  # [K, 2]: nothing outside of this outline belongs to it
    field: FloatArray | None = None  # [R, R] over the crop: how far outside, in crop sides, negative inside

    @property
    def center(self) -> FloatArray:
        """The middle of the first outline, [2]."""
        middle: FloatArray = self.outlines[0].mean(axis=0)
        return middle

    @property
    def extent(self) -> FloatArray:
        """Points [K, 2] between which all of it lies, but for `grow`."""
        points = [*self.outlines]
        if self.field is not None:
            rows, columns = np.nonzero(self.field < 0)
            if len(rows):
                low, high = (columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)
                points.append(_corners(low, high) / np.float32(self.field.shape[0]))
        return np.concatenate(points)

    def distance(self, size: int) -> FloatArray:
        """How far each pixel's centre of a crop lies outside, negative inside: float32 [size, size], in its pixels."""
        far = self._outlined([p * size for p in self.outlines], self.within, size, (size, size))
        if self.field is None:
            return far
        scaled: FloatArray = cv2.resize(self.field, (size, size), interpolation=cv2.INTER_LINEAR)
        united: FloatArray = np.minimum(far, scaled * np.float32(size))
        return united

    def distance_in(self, quad: FloatArray, box: PixelBox) -> FloatArray:
        """The same on the source pixels of a box: float32 [h, w], in source pixels."""
        side = float(sides(quad[None])[0])
        size = (box[2] - box[0], box[3] - box[1])
        corner = np.array(box[:2], np.float32)
        moved = [to_source(p, quad) - corner for p in self.outlines]
        within = None if self.within is None else (to_source(self.within, quad) - corner) / np.float32(side)
        far = self._outlined(moved, within, side, size)
        if self.field is None:
            return far
        united: FloatArray = np.minimum(far, uncrop(self.field * np.float32(side), quad, box, "repeat", smooth=False))
        return united

    def _outlined(
        self, outlines: list[FloatArray], within: FloatArray | None, scale: float, size: tuple[int, int]
    ) -> FloatArray:
        """Distance in pixels to outlines in pixels; `within` in units of `scale` pixels, as `grow` is."""
        far: FloatArray = np.minimum.reduce([distance(outline, size) for outline in outlines])
        if self.grow:
            far = far - np.float32(self.grow * scale)
        if within is not None:
            far = np.maximum(far, distance(within * np.float32(scale), size))
        return far


class Shapes(Protocol):
    """A shape for each of N crops, made when asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Shape: ...


def face_shape(points: FloatArray) -> Shape:
    """The face from hairline to chin, from mesh points [468, 2] in crop sides."""
    return Shape((face_outline(points),))


def face_shapes(points: FacePoints) -> list[Shape]:
    """Those of all crops."""
    return [face_shape(mesh) for mesh in points.points]


def _corners(low: tuple[int, int], high: tuple[int, int]) -> FloatArray:
    return np.array([low, (low[0], high[1]), high, (high[0], low[1])], np.float32)
