"""Where the media of a cut list lie: what its references say, else by name in a folder."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from stitchedit.errors import CannotOpen

_MOST = 200_000  # names of a folder that are looked at


def url_path(url: str, base: Path) -> Path | None:
    """The file that a reference names, by URL or path, relative ones to the folder `base`; None: it is no file's."""
    scheme = urlsplit(url).scheme.lower()
    if scheme == "file":
        parts = urlsplit(url)
        return Path(unquote(parts.path)) if parts.netloc in ("", "localhost") else None
    if len(scheme) > 1:  # one letter is a drive of Windows
        return None
    return base / url


def last_name(url: str) -> str:
    """The file name at the end of a URL or path, of Windows too."""
    text = unquote(urlsplit(url).path) if urlsplit(url).scheme.lower() == "file" else url
    return PureWindowsPath(PurePosixPath(text).name).name


def names_below(folder: Path) -> Mapping[str, list[Path]]:
    """Everything in a folder and below by its name in small letters, with and without its ending.

    Raises: CannotOpen, when there is no such folder, or too much in it.
    """
    if not folder.is_dir():
        raise CannotOpen(folder, "there is no such folder", "name the one that holds the media")
    found: dict[str, list[Path]] = defaultdict(list)
    seen = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(".stitch"))
        for name in sorted([*folders, *files]):
            path = Path(place, name)
            for key in {name.lower(), path.stem.lower()}:
                found[key].append(path)
        seen += len(folders) + len(files)
        if seen > _MOST:
            raise CannotOpen(folder, f"it holds more than {_MOST} files", "name the folder of the media alone")
    return found


def by_name(names: Iterable[str], known: Mapping[str, list[Path]], shot: str) -> Path | None:
    """The medium that has the first of some names that any has; None, where none has one.

    Raises: CannotOpen, where a name means several.
    """
    for name in filter(None, names):
        paths = known.get(name.lower(), [])
        if len(paths) > 1:
            why = f"'{name}' of shot '{shot}' may also be {paths[1]}"
            raise CannotOpen(paths[0], why, "name a folder in which it is there once")
        if paths:
            return paths[0]
    return None
