"""A file that appears under its name only when it is complete."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from stitchedit.errors import DiskFull, FileTooLarge, NotWritable, OutputError, WouldReplace
from stitchedit.files.locks import flock

_MARKED = 1 << 16  # bytes at the beginning of a picture or page of ours, in which it says so


class PartFile:
    """A new file in the folder of `path`; `commit` gives it that name, `discard` leaves nothing behind.

    Where the system can (Linux, most file systems) it has no name at all until then; elsewhere it is a hidden file
    beside `path`. What processes left that were killed, in the moment between two names or there, the next one for the
    same `path` takes away.

    Raises: NotWritable, DiskFull.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hidden: Path | None = None
        if path.exists() and not path.is_file():
            raise NotWritable(path, "it is a folder" if path.is_dir() else "it is not a regular file")
        _remove_left_over(path)
        try:
            self.file: BinaryIO = os.fdopen(self._open(), "w+b")
        except OSError as exc:
            raise disk_error(path, exc) from exc
        _hold(self.file.fileno())

    def _open(self) -> int:
        nameless = getattr(os, "O_TMPFILE", None)
        if nameless is not None and os.path.isdir("/proc/self/fd"):
            try:
                return os.open(self.path.parent, nameless | os.O_RDWR, 0o666)
            except OSError as exc:
                if exc.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
                    raise
        self._hidden = self._fresh_name()
        return os.open(self._hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)

    def _fresh_name(self) -> Path:
        return self.path.with_name(f"{hidden_stem(self.path)}{secrets.token_hex(4)}.part")

    def commit(self) -> None:
        """Writes everything to the disk, then gives the file its name, replacing what was there.

        Raises: NotWritable, DiskFull; the file is discarded then.
        """
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            if self._hidden is None:
                self._hidden = self._named()
            _put(self._hidden, self.path)
            self._hidden = None
            self.file.close()
        except OSError as exc:
            self.discard()
            raise disk_error(self.path, exc) from exc

    def _named(self) -> Path:
        """Give the nameless file a hidden name in its folder."""
        name, folder = self._fresh_name(), os.open(self.path.parent, os.O_RDONLY)
        try:
            # A folder's descriptor makes Python follow the link in /proc, which plain link() does not.
            os.link(f"/proc/self/fd/{self.file.fileno()}", name.name, dst_dir_fd=folder, follow_symlinks=True)
        finally:
            os.close(folder)
        return name

    def discard(self) -> None:
        """Closes and removes the file; harmless after `commit`."""
        with suppress(OSError):  # what is still buffered may find no room: it is not wanted any more
            self.file.close()
        if self._hidden is not None:
            self._hidden.unlink(missing_ok=True)
            self._hidden = None


def hidden_stem(path: Path) -> str:
    """How the names of its hidden files begin; they are no longer than names may be."""
    return f".{os.fsdecode(os.fsencode(path.name)[:200])}."


def _hold(handle: int) -> bool:
    """Lock an open file; False, when another process has it so, or the system cannot tell whether one has."""
    try:
        flock(handle, alone=True)
    except OSError:
        return False
    return True


