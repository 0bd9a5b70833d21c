"""StyleCLIP's global directions: two texts and a table of how channels move pictures in CLIP's space.

The texts' difference in CLIP's space, read by the table, says how much each channel has to do with it; those that have
little are left alone.
Source: Patashnik et al. 2021, arXiv:2103.17249. Golden: tests/golden/edits.npz.
"""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from pathlib import Path

import numpy as np
import tomli_w

from stitchedit.config import BETA, DEFAULT_CLIP
from stitchedit.editing.direction import Direction
from stitchedit.editing.edit_files import ChannelRelevance, read_edit
from stitchedit.errors import ConfigError, DirectionError
from stitchedit.files.array_files import save_array
from stitchedit.files.atomic import make_folder, write_file
from stitchedit.models.clip_text import TextEncoder, text_encoder
from stitchedit.types import FloatArray

TEMPLATES = "clip_templates.txt"  # the 80 prompts of CLIP's ImageNet notebook (openai/CLIP, MIT), which StyleCLIP takes


def text_direction(
    table: Path, neutral: str, target: str, *, beta: float = BETA, clip: str = DEFAULT_CLIP, name: str = ""
) -> Direction:
    """The direction from one text to another, read.

    Args:
        table: StyleCLIP's fs3.npy, or one of the same form for another generator.
        neutral, target: such as "face" and "face with a beard".
        beta: 0..1, how much a channel must have to do with it.
        clip: see `clip_text.text_encoder`.
    Raises: DirectionError, when the table is none, fits not the CLIP or leaves no channel; ConfigError, WeightsError.
    """
    check_texts(neutral, target)
    if not 0 <= beta <= 1:  # true for NaN
        raise ConfigError(f"--beta is {beta}", "give a number from 0 to 1, such as 0.2")
    found = read_edit(table)
    if not isinstance(found, ChannelRelevance):
        raise DirectionError(f"{table} holds {found.said}", "texts need StyleCLIP's table fs3.npy")
    encode = text_encoder(clip)
    embedded = tuple(class_embedding(text, encode) for text in (neutral, target))
    if embedded[0].size != found.rows.shape[1]:
        raise DirectionError(
            f"{table} is of a CLIP space of {found.rows.shape[1]}, {clip} has {embedded[0].size}",
            "name the CLIP that the table was made with: ViT-B/32 for StyleCLIP's own",
        )
    return Direction(
        name=name or re.sub(r"[^A-Za-z0-9]+", "-", target).strip("-")[:40] or "text",
        vector=global_direction(found.rows, embedded[0], embedded[1], beta),
        space="S",
        unit=f"strength 1 moves the channel that has most to do with it by 1, from '{neutral}' to '{target}'",
        source=f"StyleCLIP global direction of {table.name}, '{neutral}' to '{target}', beta {beta:g}",
    )


def keep_direction(direction: Direction, folder: Path, made_for: str) -> Path:
    """Write NAME.npy and NAME.toml; gives the latter. Raises NotWritable, DiskFull."""
    make_folder(folder)
    vector = folder / f"{direction.name}.npy"
    save_array(vector, direction.vector)
    sha256 = hashlib.sha256(vector.read_bytes()).hexdigest()
    table = direction.as_toml() | {"file": vector.name, "sha256": sha256, "made_for": made_for}
    path = vector.with_suffix(".toml")
    write_file(path, lambda temp: temp.write_text(tomli_w.dumps(table), encoding="utf-8"))
    return path


def check_texts(neutral: str, target: str) -> None:
    """Raises ConfigError, where they are no two texts."""
    if not (neutral.strip() and target.strip()) or neutral.strip() == target.strip():
        raise ConfigError(
            f"--from is '{neutral}' and --to is '{target}'", "give two texts, such as 'face' and 'face with a beard'"
        )


def class_embedding(text: str, encode: TextEncoder) -> FloatArray:
    """A text in CLIP's space, [E], of length 1: the mean over the templates."""
    each = encode([template.format(text) for template in templates()])
    mean = (each / np.linalg.norm(each, axis=1, keepdims=True)).mean(axis=0)
    whole: FloatArray = (mean / np.linalg.norm(mean)).astype(np.float32)
    return whole


def global_direction(rows: FloatArray, neutral: FloatArray, target: FloatArray, beta: float) -> FloatArray:
    """What strength 1 adds to the channels of the convolutions, [C], its largest number 1.

    Args:
        rows: the table [C, E]; neutral, target: the texts [E], of length 1.
    Raises: DirectionError, where no channel has more relevance than `beta`.
    """
    way = target - neutral
    relevance = rows @ (way / max(float(np.linalg.norm(way)), 1e-12))
    kept = np.where(np.abs(relevance) > beta, relevance, 0)
    most = float(np.abs(kept).max(initial=0))
    if not most:
        raise DirectionError(
            f"no channel has a relevance above --beta {beta:g}; the largest is {np.abs(relevance).max(initial=0):.3g}",
            "give a smaller --beta",
        )
    return np.asarray(kept / most, np.float32)


def templates() -> list[str]:
    """The prompts that a text is put into."""
    return (resources.files("stitchedit") / "assets" / TEMPLATES).read_text(encoding="utf-8").splitlines()
