"""Standard streams as they may be (closed, full, a pipe that nobody reads), and a working folder that was deleted."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stitchedit.errors import ConfigError, PipeClosed

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def prepare_streams() -> None:
    """Give the process three streams that can be used. To be called before anything is opened.

    Closed ones are the null device, as for programs that daemons and desktops start: a file would take their number.
    What cannot be written to stdout is an error of its kind; what cannot be written to stderr is lost.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = _text(_Results(1, "wb", closefd=False))
    sys.stderr = _text(_Told(2, "wb", closefd=False))


def require_working_folder() -> None:
    """Raises ConfigError, where it was deleted."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise ConfigError("the working folder is not there any more", "go to a folder that is: cd") from None


def _text(raw: io.FileIO) -> io.TextIOWrapper:
    """Text on it, in the encoding of the process; what that has no letter for is written as an escape."""
    old = sys.stderr or sys.stdout
    encoding = old.encoding if old else "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=True)


def _give_up(number: int) -> None:
    """Let what is still buffered, or comes later, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)


class _Results(io.FileIO):
    """Stdout. Raises PipeClosed, DiskFull, NotWritable."""

    def write(self, data: ReadableBuffer, /) -> int:
        from stitchedit.files.atomic import disk_error

        try:
            return super().write(data)
        except BrokenPipeError:
            _give_up(1)
            raise PipeClosed from None
        except OSError as exc:
            _give_up(1)
            raise disk_error(Path("the result on stdout"), exc) from exc


class _Told(io.FileIO):
    """Stderr."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            _give_up(2)
            return memoryview(data).nbytes
