"""Stitched crops -> the same without flicker: what an edit changes is made to move with the face, and only so.

Each frame is drawn by itself, so the change that an edit makes trembles a little from frame to frame, by noise in the
codes and by texture that sticks to the crop's grid. The source does not: its own optical flow says where each point of
the face was a few frames before and will be after. The *change* (edited minus source) is averaged along these paths;
the source's share of the picture is left alone, so nothing of it blurs and its own grain stays. Where a neighbour does
not show the same thing (a blink, a hand, flow that went wrong) it gets zero weight. What comes out has fractions of
a grey level: rounded, a change of a few levels would tremble again by what rounding does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from stitchedit.image.optical_flow import dense_flow, places_along, sample, turned_round
from stitchedit.image.similarity import largest
from stitchedit.parallel import MOST_THREADS, side_by_side
from stitchedit.types import ByteArray, CropImages, FloatArray

REACH = 2.0  # neighbours looked at on each side, times sigma
UNLIKE = 12.0  # grey levels between a neighbour brought here and this frame, at which it counts a third
FLOW_PX = 384  # flow is found in pictures of this size at most: in those of 512 px it takes twice as long


def steadied(edited: CropImages, source: CropImages, runs: Sequence[slice], sigma: float) -> Iterator[FloatArray]:
    """The edited crops in turn, float32 [S, S, 3] RGB on 0..255; some at a time, on all cores.

    Args:
        edited, source: the crops of the same N frames.
        runs: stretches of these that follow each other without gap or cut; nothing is averaged across their ends.
        sigma: frames, of the Gaussian that neighbours count by; 0 gives the pictures as they are.
    """
    reach = round(REACH * sigma)
    held = 2 * reach + 2 + MOST_THREADS
    kept = lru_cache(maxsize=held)(lambda index: _Crop.of(source[index], edited[index]))  # as bytes: they are many
    flow = _Flows(lru_cache(maxsize=held)(lambda index: _grey(kept(index).own)))

    def steady(place: tuple[int, slice]) -> FloatArray:
        index, run = place
        near = range(max(run.start, index - reach), min(run.stop, index + reach + 1))
        here, box = kept(index), _united([kept(other).changed for other in near])
        own = here.own[box]
        total = here.change()[box]
        count = np.ones((*own.shape[:2], 1), np.float32)
        for other in near if own.size else ():
            if other != index:
                path = _path(flow(index, other), len(here.own))[box]
                there, counts = kept(other), np.float32(np.exp(-(((other - index) / sigma) ** 2) / 2))
                weight = counts * _alike(own, sample(there.own, path))
                total += weight * sample(there.change(), path, cubic=True)  # linearly, folds would blur
                count += weight
        steady = here.own.astype(np.float32)
        steady[box] = (own + total / count).clip(0, 255)
        return steady

    return side_by_side(steady, ((index, run) for run in runs for index in range(run.start, run.stop)))


Box = tuple[slice, slice]  # rows and columns


@dataclass(frozen=True, slots=True)
class _Crop:
    """A frame's crop before and after, and the least box that holds all that was changed of it."""

    own: ByteArray  # [S, S, 3]
    drawn: ByteArray  # [S, S, 3]
    changed: Box

    @classmethod
    def of(cls, own: ByteArray, drawn: ByteArray) -> _Crop:
        left, top, width, height = cv2.boundingRect(largest(np.asarray(cv2.absdiff(own, drawn))))
        return cls(own, drawn, (slice(top, top + height), slice(left, left + width)))

    def change(self) -> FloatArray:
        """Grey levels, drawn minus own: float32 [S, S, 3]."""
        return np.asarray(cv2.subtract(self.drawn, self.own, dtype=cv2.CV_32F))


def _united(boxes: Sequence[Box]) -> Box:
    """The least box that holds them all; an empty one where all are."""
    filled = [box for box in boxes if box[0].stop]
    if not filled:
        return boxes[0]
    rows, columns = (
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*filled, strict=True)
    )
    return rows, columns


class _Flows:
    """The flow from one frame to another. Of a pair it is found once: who asks for the way back gets it turned round.

    Each pair is asked for twice, by one of its frames and by the other; what is kept between takes 0.6 MB.
    """

    def __init__(self, grey: Callable[[int], ByteArray]) -> None:
        self._grey = grey
        self._kept: dict[tuple[int, int], Future[NDArray[np.float16]]] = {}
        self._looking = Lock()

    def __call__(self, here: int, there: int) -> FloatArray:
        pair = min(here, there), max(here, there)
        with self._looking:
            found = self._kept.pop(pair, None)
            if new := found is None:
                found = self._kept[pair] = Future()
        assert found is not None
        if new:
            try:
                found.set_result(dense_flow(self._grey(pair[0]), self._grey(pair[1])).astype(np.float16))
            except BaseException as exc:  # whoever waits for it fails likewise
                found.set_exception(exc)
        flow = found.result().astype(np.float32)
        return flow if here < there else turned_round(flow)


def _path(flow: FloatArray, side: int) -> FloatArray:
    """[S, S, 2]: where in the neighbour each pixel of this frame is found."""
    if len(flow) != side:
        flow = cv2.resize(flow, (side, side), interpolation=cv2.INTER_LINEAR) * np.float32(side / len(flow))
    return places_along(flow)


def _alike(here: ByteArray, brought: ByteArray) -> FloatArray:
    """[S, S, 1] in 0..1: how far a neighbour brought here shows what is here."""
    apart = largest(np.asarray(cv2.absdiff(here, brought))).astype(np.float32)
    off = cv2.GaussianBlur(apart, (0, 0), max(1.0, here.shape[0] / 256))
    alike: FloatArray = np.exp(-np.square(off / np.float32(UNLIKE)))[..., None]
    return alike


def _grey(picture: ByteArray) -> ByteArray:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if len(grey) > FLOW_PX:
        grey = cv2.resize(grey, (FLOW_PX, FLOW_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)
