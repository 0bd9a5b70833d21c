"""Pictures of an edit of which only some parts are wanted, or parts at strengths of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from stitchedit.editing.edit_parts import SHAPE_ROWS, part_masks, parts_change
from stitchedit.image.arrays import resize
from stitchedit.types import EditedLatents, FloatArray, PartMove

if TYPE_CHECKING:
    from stitchedit.pipeline.inversion import Inversion


def with_parts(inverted: Inversion, index: int, codes: EditedLatents, drawn: Tensor) -> Tensor:
    """A picture of a crop, [1, 3, S, S], with what the parts of `codes` change of it; two passes a strength.

    Args: drawn: what the generator draws of `codes.ws`.
    """
    size, rows = drawn.shape[-1], inverted.generator.num_ws
    mesh, images = inverted.points.points[index], inverted.crops.images
    masks = inverted.warm("parts", (index, size), lambda: part_masks(resize(images[index], size), mesh))
    own = np.broadcast_to(codes.ws[index], (rows, codes.ws.shape[-1]))

    def change(ws: FloatArray) -> FloatArray:
        moved = inverted.synthesized(index, EditedLatents(_for_all(ws, len(codes.ws)), offsets=codes.offsets), size)
        return (moved - drawn)[0].permute(1, 2, 0).cpu().numpy()

    total = np.zeros((size, size, 3), np.float32)
    for ws, parts in _by_step(codes.parts, index):
        if not np.array_equal(ws, own):
            shape = np.concatenate([ws[:SHAPE_ROWS], own[SHAPE_ROWS:]])
            total += parts_change(parts, change(ws), change(shape), masks)
    return drawn + torch.from_numpy(total).permute(2, 0, 1)[None].to(drawn)


def _by_step(moves: tuple[PartMove, ...], index: int) -> list[tuple[FloatArray, list[str]]]:
    """Parts that go equally far are drawn together."""
    found: list[tuple[FloatArray, list[str]]] = []
    for move in moves:
        same = next((parts for ws, parts in found if np.array_equal(ws, move.ws[index])), None)
        if same is None:
            found.append((move.ws[index], same := []))
        same.append(move.part)
    return found


def _for_all(ws: FloatArray, count: int) -> FloatArray:
    """One code as if it were that of every crop, [count, L, w_dim], without copies."""
    return np.broadcast_to(ws, (count, *ws.shape))
