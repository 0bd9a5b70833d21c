"""What was painted on a picture: where it differs from the one that was given, and whether it is that one at all."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stitchedit.faces.alignment import PixelBox
from stitchedit.types import FloatArray

_PAINTED = 1.0  # grey levels of difference from which on a pixel is painted: programs round to 8 bits, or half floats
_ROOM = 2  # pixels around, which soft brushes fade into
_FAR = 3.0  # levels of difference that are counted where nothing should be painted
_MOST = 0.5  # of the pixels that may differ so much: more is another picture, or another colour space
_STRIDE = 2  # pixels, step of those by which frames are told apart
_TELLING = 50  # pixels that must speak for another frame
_CLOSE = 4.0  # levels, mean difference to what a mistake would give


def painted_change(painted: FloatArray, ours: FloatArray) -> tuple[PixelBox, FloatArray] | None:
    """Where a picture differs from ours, and by what: a box, and [h, w, 3] that is exactly 0 where nothing was painted.

    Args: painted, ours: RGB [H, W, 3] on 0..255. None: nothing was painted.
    """
    change = painted - _as_kept(painted, ours)
    marked = (np.abs(change).max(axis=-1) > _PAINTED).astype(np.uint8)
    if not marked.any():
        return None
    wide = cv2.dilate(marked, np.ones((2 * _ROOM + 1, 2 * _ROOM + 1), np.uint8))
    rows, columns = np.flatnonzero(wide.any(axis=1)), np.flatnonzero(wide.any(axis=0))
    x0, y0, x1, y1 = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    kept = np.where(wide[y0:y1, x0:x1, None] > 0, change[y0:y1, x0:x1], 0)
    return (x0, y0, x1, y1), np.ascontiguousarray(kept, np.float32)


def why_other(painted: FloatArray, ours: FloatArray) -> str:
    """What is wrong with a picture that was not painted over ours; empty, where most of it is ours."""
    apart = np.abs(painted - _as_kept(painted, ours))
    if (apart.max(axis=-1) > _FAR).mean() <= _MOST:
        return ""
    unit, own = (painted / 255).clip(0, None), (ours / 255).clip(0, None)
    mistakes = {
        "its values are light where codes are wanted": own**2.2,
        "its values are codes where light is wanted": own ** (1 / 2.2),
        "its red and blue are exchanged": own[..., ::-1],
    }
    off = {why: float(np.abs(unit - wrong).mean()) * 255 for why, wrong in mistakes.items()}
    why = min(off, key=lambda each: off[each])
    if off[why] < min(_CLOSE, float(apart.mean()) / 2):
        return why
    return f"it differs nearly everywhere, by {float(np.median(apart)):.0f} grey levels in the middle"


class FrameFinder:
    """Finds out which frame of a clip a picture was painted over, by the pixels that neither edit nor artist touched.

    Args:
        painted: RGB [H, W, 3] on 0..255; asked: which frame it is said to be.
    """

    def __init__(self, painted: FloatArray, asked: int) -> None:
        self._painted, self.asked = painted[::_STRIDE, ::_STRIDE], asked
        self._best: tuple[int, int, FloatArray] | None = None  # (equal pixels, frame, picture)
        self._said: FloatArray | None = None

    def look(self, frame: int, rgb: FloatArray) -> None:
        """Compare with a frame of the source, [H, W, 3]; to be called for all of them."""
        part = rgb[::_STRIDE, ::_STRIDE]
        equal = int(self._equal(part).sum())
        if frame == self.asked:
            self._said = part
        if self._best is None or equal > self._best[0]:
            self._best = equal, frame, part

    @property
    def other(self) -> int | None:
        """Another frame, if it was surely painted over that: it has more of the pixels that tell the two apart."""
        if self._best is None or self._said is None or self._best[1] == self.asked:
            return None
        _, frame, picture = self._best
        apart = np.abs(picture - self._said).max(axis=-1) > 2 * _PAINTED
        ours, theirs = (int((self._equal(each) & apart).sum()) for each in (self._said, picture))
        return frame if theirs > max(_TELLING, 2 * ours) else None

    def _equal(self, picture: FloatArray) -> NDArray[np.bool_]:
        equal: NDArray[np.bool_] = np.abs(self._painted - _as_kept(self._painted, picture)).max(axis=-1) <= _PAINTED
        return equal


def _as_kept(painted: FloatArray, ours: FloatArray) -> FloatArray:
    """Our picture, cut off at black and white where the painted one is: files of codes have no more, and video does."""
    cut = ours.clip(0, 255)
    return np.where(np.abs(painted - cut) < np.abs(painted - ours), cut, ours)
