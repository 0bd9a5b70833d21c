"""Stitched crops -> the same without flicker: what an edit changes is made to move with the face, and only so.

Each frame is drawn by itself, so the change that an edit makes trembles a little from frame to frame, by noise in the
codes and by texture that sticks to the crop's grid. The source does not: its own optical flow says where each point of
the face was a few frames before and will be after. The *change* (edited minus source) is averaged along these paths;
the source's share of the picture is left alone, so nothing of it blurs and its own grain stays. Where a neighbour does
not show the same thing (a blink, a hand, flow that went wrong) it gets zero weight. What comes out has fractions of
a grey level: rounded, a change of a few levels would tremble again by what rounding does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import cv2
import numpy as np

from stitchedit.image.optical_flow import dense_flow, places_along, sample
from stitchedit.types import ByteArray, CropImages, FloatArray

REACH = 2.0  # neighbours looked at on each side, times sigma
UNLIKE = 12.0  # grey levels between a neighbour brought here and this frame, at which it counts a third
FLOW_PX = 512  # flow is found in pictures of this size at most


def steadied(edited: CropImages, source: CropImages, runs: Sequence[slice], sigma: float) -> Iterator[FloatArray]:
    """The edited crops in turn, float32 [S, S, 3] RGB on 0..255.

    Args:
        edited, source: the crops of the same N frames.
        runs: stretches of these that follow each other without gap or cut; nothing is averaged across their ends.
        sigma: frames, of the Gaussian that neighbours count by; 0 gives the pictures as they are.
    """
    reach = round(REACH * sigma)
    kept = lru_cache(maxsize=2 * reach + 2)(lambda index: (source[index], edited[index]))  # as bytes: they are many
    grey = lru_cache(maxsize=2 * reach + 2)(lambda index: _grey(source[index]))
    for run in runs:
        for index in range(run.start, run.stop):
            here, total = _own_and_change(*kept(index))
            count = np.ones((*here.shape[:2], 1), np.float32)
            for other in range(max(run.start, index - reach), min(run.stop, index + reach + 1)):
                if other != index:
                    path = _path(grey(index), grey(other), here.shape[0])
                    own, change = _own_and_change(*kept(other))
                    weight = _alike(here, sample(own, path)) * np.exp(-(((other - index) / sigma) ** 2) / 2)
                    total += weight * sample(change, path, cubic=True)  # linearly, fine folds would blur
                    count += weight
            yield (here + total / count).clip(0, 255)


def _own_and_change(source: ByteArray, edited: ByteArray) -> tuple[FloatArray, FloatArray]:
    own = source.astype(np.float32)
    return own, edited.astype(np.float32) - own


def _path(here: ByteArray, there: ByteArray, side: int) -> FloatArray:
    """[S, S, 2]: where in the neighbour each pixel of this frame is found."""
    flow = dense_flow(here, there)
    if len(here) != side:
        flow = cv2.resize(flow, (side, side), interpolation=cv2.INTER_LINEAR) * (side / len(here))
    return places_along(flow)


def _alike(here: FloatArray, brought: FloatArray) -> FloatArray:
    """[S, S, 1] in 0..1: how far a neighbour brought here shows what is here."""
    off = cv2.GaussianBlur(np.abs(brought - here).max(-1), (0, 0), max(1.0, here.shape[0] / 256))
    alike: FloatArray = np.exp(-((off / UNLIKE) ** 2))[..., None].astype(np.float32)
    return alike


def _grey(picture: ByteArray) -> ByteArray:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if len(grey) > FLOW_PX:
        grey = cv2.resize(grey, (FLOW_PX, FLOW_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)
