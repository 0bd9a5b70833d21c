"""How much of a generator's picture a step in W changes, and where: the measure by which directions are least.

A small step d of a code changes its picture by about J d. Over a part of the picture, the mean square of that is d' M d
with M the mean over people of J' J there. Two kinds are measured: grey levels, and the features of the perceptual
distance. A step that costs what it changes outside of the head leaves clothes, background and light alone, which the
likeliest step of the same attribute brings along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from stitchedit.errors import UnknownCheckpoint
from stitchedit.faces.head_segmentation import head_map
from stitchedit.faces.mesh import crop_mesh
from stitchedit.masks.weight_maps import face_mask
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.models.generator import Generator, lowest_exit
from stitchedit.models.perceptual import MobileNetPerceptual
from stitchedit.types import ByteArray, FloatArray

Floats = NDArray[np.float64]

PARTS = ("outside", "hair", "face")
KINDS = ("grey", "perceptual")
WEIGHTS = "picture_change_ffhq_1024.safetensors"
SIZE = 256  # pixels at which pictures are compared
BORDER_PX = 12  # around the head, of SIZE: counts as neither side, as the stitching ring of 50 px of 1024
REACH = 0.5  # of a step along one axis of W to each side; the differences hardly depend on it below 1
SKETCH_PX = 64  # at which a sketch compares
FEWEST = 0.005  # part of the picture below which a part of it says nothing


def parts_of(picture: ByteArray) -> dict[str, FloatArray]:
    """Where the PARTS lie in an FFHQ-aligned picture [256, 256, 3]: weights [256, 256] in 0..1."""
    mesh, _ = crop_mesh(picture)
    head = np.asarray(head_map(picture, mesh), np.float32)
    face = np.asarray(face_mask(mesh, SIZE), np.float32)
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * BORDER_PX + 1, 2 * BORDER_PX + 1))
    return {"outside": 1 - cv2.dilate(head, around), "hair": head * (1 - face), "face": head * face}


def picture_grams(
    generator: Generator,
    perceptual: MobileNetPerceptual,
    w: FloatArray,
    parts: Sequence[Mapping[str, FloatArray]],
    at_once: int = 64,
) -> dict[str, Floats]:
    """M [w_dim, w_dim] of every kind and part, as "grey_outside": mean squares of change a squared unit of w.

    By central differences along every axis: 2 * w_dim pictures a person, which is a second on a GPU and three minutes
    on one core. 68 people leave the halves 0.1 to 0.3 apart (of their norm).

    Args:
        w: [N, w_dim] people.
        parts: `parts_of` of each, see there.
    """
    device, axes = generator.w_avg.device, torch.eye(generator.w_dim, device=generator.w_avg.device)
    total: dict[str, Floats] = {}
    count: dict[str, int] = {}
    with torch.inference_mode():
        for code, where in zip(torch.from_numpy(w).to(device), parts, strict=True):
            maps = _differences(generator, perceptual, code, axes, at_once)
            for part, weight in where.items():
                if weight.mean() < FEWEST:
                    continue
                for kind, levels in zip(KINDS, maps, strict=True):
                    grams = [_gram(level, torch.from_numpy(weight).to(device)).cpu().numpy() for level in levels]
                    key = f"{kind}_{part}"
                    total[key] = total.get(key, np.zeros(1)) + np.mean(grams, axis=0, dtype=np.float64)
                    count[key] = count.get(key, 0) + 1
    return {key: value / count[key] for key, value in total.items()}


def outside_sketch(generator: Generator, w: Tensor, parts: Sequence[FloatArray], draws: int = 16) -> Floats:
    """`picture_grams` of grey levels outside of the head, by a sketch: [w_dim, w_dim], of any generator, in minutes.

    J' J is the mean of (J' v) (J' v)' over random signs v, and J' v is one pass backward; with 16 draws for each of 8
    people the sum has rank 128 at most, so it says where steps change the picture much, and nothing of where little.

    Args:
        w: [N, w_dim] people; parts: of each, [S, S] in 0..1 how much a place counts.
    """
    device, total = generator.w_avg.device, np.zeros((generator.w_dim, generator.w_dim))
    random = torch.Generator().manual_seed(0)
    size = lowest_exit(generator, SIZE)
    for code, part in zip(w.to(device), parts, strict=True):
        if part.mean() < FEWEST:
            continue
        here = code[None, None].clone().requires_grad_(True)
        levels = F.adaptive_avg_pool2d(generator.synthesis(here, resolution=size)[0] * (127.5 / 3**0.5), SKETCH_PX)
        weight = F.adaptive_avg_pool2d(torch.from_numpy(part)[None].to(device), SKETCH_PX)[0]
        weight = (weight / weight.sum()).sqrt()
        for draw in range(draws):
            signs = torch.randint(0, 2, levels.shape, generator=random).to(device) * 2.0 - 1.0
            pulled = torch.autograd.grad((levels * weight * signs).sum(), here, retain_graph=draw + 1 < draws)[0]
            row = pulled[0, 0].double().cpu().numpy()
            total += np.outer(row, row) / draws
    return total / max(len(parts), 1)


def _differences(
    generator: Generator, perceptual: MobileNetPerceptual, code: Tensor, axes: Tensor, at_once: int
) -> tuple[list[Tensor], list[Tensor]]:
    """The change of grey levels, and of each map of features, along every axis: [w_dim, C, h, w] each."""
    grey, seen = [], []
    for few in (axes[k : k + at_once] for k in range(0, len(axes), at_once)):
        there, back = (generator.synthesis((code + s * REACH * few)[:, None], resolution=SIZE) for s in (1, -1))
        grey.append((there - back) * (127.5 / (2 * REACH)) / 3**0.5)  # mean over the three colours
        pairs = zip(perceptual.features(there), perceptual.features(back), strict=True)
        seen.append([(a - b) / (2 * REACH) for a, b in pairs])
    return [torch.cat(grey)], [torch.cat(level) for level in zip(*seen, strict=True)]


def _gram(change: Tensor, weight: Tensor) -> Tensor:
    """[w_dim, w_dim] of a change [w_dim, C, h, w], averaged over places by a weight [S, S]."""
    here = F.adaptive_avg_pool2d(weight[None, None], (change.shape[-2], change.shape[-1]))[0, 0]
    flat = (change * (here / (here.sum() + 1e-3)).sqrt()).flatten(1)
    return flat @ flat.T


def even(gram: Floats) -> Floats:
    """Scaled so that the mean eigenvalue is one: kinds and parts can then be added up."""
    return np.asarray(gram * len(gram) / np.trace(gram), np.float64)


def spread_within(covariance: Floats, change: Floats, likely: float = 1.0) -> Floats:
    """What takes the place of W's covariance in `linear_regression.smallest_step`, [w_dim, w_dim].

    The step that is least by it is short in the metric of the covariance and changes little of what `change` weighs.

    Args:
        covariance: [w_dim, w_dim] of W.
        change: sum of `even` matrices of `picture_grams`.
        likely: how much a step's likelihood counts against the change of the picture.
    """
    unit = float(np.exp(np.log(np.linalg.eigvalsh(covariance)).mean()))
    return np.asarray(np.linalg.inv(np.linalg.inv(covariance) + change / (likely * unit)), np.float64)


def outside_change() -> Floats:
    """What steps in FFHQ's W change outside of the head, both kinds evenly: [512, 512], of the default generator.

    Raises: NotFetched or HashMismatch, when the installed file is missing or damaged; UnknownCheckpoint.
    """
    path = packaged_file(WEIGHTS)
    try:
        upper = load_file(path)["outside"].astype(np.float64)
    except (OSError, SafetensorError, KeyError) as exc:
        raise UnknownCheckpoint(path, f"it holds no change of pictures ({exc})") from exc
    size = round((2 * len(upper)) ** 0.5)
    found = np.zeros((size, size))
    found[np.triu_indices(size)] = upper
    return np.asarray(found + np.triu(found, 1).T, np.float64)


def save_outside_change(grams: Mapping[str, Floats], path: Path, licence: str) -> None:
    """The file of `outside_change`: the upper triangle of the sum of both kinds, in half precision."""
    change = even(grams["grey_outside"]) + even(grams["perceptual_outside"])
    upper = change[np.triu_indices(len(change))].astype(np.float16)
    save_file({"outside": upper}, path, {"licence": licence, "made_for": "ffhq-1024"})
