"""Our directions as the files of other repositories: what each takes, in their shape, type and length.

interfacegan    .npy, float64 [1, w_dim], of length 1
e4e             .pt, a float32 tensor [1, w_dim] of length 1; [1, num_ws, w_dim] where rows differ
ganspace        .pt of one component: mean [1, w_dim], comp [1, 1, w_dim] of length 1, std [1]
stylespace      .npy, float32 [S]: what strength 1 adds to the styles, all layers one after another
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stitchedit.editing.direction import Direction
from stitchedit.editing.move_latents import check_made_for, in_style_space, load_direction, load_offset, load_step
from stitchedit.editing.style_space import style_space
from stitchedit.errors import ConfigError, DirectionError
from stitchedit.files.array_files import save_array
from stitchedit.files.atomic import atomic, make_folder
from stitchedit.models.generator import Generator
from stitchedit.types import Latents

ENDINGS: Mapping[str, str] = {"interfacegan": ".npy", "e4e": ".pt", "ganspace": ".pt", "stylespace": ".npy"}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    path: Path
    shape: tuple[int, ...]
    length: float  # by which a strength there is multiplied to be the same as here: files hold steps of length 1
    rows: tuple[int, int] | None = None  # of W+, half-open, that move here and that the file cannot tell; None: all
    straight: bool = False  # the direction bends, the file goes straight on as strength 1 does

    def lines(self) -> list[str]:
        told = [f"wrote: {self.path}, {list(self.shape)}"]
        if self.length != 1:
            told.append(f"strength 1 here is {self.length:.4g} there: the file's step has length 1")
        if self.straight:
            told.append("the direction bends, the file does not: it goes on as strength 1 does")
        if self.rows is not None:
            told.append(f"give it to rows {self.rows[0]} to {self.rows[1] - 1} of W+ alone: the file does not say so")
        return told


def export_direction(
    direction: Direction, generator: Generator, form: str, folder: Path, *, force: bool = False
) -> Exported:
    """Write NAME with the ending of its form into a folder.

    Args:
        force: also where the direction was made for another generator.
    Raises: ConfigError, for an unknown form; DirectionError, where the form cannot hold the direction; NotWritable,
        DiskFull.
    """
    if form not in ENDINGS:
        raise ConfigError(f"unknown format '{form}'", f"choose one of {', '.join(ENDINGS)}")
    direction.require_whole()
    direction = load_direction(direction)
    check_made_for(direction, generator, force)
    make_folder(folder)
    path = folder / f"{direction.name}.{form}{ENDINGS[form]}"
    if form == "stylespace":
        done = _write_styles(direction, generator, path)
    else:
        done = _write_rows(direction, generator, form, path)
    return replace(done, straight=bool(direction.knots))


def _write_rows(direction: Direction, generator: Generator, form: str, path: Path) -> Exported:
    """A step in W or W+."""
    rows = _rows(direction, generator, form)
    length = float(np.linalg.norm(rows[0] if len(rows) == 1 else rows))
    step = (rows / length)[:, None] if form == "ganspace" else rows / length
    span = direction.layers if direction.layers not in (None, (0, generator.num_ws)) and len(rows) == 1 else None
    if form == "interfacegan":
        save_array(path, step.astype(np.float64))
        return Exported(path, step.shape, length, span)
    if form == "e4e":
        tensor = torch.from_numpy(step.astype(np.float32))
        tensor = tensor if len(rows) == 1 else tensor[None]
        _save_torch(path, tensor)
        return Exported(path, tuple(tensor.shape), length, span)
    mean = generator.w_avg.detach().cpu().float()[None].clone()
    parts = {"mean": mean, "comp": torch.from_numpy(step.astype(np.float32)), "std": torch.tensor([length])}
    _save_torch(path, parts)
    return Exported(path, step.shape, 1.0, span)


def _rows(direction: Direction, generator: Generator, form: str) -> Any:
    """What strength 1 adds, [1, w_dim] where those rows that move do so alike, else [num_ws, w_dim].

    Raises: DirectionError, for a direction that is no fixed step in W, or has rows that the form cannot hold.
    """
    fixed = direction.kind == "vector" and direction.vector is not None and not direction.absolute
    if not fixed or in_style_space(direction, generator):
        raise DirectionError(
            f"direction '{direction.name}' is no fixed step in W, which {form} files hold",
            "--format stylespace holds an edit in StyleSpace" if fixed or direction.channels else "export another one",
        )
    code = generator.w_avg.detach().cpu().float().numpy()[None, None]
    step = load_step(direction, Latents(code), generator)
    moving = step[np.abs(step).max(axis=1) > 0]
    if len(step) > 1 and not np.allclose(moving, moving[:1]):
        if form != "e4e":
            raise DirectionError(
                f"direction '{direction.name}' has rows that differ, a {form} file holds one", "choose --format e4e"
            )
        return step
    return moving[:1]


def _write_styles(direction: Direction, generator: Generator, path: Path) -> Exported:
    """A step in W moves the styles by what the affine layers make of it, which is the same for every face."""
    space = style_space(generator, direction.name)
    if in_style_space(direction, generator):
        offset = load_offset(direction, generator)
    else:
        code = generator.w_avg.detach().cpu().float().numpy()[None, None]
        if direction.vector is None or direction.absolute:
            raise DirectionError(f"direction '{direction.name}' is no fixed step", "export another one")
        step = torch.from_numpy(load_step(direction, Latents(code), generator).astype(np.float32))[None]
        with torch.inference_mode():
            at = generator.w_avg[None, None].expand(-1, step.shape[1], -1)
            there, here = (torch.cat(space.styles(ws), dim=1) for ws in (at + step.to(at), at))
        offset = (there - here)[0].cpu().numpy()
    save_array(path, offset.astype(np.float32))
    return Exported(path, offset.shape, 1.0)


def _save_torch(path: Path, value: object) -> None:
    with atomic(path) as temp, temp.open("wb") as file:  # into a path torch would write that path's name
        torch.save(value, file)
