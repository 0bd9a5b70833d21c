"""`stitchedit queue`: add, list, show, run, retry, stop, remove; `batch` fills it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stitchedit.cli.asked import asked_edits, require_edits
from stitchedit.cli.console import Json, print_json, report
from stitchedit.cli.exit_codes import one_line
from stitchedit.errors import QueueError

if TYPE_CHECKING:
    from stitchedit.queue.folder import Queue
    from stitchedit.queue.jobs import Job

app = typer.Typer(help="Jobs that are done one after the other; what is killed goes on.", no_args_is_help=True)

Folder = Annotated[
    Path | None, typer.Option("--folder", help="The queue's folder.", show_default="one for all that you do here")
]
Numbers = Annotated[list[int], typer.Argument(help="Numbers of `queue list`.", show_default=False)]


def open_queue(folder: Path | None) -> Queue:
    """The queue of a folder, or the one for all that is done here."""
    from stitchedit.queue.folder import Queue

    return Queue(folder)


@app.command("add")
def add_(
    command: Annotated[list[str], typer.Argument(help="-- and a command: invert, edit, preview or evaluate.")],
    after: Annotated[int, typer.Option(min=0, help="The number of a job that must be done before.")] = 0,
    folder: Folder = None,
    json_: Json = False,
) -> None:
    """Put a command at the end of the queue, such as `stitchedit queue add -- edit clip.mp4 --years +20`."""
    require_command(command)
    job = open_queue(folder).add(command, after=after)
    report(job.as_json(), [job_line(job)], json_)


@app.command("list")
def list_(folder: Folder = None, json_: Json = False) -> None:
    """All jobs: number, state, command, and what there is to say of it."""
    jobs = open_queue(folder).jobs()
    report([job.as_json() for job in jobs], [job_line(job) for job in jobs] or ["the queue is empty"], json_)


@app.command("show")
def show_(
    number: Annotated[int, typer.Argument(help="A number of `queue list`.", show_default=False)],
    folder: Folder = None,
    json_: Json = False,
) -> None:
    """All there is of a job: its record, how far it is, its result, and the end of its log."""
    from stitchedit.queue.jobs import log_end, progress_of, result_of

    queue = open_queue(folder)
    job, place = queue.job(number), queue.folder(number)
    facts = job.as_json() | {"log": str(place / "log.txt"), "progress": progress_of(place), "result": result_of(place)}
    if json_:
        print_json(facts | {"log_end": log_end(place)})
        return
    for name, value in facts.items():
        if value not in ("", 0, None, {}):
            typer.echo(one_line(f"{name}: {' '.join(value) if isinstance(value, list) else value}"))
    for line in log_end(place):
        typer.echo(f"  {one_line(line)}")


@app.command("run")
def run_(
    workers: Annotated[int, typer.Option(min=1, max=64, help="So many may work on this machine at once.")] = 1,
    folder: Folder = None,
    json_: Json = False,
) -> None:
    """Do the jobs in their order until none is left; ends with the exit code of the first that failed."""
    from stitchedit.queue.jobs import RUNNING
    from stitchedit.queue.worker import work

    def tell(job: Job) -> None:
        if not json_:
            typer.echo(one_line(f"{job.number} begins: {_command(job)}" if job.state == RUNNING else job_line(job)))

    jobs = work(open_queue(folder), workers=workers, tell=tell)
    report([job.as_json() for job in jobs], [] if jobs else ["nothing is to be done"], json_)
    failed = next((job.exit_code for job in jobs if job.exit_code), 0)
    if failed:
        raise typer.Exit(failed)


@app.command("retry")
def retry_(numbers: Numbers, folder: Folder = None, json_: Json = False) -> None:
    """Let jobs that failed, were stopped or are done wait again."""
    jobs = open_queue(folder).retry(numbers)
    report([job.as_json() for job in jobs], [job_line(job) for job in jobs], json_)


@app.command("stop")
def stop_(
    number: Annotated[int, typer.Argument(help="A number of `queue list`.", show_default=False)],
    folder: Folder = None,
    json_: Json = False,
) -> None:
    """Ask a running job to end; what it finished is kept, and `retry` goes on from there."""
    open_queue(folder).stop(number)
    report({"stopped": number}, [f"job {number} was asked to end"], json_)


@app.command("remove")
def remove_(numbers: Numbers, folder: Folder = None, json_: Json = False) -> None:
    """Forget jobs, their logs and results; the videos and projects that they made stay."""
    open_queue(folder).remove(numbers)
    report({"removed": numbers}, [f"removed {', '.join(map(str, numbers))}"], json_)


def require_command(words: list[str]) -> None:
    """See that a command could be given so: what is wrong with its options is told now, not when its turn comes.

    Raises: QueueError, ConfigError, DirectionError; what click raises for options.
    """
    from stitchedit.cli.main import app as whole
    from stitchedit.queue.jobs import require_known

    require_known(words)
    group: Any = typer.main.get_command(whole)
    given = group.commands[words[0]].make_context(words[0], list(words[1:])).params
    if words[0] == "edit":
        edits = asked_edits(given["direction"], given["strength"], given["years"])
        require_edits(edits, bool(given["force"]))
    if given.get("dry_run"):
        raise QueueError("--dry-run needs no queue", "give it without")


def job_line(job: Job) -> str:
    """A job for people."""
    waits = f" after {job.after}" if job.after and job.state == "waiting" else ""
    return f"{job.number} {job.state}{waits}: {_command(job)}{f' ({job.said})' if job.said else ''}"


def _command(job: Job) -> str:
    from shlex import join

    return join(job.command)
