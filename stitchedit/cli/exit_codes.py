"""How a command ends when it does not end well: what to say, and the exit code."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from stitchedit.errors import NotWritable, OutOfMemory, PipeClosed, StitcheditError, Stopped

BUG = 1  # exit code
CODES = (
    "Exit codes: 0 done; 1 a bug; 2 an option; 3 the project; 4 a video; 5 the faces; 6 weights; 7 device or memory; "
    "8 a direction; 9 the output or a full disk; 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP, 141 a closed pipe."
)


def explain(exc: Exception, log: Path | None) -> tuple[list[str], int]:
    """The lines for stderr and the exit code: two lines for a user's mistake, all there is for a bug.

    Args:
        log: the log file of the project, if there is one.
    """
    if isinstance(exc, PipeClosed):
        return [], exc.exit_code
    if isinstance(exc, Stopped):
        return [str(exc)], exc.exit_code
    if not isinstance(exc, StitcheditError) and is_out_of_memory(exc):
        exc = OutOfMemory("this command")
    if isinstance(exc, OSError) and exc.errno == errno.ENAMETOOLONG:
        exc = NotWritable(str(exc.filename), "the name is too long for the file system")
    if isinstance(exc, StitcheditError):
        lines = [f"error: {one_line(str(exc))}"]
        return lines + ([f"hint: {one_line(exc.hint)}"] if exc.hint else []), exc.exit_code
    lines = "".join(traceback.format_exception(exc)).splitlines()
    enclose = f", the end of {log}" if log else ""
    lines.append("this is a bug in stitchedit. What is finished is kept; the same command may go on from here.")
    lines.append(f"please report it with the command, the lines above, `stitchedit doctor --json`{enclose}")
    return lines, BUG


def is_out_of_memory(exc: Exception) -> bool:
    """Python's own error, torch's on a GPU, and torch's on a CPU, which has no class of its own."""
    told = isinstance(exc, RuntimeError) and "can't allocate memory" in str(exc)
    return isinstance(exc, MemoryError) or type(exc).__name__ == "OutOfMemoryError" or told


def one_line(text: str) -> str:
    """For a terminal: what strangers put into names and files must not steer it."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line if len(line) <= 1000 else f"{line[:700]} … {line[-300:]}"
