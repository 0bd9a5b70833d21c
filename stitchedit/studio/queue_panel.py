"""The part of the page that shows the queue: jobs, how far they are, and the result of the one that is chosen."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import wraps
from html import escape
from pathlib import Path
from shlex import join
from typing import Any
from urllib.parse import quote

import gradio as gr

from stitchedit.errors import StitcheditError
from stitchedit.progress import shown_time
from stitchedit.queue.folder import Queue
from stitchedit.queue.jobs import DONE, RUNNING, Job, log_end, picture_of, progress_of, result_of
from stitchedit.queue.worker import start_worker
from stitchedit.studio.session import Session

COLUMNS = ("job", "state", "command", "said")
EVERY = 1.0  # seconds
FIGURES = (
    "edit_delivered",
    "identity_distance",
    "edit_retention",
    "flicker",
    "outside_max",
)  # of `evaluate`, shown first


def told(work: Callable[..., Any]) -> Callable[..., Any]:
    """A handler whose mistakes are one line on the page, what was wrong and what to do."""

    @wraps(work)
    def handler(*given: Any) -> Any:
        try:
            return work(*given)
        except StitcheditError as exc:
            raise gr.Error(f"{exc}. {exc.hint}" if exc.hint else str(exc), print_exception=False) from None

    return handler


def begin(queue: Queue, command: Sequence[str], folder: Path) -> Job:
    """Put a command in the queue, and see that somebody works through it. Raises QueueError, InUse."""
    job = queue.add(command, folder)
    start_worker(queue)
    return job


def add_to(session: Session, queue: Queue, line: gr.Textbox) -> None:
    """Make the controls, in the part of the page that is being made."""
    with gr.Row():
        render = gr.Button("Render this setting", variant="primary", elem_id="render")
        number = gr.Number(0, label="Job", precision=0, minimum=0, elem_id="job")
        measure = gr.Button("Measure its result")
        stop, retry, remove = (gr.Button(text) for text in ("Stop", "Retry", "Remove"))
    said = gr.Markdown(elem_id="queue-said")
    bar = gr.HTML(elem_id="progress")
    picture = gr.HTML(elem_id="tuning")
    table = gr.Dataframe(headers=list(COLUMNS), interactive=False, elem_id="queue", wrap=True, value=rows(queue))
    result = gr.HTML(elem_id="result")
    private: dict[str, Any] = {"api_visibility": "private"}

    def added(command: Sequence[str]) -> Any:
        job = begin(queue, command, session.folders[0])
        return [f"job {job.number} was added", job.number, rows(queue)]

    def rendered() -> Any:
        return added(session.command())

    def measured(chosen: float) -> Any:
        return added(["evaluate", str(_output(queue, session, int(chosen)))])

    def acted(act: Callable[[int], Any]) -> Callable[[float], Any]:
        def work(chosen: float) -> Any:
            act(int(chosen))
            return rows(queue)

        return told(work)

    def again(chosen: int) -> None:
        queue.retry([chosen])
        start_worker(queue)

    def chosen_row(event: gr.SelectData) -> int:
        there, row = rows(queue), int(event.index[0])
        return int(there[row][0]) if row < len(there) else 0

    render.click(told(rendered), None, [said, number, table], **private)
    measure.click(told(measured), number, [said, number, table], **private)
    for button, act in ((stop, queue.stop), (retry, again), (remove, lambda chosen: queue.remove([chosen]))):
        button.click(acted(act), number, table, **private)
    table.select(chosen_row, None, number, **private)
    last = gr.State([])  # of each window by itself
    ticked = [bar, picture, table, result]
    quiet = private | {"show_progress": "hidden"}

    def ticking(chosen: float, shown: Sequence[Any]) -> list[Any]:
        return news(queue, session, int(chosen or 0), shown)

    gr.Timer(EVERY).tick(ticking, [number, last], [*ticked, last], **quiet)
    number.change(lambda chosen: shown_result(queue, session, int(chosen or 0)), number, result, **private)


def news(queue: Queue, session: Session, chosen: int, shown: Sequence[Any]) -> list[Any]:
    """What a window is to show now: bar, picture, table and result, each skipped if it is as in `shown`; and all of it.

    Args:
        shown: what it was given last; empty: nothing yet.
    """
    jobs = queue.jobs()
    now = [progress_bar(queue, jobs), tuning_picture(queue, jobs), _rows(jobs), shown_result(queue, session, chosen)]
    before = shown or [None] * len(now)
    return [*(new if new != old else gr.skip() for new, old in zip(now, before, strict=True)), now]


def rows(queue: Queue) -> list[list[str]]:
    """The table: a row a job, the newest first."""
    return _rows(queue.jobs())


def _rows(jobs: Sequence[Job]) -> list[list[str]]:
    return [[str(job.number), job.state, join(job.command), job.said] for job in reversed(jobs)]


def progress_bar(queue: Queue, jobs: Sequence[Job]) -> str:
    """The running job with its stage and the time left, as HTML; empty, where none runs."""
    running = [job for job in jobs if job.state == RUNNING]
    if not running:
        return ""
    job, facts = running[0], progress_of(queue.folder(running[0].number))
    if not facts:
        return f"<p>job {job.number} starts ...</p>"
    done, total, left = int(facts.get("done", 0)), int(facts.get("total", 0)), facts.get("left")
    time = f", about {shown_time(float(left))} left in this stage" if isinstance(left, int | float) else ""
    note = escape(f"{facts.get('stage', '')}: {done} of {total}{time}")
    return f"<p>job {job.number}, {note}</p><progress max='{total}' value='{done}' style='width: 100%'></progress>"


def tuning_picture(queue: Queue, jobs: Sequence[Job]) -> str:
    """A frame as the generator that is being tuned draws it now, as HTML; empty, where none is tuned."""
    running = [job for job in jobs if job.state == RUNNING]
    found = picture_of(queue.folder(running[0].number)) if running else b""
    if not found:
        return ""
    told = f"job {running[0].number}: a frame of the clip, and as the generator draws it now"
    return f"<img alt='{told}' title='{told}' src='data:image/png;base64,{b64encode(found).decode()}'>"


def shown_result(queue: Queue, session: Session, number: int) -> str:
    """What there is of a job, as HTML: its video beside the source, its figures, the end of its log."""
    try:
        job = queue.job(number)
    except StitcheditError:
        return ""
    folder, parts = queue.folder(number), []
    result = result_of(folder) if job.state == DONE else None
    if isinstance(result, dict) and "output" in result:
        parts.append(_videos(session, result))
    if isinstance(result, dict) and isinstance(result.get("figures"), dict | list):
        parts.append(_figures(result["figures"]))
    log = escape("\n".join(log_end(folder, 8)))
    return "".join(parts) + f"<pre style='white-space: pre-wrap'>{log}</pre>"


def _output(queue: Queue, session: Session, number: int) -> Path:
    """The video that a job made. Raises ConfigError."""
    result = result_of(queue.folder(queue.job(number).number))
    made = result.get("output", "") if isinstance(result, dict) else ""
    return session.allowed(Path(queue.job(number).folder) / str(made))


def _videos(session: Session, result: dict[str, Any]) -> str:
    places = []
    source = None if session.clip is None else session.clip.project.source
    for path in (source, Path(str(result["output"]))):
        try:
            place = None if path is None else session.allowed(path)
        except StitcheditError:
            continue
        if place is not None and place.is_file():
            address = f"gradio_api/file={quote(str(place))}"
            places.append(f"<video src='{escape(address, quote=True)}' controls loop muted style='width: 49%'></video>")
    return f"<div>{' '.join(places)}</div>"


def _figures(figures: Any) -> str:
    found = figures if isinstance(figures, dict) else {f.get("name"): f for f in figures if isinstance(f, dict)}
    names = [*(name for name in FIGURES if name in found), *(name for name in found if name not in FIGURES)]
    cells = [(name, found[name].get("value") if isinstance(found[name], dict) else found[name]) for name in names]
    lines = "".join(f"<tr><td>{escape(str(name))}</td><td>{escape(_short(value))}</td></tr>" for name, value in cells)
    return f"<table>{lines}</table>"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
