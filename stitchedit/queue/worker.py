"""Who does the jobs: one after the other, each in a process of its own, until none is left that can be done."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from stitchedit.errors import OutputError
from stitchedit.files.atomic import disk_error
from stitchedit.files.locks import Lock
from stitchedit.progress import Progress
from stitchedit.queue.folder import Queue
from stitchedit.queue.jobs import PICTURE, Job
from stitchedit.types import ByteArray

log = logging.getLogger(__name__)

PROGRESS = "STITCHEDIT_PROGRESS"  # in the environment of a job's process: the file to tell its progress in
PROGRAM = (sys.executable, "-P", "-m", "stitchedit")  # -P: nothing is imported from the folder of the job
SECONDS_TO_END = 60  # that a job gets to end by itself when its worker is asked to
_TELL_EVERY = 0.5  # seconds


def work(queue: Queue, *, workers: int = 1, tell: Callable[[Job], None] = lambda job: None) -> list[Job]:
    """Do all jobs that can be done, those too that are added meanwhile.

    Args:
        workers: so many may work on this machine at once.
        tell: called with each job as it begins and as it ends.
    Returns: the jobs that ended, as they are now.
    Raises: InUse, where so many work already.
    """
    ended = []
    with queue.place(workers) as place:
        while (taken := queue.take()) is not None:
            job, lock = taken
            try:
                tell(job)
                ended.append(_carry_out(queue, job, lock, place))
                tell(ended[-1])
            finally:
                lock.release()
    return ended


def start_worker(queue: Queue) -> None:
    """Let a process of its own, which outlives this one, work through the queue, unless one does already."""
    if not queue.has_worker():
        command = [*PROGRAM, "queue", "run", "--folder", str(queue.root.absolute())]
        null = subprocess.DEVNULL
        process = subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)
        threading.Thread(target=process.wait, daemon=True).start()  # that no zombie is left of it
        log.debug("process %d works through %s", process.pid, queue.root)


def _carry_out(queue: Queue, job: Job, *locks: Lock) -> Job:
    folder = queue.folder(job.number)
    part = folder / "result.part"
    try:
        process = _started(job, folder, part, locks)
    except OSError as exc:
        _say(folder, f"error: {job.folder} is no folder to work in ({exc.strerror})")
        return queue.finish(job, 1)
    try:
        job = queue.note_process(job, process.pid)
        code = process.wait()
    except BaseException:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_END)
        process.kill()
        process.wait()
        queue.put_back(job)
        raise
    for name in ("progress.json", PICTURE):
        (folder / name).unlink(missing_ok=True)
    if code == 0:
        os.replace(part, folder / "result.json")
    part.unlink(missing_ok=True)
    return queue.finish(job, code if code >= 0 else 128 - code)  # as a shell counts signals


def _started(job: Job, folder: Path, part: Path, locks: tuple[Lock, ...]) -> subprocess.Popen[bytes]:
    words = list(job.command) + ([] if "--json" in job.command else ["--json"])
    environment = os.environ | {PROGRESS: str((folder / "progress.json").absolute())}
    environment.pop("STITCHEDIT_MALLOC", None)  # it is the worker's
    _say(folder, f"--- {job.started} try {job.tries}: stitchedit {' '.join(job.command)}")
    try:
        with part.open("wb") as result, (folder / "log.txt").open("ab") as said:
            return subprocess.Popen(
                [*PROGRAM, *words],
                cwd=job.folder,
                stdin=subprocess.DEVNULL,
                stdout=result,
                stderr=said,
                env=environment,
                start_new_session=True,  # Ctrl-C is the worker's, which asks its job to end
                pass_fds=[lock.handle for lock in locks if lock.handle is not None],
            )
    except OSError as exc:
        if exc.filename == job.folder:
            raise
        raise disk_error(folder, exc) from exc


def _say(folder: Path, line: str) -> None:
    with (folder / "log.txt").open("a", encoding="utf-8", errors="surrogateescape") as said:
        said.write(f"{line}\n")


def told_in_file(path: Path, left: Callable[[str, int, int], float | None], further: Progress) -> Progress:
    """A progress that is also told in a small JSON file, at most twice a second; a file that cannot be is no error.

    Args:
        left: seconds to the end of a stage, as `TimeLeft` guesses them.
        further: called with everything.
    """
    last = -_TELL_EVERY

    def tell(stage: str, done: int, total: int, note: str = "") -> None:
        nonlocal last
        further(stage, done, total, note)
        seconds, now = left(stage, done, total), time.monotonic()
        if now - last >= _TELL_EVERY or done == total:
            last = now
            with suppress(OSError):
                temp = path.with_suffix(".part")
                facts = {"stage": stage, "done": done, "total": total, "note": note, "left": seconds}
                temp.write_text(json.dumps(facts), encoding="utf-8")
                os.replace(temp, path)

    return tell


def shown_in_file(progress: Path) -> Callable[[ByteArray], None]:
    """Takes pictures of a tuning and puts each in the place of the last, beside a job's file of progress.

    One that cannot be written is no error.
    """

    def show(picture: ByteArray) -> None:
        from stitchedit.files.image_folder import save_png  # brings OpenCV, and most processes show nothing

        with suppress(OutputError):
            save_png(picture, progress.with_name(PICTURE))

    return show