def _remove_left_over(path: Path) -> None:
    """Take away hidden files for `path` that no living process has open."""
    left_over = re.compile(re.escape(hidden_stem(path)) + "[0-9a-f]{8}\\.part")
    with suppress(OSError):
        for name in os.listdir(path.parent):
            if left_over.fullmatch(name):
                handle = os.open(path.with_name(name), os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
                try:
                    if _hold(handle):
                        path.with_name(name).unlink()
                finally:
                    os.close(handle)


def disk_error(path: Path, exc: OSError) -> OutputError:
    """The error of `stitchedit.errors` that says what `exc` means for writing `path`."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(path)
    if exc.errno == errno.EFBIG:
        return FileTooLarge(path, _size_limit())
    if exc.errno == errno.ENOENT:
        there = next((place for place in (path, path.parent) if place.is_dir()), None)
        if there is not None:
            return _takes_nothing(path, there)
        return NotWritable(path, f"there is no folder {path.parent}")
    return NotWritable(path, exc.strerror or str(exc))


def _takes_nothing(path: Path, folder: Path) -> NotWritable:
    """Of a folder that is there: of /proc, for one, the system says "no such file" when one is to be made in it."""
    return NotWritable(path, f"{folder} takes no new files")


def _size_limit() -> int | None:
    """Bytes that a file of this process may have (`ulimit -f`); None: without a limit, or the system has none."""
    try:
        import resource
    except ImportError:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if limit == resource.RLIM_INFINITY else limit


def _put(temp: Path, path: Path) -> None:
    """Give a finished, synced file its name, in place of what was there."""
    os.replace(temp, path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make renames in a folder durable, where the system lets folders be synced."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def make_folder(path: Path) -> None:
    """Create a folder and see that files can be made in it. Raises NotWritable, DiskFull."""
    _try_folder(path, path)
    try:
        if not path.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            sync_folder(path.parent)
    except OSError as exc:
        raise disk_error(path, exc) from exc


def require_place(path: Path) -> None:
    """See that a file can be made there, in a folder that need not exist yet; leaves nothing.

    Raises: NotWritable, DiskFull.
    """
    _try_folder(path.parent, path)


def _try_folder(folder: Path, named: Path) -> None:
    """Make a file in a folder, or in the nearest one above that exists. Errors name `named`."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise NotWritable(named, f"{there} is no folder")
    try:
        with tempfile.TemporaryFile(dir=there):  # without a name where the system can: a kill leaves nothing
            pass
    except OSError as exc:
        raise _takes_nothing(named, there) if exc.errno == errno.ENOENT else disk_error(named, exc) from exc


def begin_folder(folder: Path) -> Path:
    """A hidden folder for the files that `folder` is to hold; what a killed run left under its name is taken away.

    Raises: NotWritable, DiskFull.
    """
    there = folder.is_dir()
    if folder.exists() and not there:
        raise NotWritable(folder, "it is no folder")
    parts = folder / ".stitchedit.part" if there else folder.with_name(f"{hidden_stem(folder)}part")
    try:
        shutil.rmtree(parts, ignore_errors=True)
        parts.mkdir()
    except OSError as exc:
        raise disk_error(folder, exc) from exc
    return parts


def commit_folder(parts: Path, folder: Path) -> None:
    """Put what was written into its place: a new folder all at once; in one that is there file by file, by name.

    Raises: NotWritable, DiskFull.
    """
    try:
        sync_folder(parts)
        if folder.is_dir():
            for part in sorted(parts.iterdir()):
                os.replace(part, folder / part.name)
            sync_folder(folder)
        else:
            os.rename(parts, folder)
            sync_folder(folder.parent)
    except OSError as exc:
        raise disk_error(folder, exc) from exc


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; on success it is synced and takes the name, else it is removed.

    Raises: NotWritable, DiskFull.
    """
    temp = path.with_name(f"{hidden_stem(path)}{os.getpid()}.part")
    try:
        yield temp
        with temp.open("rb") as file:
            os.fsync(file.fileno())
        _put(temp, path)
    except OSError as exc:
        raise disk_error(path, exc) from exc
    finally:
        with suppress(OSError):
            temp.unlink(missing_ok=True)


def write_new(path: Path, write: Callable[[BinaryIO], object], named: Path | None = None) -> None:
    """Write a file that is not there yet, synced, such as one of a folder that takes its name when all are there.

    Args: named: what it will be called, for messages; None: the path.
    Raises: NotWritable, DiskFull.
    """
    try:
        with path.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        raise disk_error(named or path, exc) from exc


def require_own(path: Path) -> None:
    """See that a sheet or page may be written there. Raises WouldReplace, when a file is there that is none of ours."""
    try:
        with path.open("rb") as file:
            own = b"stitchedit" in file.read(_MARKED)
    except OSError:
        return  # nothing is there, or nothing that can be written over: whoever writes will tell
    if not own:
        raise WouldReplace(path, "it was not written by stitchedit", "choose another name with -o, or remove it")


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path and put the file in place."""
    with atomic(path) as temp:
        write(temp)
