"""Labelled faces for learning a direction: from a table of pictures or seeds, or from two sets of pictures.

A seed's w is that of the field's image generators: z from numpy's RandomState(seed), pulled to the mean by psi. A
picture's w is what an encoder makes of its largest face, cut as FFHQ is.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stitchedit.config import AlignConfig
from stitchedit.errors import ConfigError, NoFaceIn
from stitchedit.faces.alignment import crop, quads
from stitchedit.faces.photo import read_portrait
from stitchedit.models.generator import Generator
from stitchedit.types import ByteArray, FloatArray

Floats = NDArray[np.float64]
Encode = Callable[[Tensor], Tensor]  # faces [B, 3, 256, 256] in [-1, 1] -> w [B, 1, w_dim]

FEWEST = 20  # labelled faces in a table
FEWEST_EACH = 10  # pictures in each of two sets
PICTURE_PX = 256
KINDS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
MOST_BYTES = 100_000_000  # of a table
MOST_ROWS = 1_000_000
_WHERE = ("image", "seed")  # columns that name the faces
_SEPARATORS = (",", ";", "\t", "|", " ")
_DECIMAL = re.compile(r"[-+]?\d*,\d+")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")  # how files in it begin; spreadsheets write such as "Unicode text"


@dataclass(frozen=True, slots=True)
class Labelled:
    """Faces that are yet to be found, and their labels."""

    faces: tuple[Path | int, ...]  # [N] a picture, or a seed
    values: Floats  # [N, K]
    names: tuple[str, ...]  # [K] the label, then what is to be held


def read_table(path: Path, label: str, hold: Sequence[str] = ()) -> Labelled:
    """A CSV with a header: a column `image` (relative to the table) or `seed`, and columns of numbers.

    Commas, semicolons or tabs part the columns, with or without blanks around; beside the latter two numbers may have
    decimal commas, as spreadsheets write them in much of the world.

    Args:
        label: the column to learn; hold: columns that it shall leave alone. Rows in which one is empty are left out.
    Raises: ConfigError, naming the line, for what cannot be read, pictures that are missing, too few rows, or a label
        that is the same everywhere.
    """
    rows, where = _rows(path)
    columns = (label, *hold)
    found: list[Path | int] = []
    values: list[list[float]] = []
    for line, row in enumerate(rows, 2):
        texts = [row.get(name) for name in columns]
        if any(text is None for text in texts):
            raise ConfigError(f"{path} has no column '{columns[texts.index(None)]}'", f"it has {', '.join(row)}")
        if any(not (text or "").strip() for text in texts):
            continue
        values.append([_number(text or "", path, line) for text in texts])
        found.append(_face(row, where, path, line))
    missing = [str(face) for face in found if isinstance(face, Path) and not face.is_file()]
    if missing:
        raise ConfigError(
            f"{path} names {len(missing)} pictures that are not there, the first is {missing[0]}",
            "pictures are looked for relative to the table's folder",
        )
    if len(found) < FEWEST:
        raise ConfigError(
            f"{path} has {len(found)} labelled faces, too few for a direction",
            f"at least {FEWEST} are needed; some hundred give a good one",
        )
    table = np.array(values)
    if np.ptp(table[:, 0]) == 0:
        raise ConfigError(
            f"column '{label}' of {path} is {table[0, 0]:g} in every row", "a label that never changes teaches nothing"
        )
    return Labelled(tuple(found), table, columns)


def columns_of(path: Path) -> tuple[str, ...]:
    """The names of a table's columns. Raises ConfigError."""
    rows, where = _rows(path)
    return tuple(rows[0]) if rows else (where,)


def two_sets(positive: Path, negative: Path) -> Labelled:
    """The pictures of two folders, labelled 1 and -1. Raises ConfigError, when one is no folder or has too few."""
    found: list[Path | int] = []
    values: list[list[float]] = []
    for folder, value in ((positive, 1.0), (negative, -1.0)):
        if not folder.is_dir():
            raise ConfigError(f"{folder} is no folder", "--positive and --negative are two folders of pictures")
        pictures = sorted(p for p in folder.iterdir() if p.suffix.lower() in KINDS)
        if len(pictures) < FEWEST_EACH:
            raise ConfigError(
                f"{folder} has {len(pictures)} pictures, too few for a direction",
                f"at least {FEWEST_EACH} on each side are needed; some hundred give a good one",
            )
        found += pictures
        values += [[value]] * len(pictures)
    return Labelled(tuple(found), np.array(values), ("set",))


