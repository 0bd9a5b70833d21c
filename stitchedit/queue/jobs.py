"""A job: a stitchedit command that is done when its turn comes. One folder of three small files each.

7/  job.toml  log.txt (what the command said on stderr, all tries)  result.json (what `--json` printed)
    progress.json, and tuning.png of an `invert`, while it runs
"""

from __future__ import annotations

import json
import os
import tomllib
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import tomli_w

from stitchedit.errors import QueueError
from stitchedit.files.atomic import atomic

SCHEMA = 1
COMMANDS = ("invert", "edit", "preview", "evaluate")  # that may wait: each ends by itself and has a result
WAITING, RUNNING, DONE, FAILED, STOPPED = "waiting", "running", "done", "failed", "stopped"
INTERRUPTED = "interrupted"  # on record as running, but its process is gone: the next worker takes it up again
DAMAGED = "damaged"  # its record cannot be read
STATES = (WAITING, RUNNING, DONE, FAILED, STOPPED)  # that are on record
RECORD_LIMIT = 1 << 20  # bytes
PICTURE = "tuning.png"  # a frame as the generator draws it, while it is tuned
PICTURE_LIMIT = 4 << 20  # bytes
LOG_LINES = 20  # of the end of a log, that are shown


@dataclass(frozen=True, slots=True)
class Job:
    """What is on record of a job; times are ISO 8601 in UTC, empty where nothing happened yet."""

    number: int
    command: tuple[str, ...]  # such as ("edit", "clip.mp4", "--direction", "age")
    folder: str  # where the command is to run
    state: str = WAITING
    after: int = 0  # the job that must be done before; 0: none
    tries: int = 0  # starts since it was added or retried
    pid: int = 0  # of the process that does it, while it runs
    added: str = ""
    started: str = ""
    ended: str = ""
    exit_code: int = -1  # of the last try that ended
    said: str = ""  # why it failed, or waits

    def __post_init__(self) -> None:
        require_known(self.command)
        if any("\0" in word for word in self.command):
            raise QueueError("a command holds a NUL character", "leave it out")

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "command": list(self.command),
            "exit_code": None if self.exit_code < 0 else self.exit_code,
        }


def require_known(command: Sequence[str]) -> None:
    """Raises QueueError, where it is none of COMMANDS."""
    if not command or command[0] not in COMMANDS:
        name = command[0] if command else "nothing"
        raise QueueError(f"'{name}' cannot be queued", f"commands that can: {', '.join(COMMANDS)}")


def write_job(folder: Path, job: Job) -> None:
    """Raises NotWritable, DiskFull."""
    data = {"schema": SCHEMA, **asdict(job), "command": list(job.command)}
    with atomic(folder / "job.toml") as temp:
        # Names of files may be no UTF-8: they are kept byte for byte.
        temp.write_text(tomli_w.dumps(data), encoding="utf-8", errors="surrogateescape")


def read_job(folder: Path) -> Job:
    """The record in a job's folder; of one that cannot be read a job that says so, in state DAMAGED."""
    try:
        return _parsed(folder)
    except (OSError, ValueError, LookupError, TypeError, RecursionError, QueueError) as exc:
        damaged = Job(int(folder.name), ("edit",), "", said=f"{folder / 'job.toml'} cannot be read: {exc}")
        return replace(damaged, state=DAMAGED)


def _parsed(folder: Path) -> Job:
    path = folder / "job.toml"
    if path.stat().st_size > RECORD_LIMIT:
        raise ValueError("it is too large")
    data = tomllib.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    if data.pop("schema", None) != SCHEMA:
        raise ValueError(f"it is of another version than {SCHEMA}")
    kinds = {field.name: str if field.type == "str" else int for field in fields(Job)} | {"command": list}
    if any(name not in kinds or type(value) is not kinds[name] for name, value in data.items()):
        raise ValueError("a value in it is of another kind")
    if not all(isinstance(word, str) for word in data.get("command", [])):
        raise ValueError("its command is no list of words")
    if data.get("state", WAITING) not in STATES:
        raise ValueError("its state is unknown")
    return Job(**data | {"command": tuple(data["command"]), "number": int(folder.name)})


def result_of(folder: Path) -> Any:
    """What the command printed as JSON; None, where there is nothing (yet)."""
    with suppress(OSError, ValueError, RecursionError):
        return json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return None


def log_end(folder: Path, lines: int = LOG_LINES) -> list[str]:
    """The last lines of a job's log."""
    with suppress(OSError), (folder / "log.txt").open(encoding="utf-8", errors="backslashreplace") as log:
        return [line.rstrip("\n") for line in deque(log, lines)]
    return []


def progress_of(folder: Path) -> dict[str, Any]:
    """How far a running job is: stage, done, total, note, left (seconds, or None); empty, where nothing is known."""
    with suppress(OSError, ValueError):
        told = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
        if isinstance(told, dict):
            return told
    return {}


def picture_of(folder: Path) -> bytes:
    """The picture of a tuning that goes on, a PNG; empty, where there is none."""
    with suppress(OSError):
        if str(progress_of(folder).get("stage", "")).startswith("tune"):
            with (folder / PICTURE).open("rb") as picture:
                found = picture.read(PICTURE_LIMIT + 1)
            return found if len(found) <= PICTURE_LIMIT else b""
    return b""


def why_failed(folder: Path, exit_code: int) -> str:
    """One line: the error that the log ends with, else the exit code."""
    errors = [line for line in log_end(folder) if line.startswith("error: ")]
    if errors:
        return errors[-1].removeprefix("error: ")
    ending = f"killed by signal {exit_code - 128}" if exit_code > 128 else f"exit code {exit_code}"
    return f"{ending}, see {folder / 'log.txt'}"


def forget_ending(folder: Path) -> None:
    """Take away what the last try left, but for the log."""
    for name in ("result.json", "progress.json", PICTURE):
        with suppress(FileNotFoundError):
            os.unlink(folder / name)
