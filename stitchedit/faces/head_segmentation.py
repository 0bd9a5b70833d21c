"""Crops -> head maps: face, hair, ears and neck, without clothes and background, steady over time.

A matte tells the person from the background, a small network the head from the clothes; edges are then drawn to
those of the picture. What neighbouring frames say is brought along by optical flow and counts where it shows the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache

import cv2
import numpy as np
import torch

from stitchedit.faces import detectors
from stitchedit.faces.head_parser import SIZE, HeadParser, load_head_parser, parse, places
from stitchedit.image.optical_flow import dense_flow, places_along, sample
from stitchedit.image.smoothing import guided_filter
from stitchedit.models.perceptual import MobileNetPerceptual
from stitchedit.progress import Progress
from stitchedit.types import ByteArray, Crops, FacePoints, FloatArray

VERSION = "1"  # of what is done with the networks' results
REACH = 2  # frames to either side that count
_SIGMA = 1.2  # frames, of the weight by distance in time
_MISMATCH = 10.0  # grey levels: a neighbour that differs so much counts 1/e
_FLOW_PX = 128  # at which motion is looked at
_GUIDE_PX, _GUIDE_EPS = 6, 4e-4  # reach, and squared contrast (of 0..1) that counts as an edge
_SURE = (0.3, 0.7)  # of the network's likelihood, at which it is taken for 0 and 1
_LEVELS = (0.2, 0.35, 0.5, 0.65, 0.8)  # of the likelihood, at whose contours, in the mean, a head's border lies


def head_map(image: ByteArray, mesh: FloatArray) -> FloatArray:
    """How likely each pixel of a crop [S, S, 3] is head: float32 [256, 256] in 0..1.

    Args:
        mesh: points [468, 2] in crop sides.
    """
    picture = _sized(image)
    matte = detectors.person(picture)
    network, eyes = _networks()
    tensor = torch.tensor(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.inference_mode():
        seen = eyes.features(tensor)
    head = cv2.resize(parse(network, seen, places(mesh, matte)), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    head = np.clip((head - _SURE[0]) / (_SURE[1] - _SURE[0]), 0, 1)
    guide = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    likely: FloatArray = np.clip(guided(guide, head) * matte, 0, 1)
    return likely


def head_maps(
    crops: Crops, points: FacePoints, runs: Sequence[slice], save: Callable[[int, ByteArray], None], progress: Progress
) -> None:
    """Give `save` every crop's map, uint8 [256, 256], steadied within each of the runs."""

    @lru_cache(maxsize=2 * REACH + 2)
    def look(k: int) -> tuple[FloatArray, ByteArray]:
        image = crops.images[k]
        grey = cv2.cvtColor(_sized(image, _FLOW_PX), cv2.COLOR_RGB2GRAY)
        return head_map(image, points.points[k]), grey

    for run in runs:
        for k in range(run.start, run.stop):
            near = [j for j in range(max(run.start, k - REACH), min(run.stop, k + REACH + 1)) if j != k]
            steady = steadied(*look(k), [(*look(j), j - k) for j in near])
            save(k, np.rint(steady * 255).astype(np.uint8))
            progress("head", k + 1, len(crops.frames))


def steadied(own: FloatArray, grey: ByteArray, others: Sequence[tuple[FloatArray, ByteArray, int]]) -> FloatArray:
    """A map [S, S] with its neighbours' opinion, carried along by motion.

    Args:
        grey: the picture of the map, small: [s, s].
        others: maps and pictures of neighbours, and how many frames away they are.
    """
    size, small = own.shape[0], grey.shape[0]
    total, weights = own.copy(), np.ones_like(own)
    for there, picture, away in others:
        at = places_along(dense_flow(grey, picture))
        moved = sample(picture.astype(np.float32), at, "repeat")
        differs = cv2.GaussianBlur(np.abs(moved - grey.astype(np.float32)), (0, 0), 1.5)
        weight = np.exp(-0.5 * (away / _SIGMA) ** 2 - np.square(differs / _MISMATCH)).astype(np.float32)
        wide = (cv2.merge([cv2.resize(a, (size, size)) for a in cv2.split(at)]) + 0.5) * (size / small) - 0.5
        carried = sample(there, wide, "repeat")
        weight = cv2.resize(weight, (size, size))
        total += weight * carried
        weights += weight
    steady: FloatArray = total / weights
    return steady


def head_field(likely: ByteArray) -> FloatArray:
    """How far each place of a crop lies outside of the head, in crop sides: float32 [S, S], negative inside.

    Args:
        likely: a head map, uint8 [S, S].
    """
    far = np.zeros(likely.shape, np.float32)
    for level in _LEVELS:  # contours of several heights lie parts of a pixel apart
        inside = (likely > 255 * level).astype(np.uint8)
        out, into = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in (1 - inside, inside))
        far += np.where(inside > 0, 0.5 - into, out - 0.5) / np.float32(len(_LEVELS))
    smooth: FloatArray = cv2.GaussianBlur(far, (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE)
    return smooth / np.float32(likely.shape[0])


def guided(guide: FloatArray, mask: FloatArray) -> FloatArray:
    """A mask [S, S] with its edges drawn to those of a grey picture [S, S] in 0..1."""

    def mean(values: FloatArray) -> FloatArray:
        side = 2 * _GUIDE_PX + 1
        return np.asarray(cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT))

    return np.clip(guided_filter(guide, mask, mean, _GUIDE_EPS), 0, 1)


def _sized(image: ByteArray, size: int = SIZE) -> ByteArray:
    if image.shape[0] == size:
        return image
    return np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if image.shape[0] > size else 2))


@cache
def _networks() -> tuple[HeadParser, MobileNetPerceptual]:
    return load_head_parser(), MobileNetPerceptual().eval()
