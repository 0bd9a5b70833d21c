"""A meter that keeps what it has read: a run that is stopped, or is given more people, reads only what is new."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from stitchedit.files.array_files import save_arrays
from stitchedit.learning.effect_measurement import Faces, Meter
from stitchedit.learning.generator_samples import NAMES
from stitchedit.types import FloatArray

BLOCK = 20  # people a file


class KeptMeter(Meter):
    """As `Meter`, with a file in FOLDER/kept for every block of people, named after their codes.

    The codes, the exit and the names of the attributes are what files are known by: where predictors change, the folder
    is to be emptied.
    """

    def __init__(self, folder: Path, *rest: Any, **more: Any) -> None:
        super().__init__(*rest, **more)
        self.kept = folder / "kept"
        self.kept.mkdir(parents=True, exist_ok=True)

    def read(self, w: FloatArray, identities: int | None = None) -> Faces:
        """What the faces of codes [N, L, w_dim] show."""
        embedded = self.identities if identities is None else identities
        parts = [self._block(w[at : at + BLOCK], min(max(embedded - at, 0), BLOCK)) for at in range(0, len(w), BLOCK)]
        return Faces(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.embeddings for part in parts]),
            np.concatenate([part.found for part in parts]),
        )

    def _block(self, w: FloatArray, embedded: int) -> Faces:
        of = f"{self.size} {embedded} {w.shape} {NAMES}".encode()
        path = self.kept / f"{hashlib.sha256(of + np.ascontiguousarray(w, np.float32).tobytes()).hexdigest()[:24]}.npz"
        if not path.exists():
            faces = super().read(w, embedded)
            kept = {"values": faces.values * self.spread, "embeddings": faces.embeddings, "found": faces.found}
            save_arrays(path, kept)
        with np.load(path, allow_pickle=False) as kept:
            return Faces(kept["values"] / self.spread, kept["embeddings"], kept["found"])
