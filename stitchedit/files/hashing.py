"""Hashes of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

_hashed: dict[tuple[Path, int, int, int], str] = {}  # (path, size, time of change in ns, inode) -> sha256


def file_sha256(path: Path) -> str:
    """Of the bytes that are there now: the file is read to its end."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_sha256(path: Path) -> str:
    """The same, read once a process and again only when the file was changed or replaced."""
    path = path.resolve()
    status = path.stat()
    key = (path, status.st_size, status.st_mtime_ns, status.st_ino)
    if key not in _hashed:
        _hashed[key] = file_sha256(path)
    return _hashed[key]
