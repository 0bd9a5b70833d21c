"""A log file in the project, for finding out afterwards: what ran, what it said, how it ended."""

from __future__ import annotations

import logging
import sys
import traceback
from contextlib import suppress
from importlib import metadata
from logging.handlers import RotatingFileHandler
from pathlib import Path

NAME = "stitchedit.log"
MAX_BYTES = 1 << 20  # then it becomes stitchedit.log.1, in place of an older one
FOLDER = "project_folder"  # attribute of the record that tells where to write
_EARLY = 500  # records kept until the folder is known


class ProjectLog(logging.Handler):
    """Keeps records until one tells the project's folder, and writes all to its log file from then on.

    It never fails: a log that cannot be written is no reason to stop.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.file: RotatingFileHandler | None = None
        self._early: list[logging.LogRecord] = []
        start = f"stitchedit {metadata.version('stitchedit')}: {' '.join(sys.argv[1:])}"
        self._early.append(logging.LogRecord("stitchedit", logging.INFO, "", 0, start, None, None))

    def emit(self, record: logging.LogRecord) -> None:
        folder = getattr(record, FOLDER, None)
        if folder is not None and self.file is None:
            self._open(folder)
        if self.file is not None:
            with suppress(Exception):
                self.file.handle(record)
        elif len(self._early) < _EARLY:
            self._early.append(record)

    def _open(self, folder: Path) -> None:
        try:
            self.file = RotatingFileHandler(folder / NAME, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8")
        except OSError:
            return
        self.file.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
        for early in self._early:
            with suppress(Exception):
                self.file.handle(early)

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
        super().close()


def project_log() -> ProjectLog | None:
    """The one that is attached, if any."""
    found = (h for h in logging.getLogger("stitchedit").handlers if isinstance(h, ProjectLog))
    return next(found, None)


def record_ending(exc: BaseException) -> Path | None:
    """Write how the run ended into the log file alone; where that is, if there is one."""
    log = project_log()
    if log is None or log.file is None:
        return None
    text = "".join(traceback.format_exception(exc)).rstrip()
    log.emit(logging.LogRecord("stitchedit", logging.ERROR, "", 0, "%s", (text,), None))
    return Path(log.file.baseFilename)
