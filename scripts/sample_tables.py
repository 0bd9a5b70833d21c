"""Samples of a generator and what their faces show, as files: the tables from which directions are learned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stitchedit.faces.attributes import Predictors
from stitchedit.faces.detectors import embed
from stitchedit.files.array_files import save_arrays
from stitchedit.learning.generator_samples import NAMES, aligned_landmarks, draw_ws, read_faces, render
from stitchedit.models.generator import Generator
from stitchedit.types import ByteArray, FloatArray


def read_identities(pictures: ByteArray) -> FloatArray:
    """Identity embeddings [N, 128] of FFHQ-aligned pictures [N, S, S, 3], as `read_faces` has them, alone."""
    return np.stack([embed(picture, aligned_landmarks(picture)) for picture in pictures])


@dataclass(frozen=True, slots=True)
class Table:
    """Samples and their readings."""

    w: NDArray[np.float64]  # [N, w_dim]
    psi: NDArray[np.float64]  # [N]
    values: NDArray[np.float64]  # [N, len(NAMES)]
    embeddings: NDArray[np.float64]  # [N, 128]; NaN where they were not read

    @property
    def spread(self) -> NDArray[np.float64]:
        """[len(NAMES)] standard deviation of each reading over the samples at psi 0.7: what "SD" means in reports."""
        near: NDArray[np.bool_] = np.abs(self.psi - 0.7) < 1e-3
        return np.asarray(self.values[near].std(axis=0))


def sample_chunk(path: Path, generator: Generator, seed: list[int], count: int, size: int | None) -> None:
    """Draw samples, two thirds at psi 0.7 and one at 1.0, into a file: w, psi and pictures. A finished one is left."""
    if path.exists():
        return
    psi = np.where(np.arange(count) % 3 < 2, 0.7, 1.0).astype(np.float32)
    w = draw_ws(generator, count, seed, psi)
    save_arrays(path, {"w": w, "psi": psi, "pictures": render(generator, w, size)})


def read_chunk(path: Path, source: Path, predictors: Predictors, identities: int | None = None) -> None:
    """Read the faces of a file of `sample_chunk` into another file, as `read_faces` does.

    One with the same attributes is left.
    """
    if path.exists():
        with np.load(path, allow_pickle=False) as done:
            if tuple(done["names"]) == NAMES:
                return
    with np.load(source, allow_pickle=False) as chunk:
        readings = read_faces(chunk["pictures"], predictors, identities)
        kept = {"w": chunk["w"], "psi": chunk["psi"], "names": np.array(NAMES)}
        save_arrays(path, kept | {"values": readings.values, "embeddings": readings.embeddings})


def load_table(paths: list[Path]) -> Table:
    """The readings of several files together."""
    parts: dict[str, list[NDArray[np.float64]]] = {"w": [], "psi": [], "values": [], "embeddings": []}
    for path in paths:
        with np.load(path, allow_pickle=False) as chunk:
            for key, part in parts.items():
                part.append(chunk[key].astype(np.float64))
    return Table(**{key: np.concatenate(part) for key, part in parts.items()})
