"""What an edit is called on the command line, where it is neither a name nor a file: a channel, or a part of a file.

s:6:501            channel 501 of the StyleSpace's layer 6, layers counted from 0 in the order of execution
pca.pt#10          component 10 of a file of components
pca.pt#10:0:8      the same on rows 0 to 7 of W+ alone
age.folds          a part of a direction that is known by its name
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from stitchedit.config import PARTS

_CHANNEL = re.compile(r"s:(\d{1,3}):(\d{1,5})")
_PART = re.compile(r"(.+)#(\d{1,5})(?::(\d{1,3}):(\d{1,3}))?")


class FilePart(NamedTuple):
    """One of the components that a file holds."""

    file: Path
    component: int
    rows: tuple[int, int] | None  # half-open range of W+; None: all


def parse_channel(name: str) -> tuple[int, int] | None:
    """(layer, channel) of such as "s:6:501"; None for other names."""
    found = _CHANNEL.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else None


def parse_part(name: str) -> FilePart | None:
    """Of such as "pca.pt#10:0:8"; None for other names, and where there is no such file."""
    found = _PART.fullmatch(name)
    if found is None or not (path := Path(found[1]).expanduser()).is_file():
        return None
    return FilePart(path, int(found[2]), (int(found[3]), int(found[4])) if found[3] else None)


def parse_edit_part(name: str) -> tuple[str, str] | None:
    """(direction, part) of such as "age.folds"; None for other names."""
    whole, _, part = name.rpartition(".")
    return (whole, part) if part in PARTS and whole and not {"/", "\\"} & set(whole) else None


def file_label(name: str) -> str:
    """What file names and notices call a direction that is known by its name or path."""
    if parse_edit_part(name):
        return name
    if channel := parse_channel(name):
        return f"s{channel[0]}-{channel[1]}"
    if found := _PART.fullmatch(name):
        return f"{Path(found[1]).stem}-{found[2]}"
    return Path(name).stem
