"""A small inverted project that tests work in: that of 3b83b58, with its generator of 64 px."""

from __future__ import annotations

import shutil
from pathlib import Path

OLD = Path(__file__).parent / "data" / "project_3b83b58"


def prepared_project(folder: Path) -> Path:
    """A copy; gives the folder that holds `clip.mp4`, `clip.mp4.stitch`, `push.npy` and `home` for STITCHEDIT_HOME."""
    place = Path(shutil.copytree(OLD, folder / "prepared"))
    (place / "project").rename(place / "clip.mp4.stitch")
    return place
