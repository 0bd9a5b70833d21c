"""Room on the disk: whether there is enough before the work begins, and what of a project can be given back.

What `clean` removes is made again when it is wanted: crops are cut anew from the clip, bit for bit, the pictures of an
edit by the same edit. Tracks, codes, the tuned generator, records and finished videos stay.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from stitchedit.errors import NotWritable, TooLittleRoom

BYTES_PER_PIXEL = 2.0  # of a PNG as `image_folder.save_png` writes them; faces at 256 to 1024 px took 1.3 to 1.9

FINER = 1.5  # times that, of one with quarters of a level


def pictures_bytes(count: int, size: int) -> int:
    """About what `count` square pictures take."""
    return round(count * size * size * BYTES_PER_PIXEL)


def require_disk_space(folder: Path, needed: int) -> None:
    """See that a folder, which need not exist yet, can take `needed` bytes.

    Raises: TooLittleRoom; NotWritable, when its file system takes nothing at all.
    """
    place = next((p for p in (folder, *folder.absolute().parents) if p.is_dir()), Path("/"))
    system = os.statvfs(place)
    if system.f_flag & os.ST_RDONLY:
        raise NotWritable(folder, "its file system is read-only")
    free = shutil.disk_usage(place).free
    if free < needed and system.f_blocks:  # without any it is no disk, such as /proc: writing will tell
        raise TooLittleRoom(place, needed, free)


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
