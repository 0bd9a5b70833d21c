"""File names for libraries that take nothing but UTF-8."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def utf8_path(path: Path) -> Iterator[Path]:
    """A name of an existing file that is UTF-8: its own, or that of a descriptor of it (Linux). Raises OSError."""
    if is_utf8(path):
        yield path
        return
    with path.open("rb") as file:
        yield Path(f"/proc/self/fd/{file.fileno()}")


def as_text(name: str) -> str:
    """A file's name for where text must be UTF-8: bytes that are none become question marks."""
    return name.encode("utf-8", "replace").decode()


def is_utf8(path: Path) -> bool:
    """Whether a name is text."""
    try:
        os.fsencode(path).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
