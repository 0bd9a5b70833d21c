"""A log file in the project, for finding out afterwards: what ran, what it said, how it ended."""

from __future__ import annotations

import logging
import sys
import traceback
from contextlib import suppress
from importlib import metadata
from logging.handlers import MemoryHandler, RotatingFileHandler
from pathlib import Path

NAME = "stitchedit.log"
MAX_BYTES = 1 << 20  # then it becomes stitchedit.log.1, in place of an older one
_EARLY = 500  # records kept until the folder is known


class ProjectLog(MemoryHandler):
    """Keeps records until `open_in` tells the project's folder, and writes all to its log file from then on.

    It never fails: a log that cannot be written is no reason to stop.
    """

    target: RotatingFileHandler | None

    def __init__(self) -> None:
        super().__init__(_EARLY, flushOnClose=False)
        start = f"stitchedit {metadata.version('stitchedit')}: {' '.join(sys.argv[1:])}"
        self.emit(logging.LogRecord("stitchedit", logging.INFO, "", 0, start, None, None))

    def open_in(self, folder: Path) -> None:
        """Go on in the project's folder; the first one that is told stays."""
        if self.target is not None:
            return
        with suppress(OSError):
            file = RotatingFileHandler(
                folder / NAME, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8", errors="backslashreplace"
            )
            file.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
            self.setTarget(file)
            self.flush()

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):
            super().emit(record)

    def shouldFlush(self, record: logging.LogRecord) -> bool:
        """Each record at once, when there is a file; without one, those that came first are kept."""
        if self.target is None:
            del self.buffer[self.capacity :]
        return self.target is not None

    def close(self) -> None:
        if self.target is not None:
            self.target.close()
        super().close()


def log_in(folder: Path) -> None:
    """Let the log, if one is attached, go on in a project's folder."""
    log = project_log()
    if log is not None:
        log.open_in(folder)
    logging.getLogger(__name__).debug("working in %s", folder)


def project_log() -> ProjectLog | None:
    """The one that is attached, if any."""
    found = (h for h in logging.getLogger("stitchedit").handlers if isinstance(h, ProjectLog))
    return next(found, None)


def record_ending(exc: BaseException) -> Path | None:
    """Write how the run ended into the log file alone; where that is, if there is one."""
    log = project_log()
    if log is None or log.target is None:
        return None
    text = "".join(traceback.format_exception(exc)).rstrip()
    log.emit(logging.LogRecord("stitchedit", logging.ERROR, "", 0, "%s", (text,), None))
    return Path(log.target.baseFilename)
