"""How a stored picture is to be turned and mirrored to stand upright.

A display matrix maps stored pixels to shown ones. Quarter turns and mirrors (the eight EXIF orientations) are
handled here; other angles are for players to show and leave the picture as it is stored.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stitchedit.video.yuv import Box

_Array = TypeVar("_Array", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Orientation:
    """Upright = the stored picture transposed (if so), then mirrored left to right and top to bottom (if so)."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def degrees(self) -> int:
        """The clockwise turn that makes the picture upright: 0, 90, 180 or 270; after a mirroring, if there is one."""
        if self.transpose:
            return 90 if self.flip_x else 270
        return 180 if self.flip_y else 0

    @property
    def mirrored(self) -> bool:
        """Whether text would read backwards in the stored picture."""
        return self.transpose ^ self.flip_x ^ self.flip_y

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of the upright picture, from those of the stored one."""
        return (height, width) if self.transpose else (width, height)

    def upright(self, picture: NDArray[_Array]) -> NDArray[_Array]:
        """[h, w, ...] as stored -> upright, a view."""
        turned = picture.swapaxes(0, 1) if self.transpose else picture
        return turned[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]

    def stored(self, picture: NDArray[_Array]) -> NDArray[_Array]:
        """[h, w, ...] upright -> as stored, a view."""
        turned = picture[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return turned.swapaxes(0, 1) if self.transpose else turned

    def stored_box(self, box: Box, width: int, height: int) -> Box:
        """The box of the stored picture that an upright box shows; width and height are the stored picture's."""
        across, down = self.size(width, height)
        x0, y0, x1, y1 = box
        if self.flip_x:
            x0, x1 = across - x1, across - x0
        if self.flip_y:
            y0, y1 = down - y1, down - y0
        return (y0, x0, y1, x1) if self.transpose else (x0, y0, x1, y1)


def from_matrix(matrix: Sequence[int]) -> Orientation | None:
    """The orientation of a display matrix, or None when its angle is no quarter turn (within a degree).

    Args:
        matrix: 9 integers, a b u c d v x y w; x' = a x + c y, y' = b x + d y, in 16.16 fixed point (ISO 14496-12).
    """
    a, b, _, c, d = matrix[:5]
    straight, turned = max(abs(a), abs(d)), max(abs(b), abs(c))
    if turned <= straight / 57 and a and d:
        return Orientation(flip_x=a < 0, flip_y=d < 0)
    if straight <= turned / 57 and b and c:
        return Orientation(transpose=True, flip_x=c < 0, flip_y=b < 0)
    return None


def parse_matrix(data: bytes) -> tuple[int, ...]:
    """The 9 integers of FFmpeg's display matrix side data. Raises ValueError for another size."""
    if len(data) != 36:
        raise ValueError(f"a display matrix has 36 bytes, not {len(data)}")
    return struct.unpack("=9i", data)
