"""Change good files at random and read them: every case must work, or end in one line of a known error.

    python tests/fuzz/fuzz.py KIND CASES SEED        KIND: see KINDS in kinds.py

Prints JSON: how the cases ended, and the failures, each with its number, from which it can be made again (--case N).
A failure is any other exception, a message of several lines, more than ten seconds of work, a file changed elsewhere, a
program started, a connection opened, a pickle that names something, code that is executed, or memory above the bound.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from kinds import KINDS, Kind
from mutations import mutate

from stitchedit.cli.exit_codes import one_line
from stitchedit.errors import StitcheditError

SECONDS = 10  # of the processor: tests may share it
WARM_SECONDS = 60  # the first time, when all modules are imported and, in a new environment, compiled
MEMORY_MB = 1500  # above what reading the untouched files took
FORBIDDEN = (
    *("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen", "pickle.find_class"),
    *("socket.connect", "socket.bind", "socket.getaddrinfo", "urllib.Request", "exec", "webbrowser.open"),
)
PLACES = ("open", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod")


class TooLong(BaseException):
    pass


class Watch:
    """Notes what must not happen while a file is read. Audit hooks stay for the life of the process."""

    def __init__(self) -> None:
        self.folder: Path | None = None  # the one place that may be written to; None: not watching
        self.seen: list[str] = []
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None:
            return
        if event.startswith(FORBIDDEN) or (event in PLACES and self._outside(event, arguments)):
            self.seen.append(f"{event} {str(arguments)[:200]}")

    def _outside(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            path, mode, flags = arguments
            writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (mode is None and flags & 3)
            if not writes or not isinstance(path, str | bytes) or path == os.devnull:
                return False
        if event == "os.link":  # a nameless file that is given its name: relative to an open folder
            return "/proc/self/fd/" not in str(arguments[0])
        paths = [Path(str(p)) for p in arguments[: 2 if event in ("os.rename", "os.symlink") else 1]]
        return not all(p.is_absolute() and p.resolve().is_relative_to(self.folder or "/") for p in paths)

    @contextmanager
    def over(self, folder: Path, seconds: int) -> Iterator[None]:
        def late(_: int, __: FrameType | None) -> None:
            raise TooLong

        signal.signal(signal.SIGPROF, late)
        faulthandler.dump_traceback_later(6 * seconds, exit=True)  # where it waits for ever
        signal.setitimer(signal.ITIMER_PROF, seconds)
        self.folder = folder.resolve()
        try:
            yield
        finally:
            self.folder = None
            signal.setitimer(signal.ITIMER_PROF, 0)
            faulthandler.cancel_dump_traceback_later()


def outcome(kind: Kind, folder: Path, watch: Watch, seconds: int | None = None) -> tuple[str, str]:
    """(how it ended, what is wrong about that, if anything is)"""
    ended, wrong = "read", ""
    watch.seen.clear()
    try:
        with watch.over(folder, seconds or SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind.use(folder)
    except StitcheditError as exc:
        ended = type(exc).__name__
        if not 2 <= exc.exit_code <= 9 or not one_line(str(exc)) or not one_line(f"{exc} {exc.hint}").isprintable():
            wrong = f"a poor message: {exc.exit_code} {str(exc)[:300]!r}"
    except TooLong:
        ended, wrong = "hang", "".join(traceback.format_exc(limit=-4))
    except BaseException as exc:
        ended, wrong = f"BUG {type(exc).__name__}", "".join(traceback.format_exception(exc, limit=-5))[-1500:]
    return ended, wrong or "; ".join(watch.seen[:3])


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("cases", type=int)
    parser.add_argument("seed")
    parser.add_argument("--case", type=int, help="only this one, kept in ./case")
    options = parser.parse_args()
    logging.disable()
    kind, watch = KINDS[options.kind](), Watch()
    endings, failures = Counter[str](), []
    with tempfile.TemporaryDirectory() as place:
        good = Path(place) / "good"
        files = kind.make(good)
        for _ in range(2):  # what is imported late is imported now
            for name in files:
                case = Path(place) / "warm"
                kind.lay(good, case, name, (good / name).read_bytes())
                ended, wrong = outcome(kind, case, watch, WARM_SECONDS)
                if ended != "read":
                    raise SystemExit(f"the untouched {name} is not read: {ended} {wrong}")
        memory = peak_mb()
        for number in range(options.cases) if options.case is None else [options.case]:
            rng = random.Random(f"{options.seed} {number}")
            name = rng.choice(files)
            data = mutate((good / name).read_bytes(), rng, [(good / other).read_bytes() for other in files])
            case = Path(place) / "case"
            kind.lay(good, case, name, data)
            if options.case is not None:
                shutil.copytree(case, "case")
            ended, wrong = outcome(kind, case, watch)
            endings[ended] += 1
            if wrong:
                failures.append({"case": number, "file": name, "ended": ended, "wrong": wrong})
        grown = peak_mb() - memory
    if grown > MEMORY_MB:
        failures.append({"memory": f"{grown:.0f} MB more than for the untouched files"})
    print(json.dumps({"endings": endings, "grown_mb": round(grown), "failures": failures}, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
