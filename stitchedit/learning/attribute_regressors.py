"""Linear readings of attributes in FFHQ's W: how each changes with w. What directions are held against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from stitchedit.errors import UnknownCheckpoint
from stitchedit.models.bundled_weights import packaged_file

Floats = NDArray[np.float64]

WEIGHTS = "w_readings_ffhq_1024.safetensors"
MADE_FOR = "ffhq-1024"  # `made_for` of the generators whose W this is


@dataclass(frozen=True, slots=True)
class WReadings:
    """Attribute k of the face of w is about bias[k] + rows[k] @ w, in SD."""

    names: tuple[str, ...]  # [K] as in `samples.NAMES`
    rows: Floats  # [K, w_dim]
    spread: Floats  # [K] one SD over 2,040 samples at psi 0.7, in the units of `samples.Readings`
    correlation: Floats  # [K] with the attribute, on samples left out of the fit

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Those that come along, learned from samples of the default generator, or a file of `save`.

        Raises: NotFetched or HashMismatch, when the installed file is missing or damaged; UnknownCheckpoint.
        """
        path = path or packaged_file(WEIGHTS)
        try:
            with safe_open(path, framework="np") as file:
                names = tuple((file.metadata() or {})["names"].split())
                rows, spread, r = (file.get_tensor(key).astype(np.float64) for key in ("rows", "spread", "correlation"))
        except (OSError, SafetensorError, KeyError) as exc:
            raise UnknownCheckpoint(path, f"it holds no readings of W ({exc})") from exc
        return cls(names, rows, spread, r)

    def save(self, path: Path, licence: str) -> None:
        """Half precision rows, so that the file stays small."""
        arrays = {
            "rows": self.rows.astype(np.float16),
            "spread": self.spread.astype(np.float32),
            "correlation": self.correlation.astype(np.float32),
        }
        save_file(arrays, path, {"names": " ".join(self.names), "licence": licence})
