"""Who may use a folder: many readers, or one writer, among all processes of the machine.

The lock is `flock` on the folder itself. It ends with the process that holds it, however that ends, so that none is
ever left behind; it leaves no file; and it is known only to those who ask for it, other programs are not kept out.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from weakref import WeakSet

from stitchedit.errors import InUse, NotAProject

log = logging.getLogger(__name__)


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
    Raises: InUse, when another process holds it; NotAProject, when there is no such folder.
    """

    def __init__(self, folder: Path, *, alone: bool) -> None:
        self._handle: int | None = None
        try:
            self._handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            raise NotAProject(folder) from None
        try:
            flock(self._handle, alone)
        except OSError as exc:
            if exc.errno in (errno.EWOULDBLOCK, errno.EACCES):
                holder = _holder(self._handle)
                self.release()
                raise InUse(folder, holder) from None
            log.debug("%s cannot be locked (%s): nobody else must use it now", folder, exc.strerror)
        made = _made.get()
        if made is not None:
            made.add(self)

    def release(self) -> None:
        """Harmless when called again."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __del__(self) -> None:
        self.release()


def flock(handle: int, alone: bool) -> None:
    """Lock an open file or folder until it is closed, without waiting. Raises OSError, also where there is no flock."""
    try:
        import fcntl
    except ImportError:  # Windows
        raise OSError(errno.ENOSYS, "this system has no flock") from None
    fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)


def _holder(handle: int) -> int | None:
    """The process that holds the lock of an open folder, where the system tells (Linux)."""
    with suppress(OSError, ValueError, IndexError):
        inode = str(os.fstat(handle).st_ino)
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode:
                return int(fields[4])
    return None