def codes(
    labelled: Labelled, generator: Generator, encode: Encode | None, psi: float, tick: Callable[[], None]
) -> FloatArray:
    """w of the labelled faces, [N, w_dim].

    Args:
        encode: makes w of pictures; None, where there is no encoder for the generator.
        psi: truncation of seeds.
    Raises: ConfigError, when pictures are given without an encoder, or one cannot be read; NoFaceIn.
    """
    found = []
    for face in labelled.faces:
        if isinstance(face, int):
            found.append(seed_w(generator, face, psi))
        elif encode is None:
            raise ConfigError(
                f"pictures such as {face} need an encoder, and none is known for generator '{generator.made_for}'",
                "name one with --encoder, or label seeds in place of pictures",
            )
        else:
            picture = face_picture(face)
            image = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1)
            with torch.inference_mode():
                found.append(encode(image)[0, 0].cpu().numpy())
        tick()
    return np.stack(found).astype(np.float32)


def seed_w(generator: Generator, seed: int, psi: float) -> FloatArray:
    """w [w_dim] of a seed, as NVIDIA's `gen_images.py --seeds --trunc` has it."""
    z = np.random.RandomState(seed).randn(1, generator.z_dim)
    device = generator.w_avg.device
    with torch.inference_mode():
        w = generator.mapping(torch.from_numpy(z).float().to(device), truncation_psi=psi)[0, 0]
    found: FloatArray = w.cpu().numpy()
    return found


def face_picture(path: Path) -> ByteArray:
    """The largest face of a picture, cut as FFHQ is: RGB uint8 [256, 256, 3]. Raises ConfigError, NoFaceIn."""
    rgb, points = read_portrait(path)
    if points is None:
        raise NoFaceIn(path)
    return crop(rgb, quads(points[None], AlignConfig())[0], PICTURE_PX)


def _rows(path: Path) -> tuple[list[dict[str, str]], str]:
    """The table's rows, and which column names the faces."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{path} is too large for a table", f"at most {MOST_BYTES // 10**6} MB are read")
        data = path.read_bytes()
        lines = data.decode("utf-16" if data[:2] in _UTF16 else "utf-8-sig").splitlines(keepends=True)
        rows, where = _parsed(lines)
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is no text in UTF-8", "save the table as CSV in UTF-8") from exc
    except (OSError, csv.Error) as exc:
        raise ConfigError(f"cannot read {path}: {exc}", "a table of comma separated values is needed") from exc
    if where is None:
        raise ConfigError(f"{path} has neither a column 'image' nor one 'seed'", "its first line names the columns")
    return rows[:MOST_ROWS], where


def _parsed(lines: list[str]) -> tuple[list[dict[str, str]], str | None]:
    """The rows below the first line, by its names, and which of them names the faces."""
    while lines and lines[0].lower().startswith(("#", "sep=")):  # what programs say before the names
        lines = lines[1:]
    for separator in _SEPARATORS:
        reader = csv.DictReader(lines, restkey="", delimiter=separator, skipinitialspace=True)
        names = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = [name.lower() if name.lower() in _WHERE else name for name in names]
        where = next((name for name in _WHERE if name in reader.fieldnames), None)
        if where is not None:
            # Between commas "1,020" in quotes may be a thousand: it is left to be refused.
            return [_with_points(row) if separator != "," else row for row in reader], where
    return [], None


def _with_points(row: dict[str, str]) -> dict[str, str]:
    """Decimal commas as points."""
    return {
        k: v.replace(",", ".") if isinstance(v, str) and _DECIMAL.fullmatch(v.strip()) else v for k, v in row.items()
    }


def _face(row: dict[str, str], where: str, path: Path, line: int) -> Path | int:
    text = (row[where] or "").strip()
    if where == "image":
        return path.parent / text
    if not text.isdecimal() or int(text) >= 1 << 32:
        raise ConfigError(f"seed '{text[:40]}' in line {line} of {path} is none", "seeds are whole numbers from 0 on")
    return int(text)


def _number(text: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise ConfigError(f"label '{text[:40]}' in line {line} of {path} is no number", "labels are numbers")
    return value
