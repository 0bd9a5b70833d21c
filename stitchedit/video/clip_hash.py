"""The hash by which a clip is known again: of a file, or of every picture of a sequence."""

from __future__ import annotations

import hashlib
from pathlib import Path

from stitchedit.files.hashing import known_sha256
from stitchedit.video.sequence_names import find_numbered, means_pictures


def clip_sha256(path: Path) -> str:
    """Of a clip's file; of numbered pictures, that of their names with the sha256 of each.

    What did not change since is not read again in the same process. Raises CannotOpen.
    """
    if not means_pictures(path):
        return known_sha256(path)
    lines = (f"{known_sha256(file)}  {file.name}\n" for file in find_numbered(path).files)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
