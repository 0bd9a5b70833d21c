"""The queue on the disk: a folder with a folder for each job, used by any number of processes at once.

    queue/  last.toml (the number given last)  1/  2/  3/ ...  workers/1/

Everything that changes the queue holds the lock of its folder, for milliseconds. A job that runs is held by the lock of
its own folder, a worker by that of its place in `workers`; both are handed on to the process that does the job, so that
they end when that does, whoever was killed. A record that says "running" without a lock is of a job that was cut off.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import tomli_w
from platformdirs import user_state_path

from stitchedit.errors import InUse, QueueError
from stitchedit.files.atomic import atomic, disk_error, make_folder
from stitchedit.files.locks import Lock
from stitchedit.queue.jobs import (
    DAMAGED,
    DONE,
    FAILED,
    INTERRUPTED,
    RUNNING,
    STOPPED,
    WAITING,
    Job,
    forget_ending,
    read_job,
    why_failed,
    write_job,
)

PATIENCE = 20.0  # seconds that are waited for others to let go of the queue
MOST_TRIES = 3  # of a job that is cut off each time: it may be what brings the machine down
_WORKERS, _NEW, _GONE = "workers", ".new-", ".gone-"


def default_folder() -> Path:
    """$STITCHEDIT_HOME/queue, else in the user's folder for state (on Linux ~/.local/state/stitchedit)."""
    own = os.environ.get("STITCHEDIT_HOME")
    return Path(own) / "queue" if own else user_state_path("stitchedit", appauthor=False) / "queue"


