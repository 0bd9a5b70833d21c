"""What all commands share: options, the new start with memory kept, logs and progress bars, printing."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from stitchedit.cli.exit_codes import one_line
from stitchedit.cli.signals import raise_if_stopped
from stitchedit.cli.time_left import TimeLeft
from stitchedit.config import DEVICES, PRESETS, REGIONS, EditConfig, InvertConfig
from stitchedit.progress import Progress, shown_time
from stitchedit.project.log_file import ProjectLog

if TYPE_CHECKING:
    from stitchedit.types import ByteArray

LINE = "%(levelname)s %(message)s"  # of a log that is no terminal
INVERT, EDIT = InvertConfig(), EditConfig()  # help texts take their defaults from these


def either(choices: Iterable[str]) -> str:
    """Such as "head, face, mouth or eyes"; a single choice alone, none as an empty text."""
    names = list(choices)
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="Say more on stderr; the project's stitchedit.log has it always.")
]
Device = Annotated[str, typer.Option(help=f"{either(DEVICES)}.")]
Preset = Annotated[
    str | None,
    typer.Option(help=f"{either(PRESETS)} (the reference's recipe).", show_default=INVERT.preset),
]
Region = Annotated[
    list[str] | None,
    typer.Option(help=f"What may change: {either(REGIONS)}; may be repeated.", show_default="that of the direction"),
]
ProjectPlace = Annotated[Path | None, typer.Argument(help="Project folder, or its clip.", show_default="newest here")]
EditName = Annotated[
    str | None,
    typer.Argument(help="An edit of it by name, such as age+2, or the video it wrote.", show_default="the only one"),
]
DIRECTION = "Name, part (age.folds), file of an edit, FILE#COMPONENT[:FIRST:END], or s:LAYER:CHANNEL"
Directions = Annotated[list[str] | None, typer.Option("--direction", help=f"{DIRECTION}; may be repeated.")]
Strengths = Annotated[
    list[str] | None,
    typer.Option(
        "--strength", help="One for each direction: a number, or keyframes such as 0:0,48:2 (frames) or 0s:0,1.5s:2."
    ),
]
Years = Annotated[
    str | None,
    typer.Option("--years", help="Make the face so much older, such as +20 or 0:0,48:20: `age`, counted in years."),
]
Uncalibrated = Annotated[
    bool,
    typer.Option("--uncalibrated", help="Apply vectors as they are; else strengths are solved for on a few frames."),
]
FromText = Annotated[
    str | None, typer.Option("--from", help="With --to, for a StyleCLIP table (fs3.npy) as direction: such as 'face'.")
]
ToText = Annotated[str | None, typer.Option("--to", help="Such as 'face with a beard'. Needs stitchedit[clip].")]
Beta = Annotated[float, typer.Option(help="Of texts: how much a channel must have to do with them, 0..1.")]
Clip = Annotated[
    str, typer.Option("--clip", help="Of texts: folder of CLIP's text model, or a name in transformers' cache.")
]
Source = Annotated[
    Path | None,
    typer.Option(
        help="The clip's new place, where it was moved, renamed or remuxed.", show_default="as invert knew it"
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, say what would be done and how long it takes, and stop.")
]

# Freed memory is kept for the next tensor of the same size. Without this every large activation is mapped, faulted in
# and unmapped anew, which costs more than half of a tuning step on a CPU (figures: docs/benchmarks.md).
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(16 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
    "MALLOC_ARENA_MAX": "1",
}


# Threads that wait sleep instead of spinning: on a machine that does other work too, spinning ones steal its time.
THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}


class Plan(Protocol):
    """What `--dry-run` shows."""

    def as_json(self) -> dict[str, Any]: ...

    def lines(self) -> list[str]: ...


def keep_memory() -> None:
    """Start the program again with the allocator setting, which glibc reads only at start. Linux; once.

    Nothing is imported from the working folder (-P): what lies there may be a stranger's.
    """
    setting = os.environ.get("STITCHEDIT_MALLOC", "")
    if sys.platform != "linux" or setting in ("off", "applied") or "torch" in sys.modules:
        return
    environment = {**MALLOC, **THREADS, **os.environ, "STITCHEDIT_MALLOC": "applied"}
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until it can be told in one line, see `__main__`
    try:
        os.execve(sys.executable, [sys.executable, "-P", "-m", "stitchedit", *sys.argv[1:]], environment)
    finally:  # the program could not start again
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def running(verbose: bool) -> Iterator[Progress]:
    """Logging on stderr and, once the project is open, into its log file; a progress bar when stderr is a terminal."""
    from rich.console import Console
    from rich.logging import RichHandler
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    handler: logging.Handler = RichHandler(
        console=console, show_time=verbose, show_path=False, markup=False, show_level=True
    )
    if not console.is_terminal:  # a file or pipe: a message is a line, however long, and nothing is padded
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s" if verbose else LINE))
    logging.raiseExceptions = False  # a line that cannot be shown is no reason for a traceback
    logger = logging.getLogger("stitchedit")
    handler.setLevel(logging.DEBUG if verbose else logging.INFO)
    for before in logger.handlers:  # of another run in this process, whose log file would stay open
        before.close()
    logger.handlers[:] = [handler, ProjectLog()]
    logger.setLevel(logging.DEBUG)
    if not console.is_terminal:
        yield raise_if_stopped(_told_to_worker(quarters(logger)))
        return
    columns = (TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, TextColumn("{task.fields[left]:>13}  {task.fields[note]}"), console=console) as bars:
        tasks: dict[str, Any] = {}
        time_left = TimeLeft()

        def show(stage: str, done: int, total: int, note: str = "") -> None:
            seconds = time_left(stage, done, total)
            left = "" if seconds is None else f"{shown_time(seconds)} left"
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total or None, note=note, left=left)
            bars.update(tasks[stage], completed=done, total=total or None, note=note, left=left)

        yield raise_if_stopped(show)


def _told_to_worker(progress: Progress) -> Progress:
    """The same progress, told to the worker of a queue too, where one started this process."""
    from stitchedit.queue.worker import PROGRESS, told_in_file

    place = os.environ.get(PROGRESS)
    return told_in_file(Path(place), TimeLeft(), progress) if place else progress


def shown_to_worker() -> Callable[[ByteArray], None] | None:
    """What takes pictures of a tuning, where the worker of a queue started this process; else None."""
    from stitchedit.queue.worker import PROGRESS, shown_in_file

    place = os.environ.get(PROGRESS)
    return shown_in_file(Path(place)) if place else None


def quarters(logger: logging.Logger) -> Progress:
    """Progress for log files: a line each quarter of a stage."""
    said: dict[str, int] = {}
    time_left = TimeLeft()

    def show(stage: str, done: int, total: int, note: str = "") -> None:
        quarter, seconds = 4 * done // max(total, 1), time_left(stage, done, total)
        if quarter > said.get(stage, 0):
            said[stage] = quarter
            parts = [note] if note else []
            parts += [] if seconds is None else [f"about {shown_time(seconds)} left"]
            logger.info("%s: %d of %d%s", stage, done, total, f" ({', '.join(parts)})" if parts else "")

    return show


def report(facts: Any, lines: list[str], as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        for line in lines:
            typer.echo(one_line(line))


def show_plan(plan: Plan, as_json: bool) -> None:
    """Print what would be done."""
    report(plan.as_json() if as_json else None, [] if as_json else plan.lines(), as_json)


def print_json(value: Any) -> None:
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")  # else an escape of stdout's would be no JSON
    typer.echo(json.dumps(value, indent=2, ensure_ascii=not unicode, allow_nan=False))
