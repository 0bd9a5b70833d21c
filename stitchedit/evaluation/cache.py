"""What took long to measure, kept in the project for the next time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stitchedit.errors import OutputError, ProjectError
from stitchedit.files.array_files import save_arrays
from stitchedit.files.atomic import make_folder
from stitchedit.progress import Progress
from stitchedit.project.artefacts import load_arrays
from stitchedit.project.records import Inputs, fingerprint_of
from stitchedit.types import FloatArray

log = logging.getLogger(__name__)

Tick = Callable[[int], None]  # called with how many frames are done


class ArrayCache:
    """Arrays in a folder, each under what it depends on; without a folder, nothing is kept."""

    def __init__(self, folder: Path | None, total: int, progress: Progress) -> None:
        self.folder, self.total, self.progress = folder, total, progress

    def get(
        self, kind: str, inputs: Inputs, stage: str, work: Callable[[Tick], dict[str, FloatArray]]
    ) -> dict[str, FloatArray]:
        """What `work` gives for these inputs, from the folder where it is there already."""
        key = fingerprint_of(inputs)
        path = None if self.folder is None else self.folder / f"{kind}.{key[:16]}.npz"
        kept = None if path is None else load_measured(path, key)
        if kept is not None:
            return kept
        made = work(lambda done: self.progress(stage, done, self.total))
        if path is not None:
            try:
                make_folder(path.parent)
                save_measured(path, key, made)
            except OutputError as exc:
                log.info("not kept for the next time: %s", exc)
        return made


def save_measured(path: Path, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Figures that took long to get, kept under the key that says of what. Raises NotWritable, DiskFull."""
    save_arrays(path, {**arrays, "key": np.array(key)})


def load_measured(path: Path, key: str) -> dict[str, NDArray[Any]] | None:
    """What was kept under this key, if it is there and whole."""
    if not path.is_file():
        return None
    try:
        arrays = load_arrays(path)
    except ProjectError:
        return None
    return arrays if str(arrays.pop("key", None)) == key else None
