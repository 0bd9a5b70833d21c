"""Who may use a folder: many readers, or one writer, among all processes of the machine.

The lock is `flock` on the folder itself. It ends with the process that holds it, however that ends, so that none is
ever left behind; it leaves no file; and it is known only to those who ask for it, other programs are not kept out.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from weakref import WeakSet

from stitchedit.errors import InUse, NotAProject

log = logging.getLogger(__name__)

_TAKEN = (errno.EWOULDBLOCK, errno.EACCES)
_LOOK_AGAIN = 0.01  # seconds

_made: ContextVar[WeakSet[Lock] | None] = ContextVar("locks made in the innermost `released_at_end`", default=None)


@contextmanager
def released_at_end() -> Iterator[None]:
    """Releases at its end what was locked inside, by this thread, even where somebody still has the objects.

    A notebook keeps the last traceback, and with it all that a function which failed had open.
    """
    made: WeakSet[Lock] = WeakSet()
    token = _made.set(made)
    try:
        yield
    finally:
        _made.reset(token)
        for lock in list(made):
            lock.release()


class Lock:
    """A folder that is held until `release`, or until the object is gone.

    Args:
        folder: a folder that exists.
        alone: as its only user, to write; else together with other readers.
        patience: seconds to wait for those who have it.
    Raises: InUse, when another process holds it; NotAProject, when there is no such folder.
    """

    def __init__(self, folder: Path, *, alone: bool, patience: float = 0.0) -> None:
        self.handle: int | None = None  # of the open folder; a process that inherits it holds the lock too
        try:
            self.handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            raise NotAProject(folder) from None
        try:
            _wait_for(self.handle, alone, patience)
        except OSError as exc:
            if exc.errno in _TAKEN:
                holder = _holder(self.handle)
                self.release()
                raise InUse(folder, holder) from None
            log.debug("%s cannot be locked (%s): nobody else must use it now", folder, exc.strerror)
        made = _made.get()
        if made is not None:
            made.add(self)

    def release(self) -> None:
        """Harmless when called again."""
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None

    def __del__(self) -> None:
        self.release()


def flock(handle: int, alone: bool) -> None:
    """Lock an open file or folder until it is closed, without waiting. Raises OSError, also where there is no flock."""
    try:
        import fcntl
    except ImportError:  # Windows
        raise OSError(errno.ENOSYS, "this system has no flock") from None
    fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)


def _wait_for(handle: int, alone: bool, patience: float) -> None:
    """Lock an open folder, as soon as those who have it let go. Raises OSError, when they do not in time."""
    end = time.monotonic() + patience
    while True:
        try:
            return flock(handle, alone)
        except OSError as exc:
            if exc.errno not in _TAKEN or time.monotonic() >= end:
                raise
            time.sleep(_LOOK_AGAIN)


def _holder(handle: int) -> int | None:
    """The process that holds the lock of an open folder, where the system tells (Linux)."""
    with suppress(OSError, ValueError, IndexError):
        inode = str(os.fstat(handle).st_ino)
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode:
                return int(fields[4])
    return None
