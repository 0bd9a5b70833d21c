"""What must not lie in a project folder: foreign links, and files a killed run left half written."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR, S_ISLNK, S_ISREG

from stitchedit.errors import ProjectError
from stitchedit.files.locks import log

_DEEPEST = 6  # folders of a project inside each other, as it makes them


def refuse_strays(root: Path) -> None:
    """See that a project holds folders and files only, and nothing that leads out of it.

    Who is given a project by a stranger would otherwise write through a link of theirs, or wait at a pipe for ever.

    Raises: ProjectError.
    """
    todo = [(root, 0)]
    while todo:
        folder, depth = todo.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    mode = entry.stat(follow_symlinks=False).st_mode
                    if S_ISDIR(mode):
                        if depth < _DEEPEST:
                            todo.append((Path(entry.path), depth + 1))
                    elif not S_ISREG(mode):
                        what = "a link" if S_ISLNK(mode) else "no regular file"
                        raise ProjectError(f"{entry.path} is {what}", "a project has no use for it: remove it")
        except OSError as exc:
            raise ProjectError(f"{folder} cannot be read: {exc.strerror}", "check the folder's rights") from exc


def remove_parts(folder: Path) -> None:
    """Take away what killed processes left half written. The folder must be held alone."""
    for path in folder.glob(".*.part"):
        log.debug("%s is half a file of a run that was killed: removed", path)
        with suppress(OSError):
            path.unlink()
