"""Samples of a generator, and what their faces show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from stitchedit.faces.appearance import APPEARANCE, appearance
from stitchedit.faces.attributes import Predictors
from stitchedit.faces.detectors import Box, embed, landmarks
from stitchedit.faces.expression import EXPRESSION, expression
from stitchedit.faces.human_ratings import RATED
from stitchedit.faces.landmark_geometry import GEOMETRY, geometry
from stitchedit.models.generator import Generator, draw
from stitchedit.types import ByteArray, EditedLatents, FloatArray

NAMES: tuple[str, ...] = ("age", "gender", *RATED, *EXPRESSION, *GEOMETRY, *APPEARANCE)
PICTURE_PX = 256
EMBEDDING = 128  # numbers of the identity embedding

# Where dlib's detector finds the face of an FFHQ crop: the median box of 300 crops, in units of the crop's side.
_FFHQ_BOX = (45 / 256, 78 / 256, 195 / 256, 229 / 256)


@dataclass(frozen=True, slots=True)
class Readings:
    """What N faces show."""

    values: FloatArray  # [N, len(NAMES)] in the units of `attributes`, `expression` and `human_ratings`
    embeddings: FloatArray  # [N, 128] dlib's identity embedding; NaN where it was not asked for
    landmarks: FloatArray  # [N, 68, 2] pixels of the picture


def draw_ws(generator: Generator, count: int, seed: list[int], psi: FloatArray | float = 0.7) -> FloatArray:
    """w of random people, [count, w_dim]: mapped with a seed of its own and pulled to the mean by psi [count]."""
    z = np.random.default_rng(seed).standard_normal((count, generator.z_dim)).astype(np.float32)
    with torch.inference_mode():
        w = generator.mapping(torch.from_numpy(z))[:, 0].cpu().numpy()
    mean = generator.w_avg.detach().cpu().numpy()
    pulled: FloatArray = mean + np.broadcast_to(np.asarray(psi, np.float32), (count,))[:, None] * (w - mean)
    return pulled.astype(np.float32)


def render(generator: Generator, w: FloatArray, size: int | None = None, styles: FloatArray | None = None) -> ByteArray:
    """Pictures [N, 256, 256, 3] of codes, drawn at `size` (an exit, default the full one) and shrunk by area.

    Args:
        w: [N, w_dim] in W, or [N, L, w_dim] with rows of their own.
        styles: [N or 1, S], what is added to the styles; None: nothing is.
    """
    pictures, edited = [], EditedLatents(w, offsets=styles)
    with torch.inference_mode():
        for index, code in enumerate(w):
            ws = torch.from_numpy(np.asarray(code, np.float32)).reshape(1, -1, generator.w_dim)
            moved = edited.offset(index)
            image = draw(generator, ws, None if moved is None else torch.from_numpy(moved), resolution=size)
            levels = (image[0] * 127.5 + 127.5).clamp(0, 255).permute(1, 2, 0).cpu().numpy()
            levels = cv2.resize(levels, (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_AREA)
            pictures.append(np.rint(levels).astype(np.uint8))
    return np.stack(pictures)


def read_faces(
    pictures: ByteArray, predictors: Predictors, identities: int | None = None, tick: Callable[[], None] | None = None
) -> Readings:
    """All readings of FFHQ-aligned pictures [N, S, S, 3]. No detector is asked: an aligned face is where it belongs.

    Args:
        identities: how many of them to embed, from the first on, as that costs as much as all the rest; default: all.
        tick: called after each.
    """
    values, embeddings, points = [], [], []
    for index, picture in enumerate(pictures):
        found = aligned_landmarks(picture)
        shown = named_readings(picture, found, predictors)
        values.append([shown[name] for name in NAMES])
        unread = identities is not None and index >= identities
        embeddings.append(np.full(EMBEDDING, np.nan, np.float32) if unread else embed(picture, found))
        points.append(found)
        if tick is not None:
            tick()
    return Readings(np.array(values, np.float32), np.stack(embeddings), np.stack(points))


def named_readings(
    picture: ByteArray, found: FloatArray, predictors: Predictors, left_out: Sequence[str] = ()
) -> dict[str, float]:
    """The readings of `NAMES` of a face with landmarks [68, 2], but for those left out."""
    shown = {name: getattr(predictors, name)(picture, found) for name in ("age", "gender") if name not in left_out}
    shown |= {**predictors.rated(picture, found), **expression(picture, found).named()}
    return {name: float(value) for name, value in (shown | geometry(found) | appearance(picture, found)).items()}


def aligned_landmarks(picture: ByteArray) -> FloatArray:
    """The 68 landmarks of an FFHQ-aligned picture [S, S, 3], [68, 2] pixels, without a search for the face."""
    side = picture.shape[0]
    return landmarks(picture, Box(*(side * edge for edge in _FFHQ_BOX)), repeats=3)