class Queue:
    """The jobs of a folder, which is made where it is not there.

    Raises: NotWritable, DiskFull; every method InUse, where another process holds the queue for long.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or default_folder()
        make_folder(self.root / _WORKERS)

    def folder(self, number: int) -> Path:
        return self.root / str(number)

    def jobs(self) -> list[Job]:
        """All of them in their order, with the state that they are in now."""
        with self._held():
            return self._jobs()

    def job(self, number: int) -> Job:
        """Raises QueueError, where there is none of this number."""
        with self._held():
            return self._job(number)

    def add(self, command: Sequence[str], folder: Path | None = None, *, after: int = 0) -> Job:
        """Put a command at the end.

        Args:
            command: its words, without "stitchedit".
            folder: where it is to run; None: the working folder.
            after: the number of a job that must be done before.
        Raises: QueueError, when it is none that can wait, or there is no job `after`.
        """
        job = Job(0, tuple(command), str((folder or Path()).absolute()), after=after, added=_now())
        with self._held():
            if after:
                self._job(after)
            for path in self.root.glob(f"{_NEW}*"):  # of processes that were killed
                shutil.rmtree(path, ignore_errors=True)
            job = replace(job, number=self._next_number())
            try:
                new = Path(tempfile.mkdtemp(prefix=_NEW, dir=self.root))
                write_job(new, job)
                os.rename(new, self.folder(job.number))
            except OSError as exc:
                raise disk_error(self.root, exc) from exc
        return job

    def retry(self, numbers: Sequence[int]) -> list[Job]:
        """Let jobs that ended, in whatever way, wait again at their old places. Raises QueueError, when one runs."""
        with self._held():
            jobs = [self._job(number) for number in numbers]
            for job in jobs:
                self._refuse_running(job, "retried")
                if job.state == DAMAGED:
                    raise QueueError(job.said, f"`stitchedit queue remove {job.number}`, and add it again")
            for job in jobs:
                forget_ending(self.folder(job.number))
            return [self._save(replace(job, state=WAITING, tries=0, pid=0, said="", exit_code=-1)) for job in jobs]

    def remove(self, numbers: Sequence[int]) -> None:
        """Forget jobs with their logs and results; what they made stays. Raises QueueError, when one runs."""
        with self._held():
            for job in [self._job(number) for number in numbers]:
                self._refuse_running(job, "removed")
            for number in numbers:
                gone = self.root / f"{_GONE}{number}"
                os.rename(self.folder(number), gone)
            for path in self.root.glob(f"{_GONE}*"):
                shutil.rmtree(path, ignore_errors=True)

    def stop(self, number: int) -> None:
        """Ask the process of a running job to end; what it finished is kept. Raises QueueError, when none runs."""
        with self._held():
            job = self._job(number)
            if job.state != RUNNING:
                raise QueueError(f"job {number} is not running: it is {job.state}", "`stitchedit queue list` tells")
            if not job.pid:
                raise QueueError(f"job {number} is only just starting", "try again in a second")
            with suppress(ProcessLookupError):
                os.kill(job.pid, signal.SIGTERM)

    def take(self) -> tuple[Job, Lock] | None:
        """The next job that can be done, on record as running and held by the lock; None, where none can."""
        with self._held():
            jobs = {job.number: job for job in self._jobs()}
            for job in jobs.values():
                before = jobs.get(job.after)
                if job.state not in (WAITING, INTERRUPTED) or (before is not None and before.state != DONE):
                    continue
                if job.tries >= MOST_TRIES:
                    said = f"it was cut off {job.tries} times: killed, or no memory was left"
                    self._save(replace(job, state=FAILED, said=said))
                    continue
                lock = Lock(self.folder(job.number), alone=True)
                forget_ending(self.folder(job.number))
                begun = replace(job, state=RUNNING, tries=job.tries + 1, started=_now(), ended="", pid=0, said="")
                return self._save(begun), lock
        return None

    def note_process(self, job: Job, pid: int) -> Job:
        """Keep which process does it, for `stop`."""
        with self._held():
            return self._save(replace(job, pid=pid))

    def finish(self, job: Job, exit_code: int) -> Job:
        """Keep how a job ended; 143 and 130 are those of a process that was asked to end."""
        state = {0: DONE, 130: STOPPED, 143: STOPPED}.get(exit_code, FAILED)
        said = why_failed(self.folder(job.number), exit_code) if state == FAILED else ""
        with self._held():
            return self._save(replace(job, state=state, pid=0, ended=_now(), exit_code=exit_code, said=said))

    def put_back(self, job: Job) -> Job:
        """Let a job wait whose worker was asked to end."""
        with self._held():
            return self._save(replace(job, state=WAITING, pid=0, tries=job.tries - 1, said="it goes on where it was"))

    @contextmanager
    def place(self, workers: int = 1) -> Iterator[Lock]:
        """A worker's place, of so many on this machine, held as long as the context lasts and its children live.

        Raises: InUse, where all are taken.
        """
        with self._held():
            lock = self._free_place(workers)
        try:
            yield lock
        finally:
            lock.release()

    def has_worker(self) -> bool:
        """Whether somebody works here now."""
        with self._held():
            return any(_is_held(path) for path in (self.root / _WORKERS).iterdir() if path.is_dir())

    def _free_place(self, workers: int) -> Lock:
        for number in range(1, workers + 1):
            place = self.root / _WORKERS / str(number)
            make_folder(place)
            try:
                return Lock(place, alone=True)
            except InUse as exc:
                taken = exc
        raise InUse(self.root, taken.holder)

    @contextmanager
    def _held(self) -> Iterator[None]:
        lock = Lock(self.root, alone=True, patience=PATIENCE)
        try:
            yield
        finally:
            lock.release()

    def _jobs(self) -> list[Job]:
        numbers = sorted(int(name) for name in os.listdir(self.root) if name.isdecimal() and name.isascii())
        return [self._job(number) for number in numbers]

    def _job(self, number: int) -> Job:
        folder = self.folder(number)
        if number < 1 or not folder.is_dir():
            raise QueueError(f"there is no job {number}", "`stitchedit queue list` has those that are there")
        job = read_job(folder)
        if job.state == RUNNING and not _is_held(folder):
            return replace(job, state=INTERRUPTED, pid=0)
        return job

    def _save(self, job: Job) -> Job:
        write_job(self.folder(job.number), job)
        return job

    def _refuse_running(self, job: Job, what: str) -> None:
        if job.state == RUNNING:
            hint = f"`stitchedit queue stop {job.number}` ends it; what it finished is kept"
            raise QueueError(f"job {job.number} is running and cannot be {what}", hint)

    def _next_number(self) -> int:
        """One that no job ever had."""
        path, last = self.root / "last.toml", 0
        with suppress(OSError, ValueError, KeyError, TypeError):
            last = int(tomllib.loads(path.read_text(encoding="utf-8"))["last"])
        number = 1 + max([last, *(job.number for job in self._jobs())])
        with atomic(path) as temp:
            temp.write_text(tomli_w.dumps({"last": number}), encoding="utf-8")
        return number


def _is_held(folder: Path) -> bool:
    """Whether a process holds a folder; to be asked while the queue is held, for it is locked in passing."""
    try:
        Lock(folder, alone=False).release()
    except InUse:
        return True
    return False


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
