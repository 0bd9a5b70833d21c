"""A change that an artist painted on some frames, carried through their shot with the face.

Each painted frame is compared with every other frame of its shot directly, so that nothing drifts. Between two of them
the change goes over from the one to the other by their distance; before the first and after the last one it stays.
Where a place is not to be seen in a painted frame, or another thing lies over it now, the other painted frame has it
alone, or nothing is changed. Places and visibility are averaged over a few frames, for the change to lie still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from stitchedit.editing.face_correspondence import FIELD, PX, corrected, face_view, joined, mesh_places
from stitchedit.faces.alignment import PixelBox, crop_to_source
from stitchedit.image.optical_flow import sample
from stitchedit.image.resample import apply, inverse
from stitchedit.image.smoothing import smoothstep
from stitchedit.types import Crops, FacePoints, FloatArray, Tracks

_SIGMA = 1.0  # frames, Gaussian over which what the mesh lacks is averaged
_REACH = 2  # frames on each side
_KEPT = 24  # views and fields
_LEAST = 1e-3  # of a weight that is divided by
_ROOM = 2  # pixels around what was painted


@dataclass(frozen=True, slots=True)
class Retouch:
    """What was painted on a frame."""

    frame: int
    box: PixelBox  # of the frame
    change: FloatArray  # [h, w, 3] on 0..255, to be added there; exactly 0 where nothing was painted


class _Map(NamedTuple):
    """Where a painted frame is found in another one of its shot."""

    key: int  # the painted crop
    weight: float  # by distance
    places: FloatArray  # [PX, PX, 2] for each place of the other crop, in pixels of what was painted
    visible: FloatArray  # [PX, PX] in 0..1


class CarriedRetouch:
    """One face's retouches through the clip; may be asked by several threads.

    Args:
        crops, points: the face's, of which each retouched frame has one.
        tracks: for the cuts, and the size of the frames.
        retouches: at least one, of different frames.
    """

    def __init__(self, crops: Crops, points: FacePoints, tracks: Tracks, retouches: Sequence[Retouch]) -> None:
        self._crops, self._size = crops, tracks.frame_size
        self._shots = np.searchsorted(tracks.cuts, crops.frames, side="right")  # [N]
        self._keys: dict[int, Retouch] = {}
        for retouch in retouches:
            index = crops.of_frame(retouch.frame)
            assert index is not None, "a retouched frame has a crop"
            self._keys[index] = retouch
        mesh = points.points
        view = lru_cache(_KEPT)(lambda index: face_view(crops.images[index], mesh[index]))
        places = lru_cache(_KEPT)(lambda index, key: mesh_places(mesh[index], mesh[key]))
        same = np.concatenate([np.zeros((FIELD, FIELD, 2)), np.ones((FIELD, FIELD, 1))], axis=-1, dtype=np.float32)

        def lacking(index: int, key: int) -> FloatArray:
            return same if index == key else corrected(view(index), view(key), places(index, key))

        self._places, self._lacking = places, lru_cache(_KEPT)(lacking)

    def change(self, index: int) -> tuple[PixelBox, FloatArray] | None:
        """What is to be added to the frame of a crop: a box of it, and [h, w, 3] on 0..255; None: nothing."""
        if index in self._keys:
            return self._keys[index].box, self._keys[index].change
        maps = [self._map(index, key, weight) for key, weight in self._weights(index)]
        box = self._box(maps, self._crops.quads[index])
        if box is None:
            return None
        x, y = np.meshgrid(np.arange(box[0], box[2]) + 0.5, np.arange(box[1], box[3]) + 0.5)
        at = apply(inverse(crop_to_source(self._crops.quads[index])), np.stack([x, y], axis=-1))
        at = at * np.float32(PX) - np.float32(0.5)
        inside = ((at > -0.5) & (at < PX - 0.5)).all(axis=-1)
        total, share, seen = np.zeros((*inside.shape, 3), np.float32), *np.zeros((2, *inside.shape), np.float32)
        for each in maps:
            change, visible = self._read(each, at)
            visible = visible * inside
            total += (np.float32(each.weight) * visible)[..., None] * change
            share += np.float32(each.weight) * visible
            seen = np.maximum(seen, visible)
        total *= (seen / np.maximum(share, np.float32(_LEAST)))[..., None]
        return box, total

    def _weights(self, index: int) -> list[tuple[int, float]]:
        """The painted crops next to one in its shot, and how much each counts by distance; they add up to 1."""
        keys = sorted(key for key in self._keys if self._shots[key] == self._shots[index])
        before, after = [k for k in keys if k < index][-1:], [k for k in keys if k > index][:1]
        if not (before and after):
            return [(key, 1.0) for key in (*before, *after)]
        first, now, last = (float(self._crops.frames[k]) for k in (before[0], index, after[0]))
        later = float(smoothstep(np.array((now - first) / (last - first), np.float32)))
        return [(before[0], 1 - later), (after[0], later)]

    def _map(self, index: int, key: int, weight: float) -> _Map:
        places, visible = joined(self._places(index, key), self._steady(index, key))
        corner = np.array(self._keys[key].box[:2], np.float32) + np.float32(0.5)
        return _Map(key, weight, apply(crop_to_source(self._crops.quads[key]), places) - corner, visible)

    def _read(self, each: _Map, at: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What was painted, and how far it is seen, at places of the other crop, in pixels of PX: [h, w, 3], [h, w]."""
        fields = sample(np.concatenate([each.places, each.visible[..., None]], axis=-1), at, "repeat")
        flat = cv2.copyMakeBorder(self._keys[each.key].change, *(4 * (_ROOM,)), cv2.BORDER_CONSTANT)
        change: FloatArray = sample(flat, fields[..., :2] + np.float32(_ROOM), "repeat", cubic=True)
        return change, fields[..., 2]

    def _box(self, maps: Sequence[_Map], quad: FloatArray) -> PixelBox | None:
        """The frame's pixels on which anything that was painted comes to lie."""
        hit = np.zeros((PX, PX), bool)
        for each in maps:
            height, width = self._keys[each.key].change.shape[:2]
            hit |= ((each.places > -_ROOM) & (each.places < (width - 1 + _ROOM, height - 1 + _ROOM))).all(axis=-1)
        rows, columns = np.nonzero(hit)
        if not len(rows):
            return None
        lie = apply(crop_to_source(quad, PX), np.stack([columns, rows], axis=-1) + np.float32(0.5))
        room = 2 * float(np.hypot(*(quad[3] - quad[0]))) / PX + 1
        low, high = np.floor(lie.min(axis=0) - room), np.ceil(lie.max(axis=0) + room)
        (x0, y0), (x1, y1) = low.clip(0).astype(int).tolist(), np.minimum(high, self._size).astype(int).tolist()
        return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None

    def _steady(self, index: int, key: int) -> FloatArray:
        """What the mesh lacks, averaged over the frames around."""
        total, count = np.zeros((FIELD, FIELD, 3), np.float32), 0.0
        for other in range(max(0, index - _REACH), min(len(self._shots), index + _REACH + 1)):
            if self._shots[other] == self._shots[index]:
                apart = float(self._crops.frames[other] - self._crops.frames[index]) / _SIGMA
                weight = float(np.exp(-apart * apart / 2))
                total, count = total + np.float32(weight) * self._lacking(other, key), count + weight
        steady: FloatArray = total / np.float32(count)
        return steady
