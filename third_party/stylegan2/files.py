"""A user's file as bytes."""

from __future__ import annotations

import mmap
import os
import stat
from pathlib import Path

from stitchedit.errors import Refused

MAX_BYTES = 16 << 30  # an e4e checkpoint with its training state has some 3 GB


def map_file(path: Path) -> memoryview:
    """The bytes of a regular file, mapped privately: writing to them does not change the file.

    They must not be used after another process has cut the file short.

    Raises: Refused, when there is no such file, it is none (a folder, a pipe), empty, or larger than `MAX_BYTES`.
    """
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Refused("it is no file")
            if not 0 < status.st_size <= MAX_BYTES:
                raise Refused("the file is empty" if not status.st_size else f"it has {status.st_size >> 30} GiB")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    except FileNotFoundError as exc:
        raise Refused("there is no such file") from exc
    except IsADirectoryError as exc:
        raise Refused("it is a folder") from exc
    except (OSError, ValueError) as exc:
        raise Refused(str(getattr(exc, "strerror", None) or "it cannot be opened")) from exc


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe would wait for its writer
