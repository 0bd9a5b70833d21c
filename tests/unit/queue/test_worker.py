"""Working through a queue, with a small program in place of stitchedit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stitchedit.errors import InUse, Stopped
from stitchedit.queue import worker
from stitchedit.queue.folder import Queue
from stitchedit.queue.jobs import DONE, FAILED, INTERRUPTED, RUNNING, STOPPED, WAITING, progress_of, result_of

PROGRAM = """
import json, os, sys, time
said = sys.argv[2]
if said == "fail":
    print("error: no face", file=sys.stderr)
    sys.exit(5)
if said == "die":
    os.kill(os.getpid(), 9)
if said == "wait":
    open("begun", "w").write("x")
    while not os.path.exists("go"):
        time.sleep(0.01)
open(os.environ["STITCHEDIT_PROGRESS"].replace("progress.json", "tuning.png"), "w").close()
print(json.dumps({"asked": sys.argv[1:], "here": os.getcwd(), "progress": os.environ["STITCHEDIT_PROGRESS"]}))
"""


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setattr(worker, "PROGRAM", (sys.executable, "-c", PROGRAM))
    return Queue(tmp_path / "queue")


def until(path: Path) -> None:
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.01)


def working(queue: Queue) -> subprocess.Popen[str]:
    """A worker in a process of its own, which prints how its jobs ended."""
    code = "import sys; from pathlib import Path; from stitchedit.queue import worker\n"
    code += "from stitchedit.queue.folder import Queue\n"
    code += "worker.PROGRAM = (sys.executable, '-c', sys.argv[2])\n"
    code += "print([job.state for job in worker.work(Queue(Path(sys.argv[1])))])"
    command = [sys.executable, "-c", code, str(queue.root), PROGRAM]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_each_job_leaves_a_log_and_a_result(queue: Queue, tmp_path: Path) -> None:
    for said in ("well", "fail", "die"):
        queue.add(("edit", said), tmp_path)
    queue.add(("edit", "well"), tmp_path / "gone")
    told: list[tuple[int, str]] = []
    jobs = worker.work(queue, tell=lambda job: told.append((job.number, job.state)))
    assert [job.state for job in jobs] == [DONE, FAILED, FAILED, FAILED]
    assert [job.exit_code for job in jobs] == [0, 5, 137, 1]
    assert [job.said for job in jobs][:2] == ["", "no face"]
    assert "signal 9" in jobs[2].said
    assert "no folder to work in" in jobs[3].said
    assert told[:2] == [(1, RUNNING), (1, DONE)]
    assert jobs == queue.jobs()
    result = result_of(queue.folder(1))
    assert result["asked"] == ["edit", "well", "--json"]
    assert result["here"] == str(tmp_path)
    assert sorted(path.name for path in queue.folder(1).iterdir()) == ["job.toml", "log.txt", "result.json"]
    assert sorted(path.name for path in queue.folder(2).iterdir()) == ["job.toml", "log.txt"]
    assert "try 1: stitchedit edit fail" in (queue.folder(2) / "log.txt").read_text()


def at_work(queue: Queue, folder: Path) -> subprocess.Popen[str]:
    """A worker whose one job has begun, and waits."""
    queue.add(("edit", "wait"), folder)
    process = working(queue)
    until(folder / "begun")
    while not queue.job(1).pid:
        time.sleep(0.01)
    return process


def test_a_job_of_a_killed_worker_is_nobody_elses_while_it_goes_on(queue: Queue, tmp_path: Path) -> None:
    process = at_work(queue, tmp_path)
    process.kill()
    process.communicate(timeout=20)
    assert queue.job(1).state == RUNNING
    assert queue.has_worker()
    with pytest.raises(InUse):
        worker.work(queue)
    (tmp_path / "go").touch()
    end = time.monotonic() + 20
    while queue.job(1).state == RUNNING and time.monotonic() < end:
        time.sleep(0.01)
    assert queue.job(1).state == INTERRUPTED
    assert [job.state for job in worker.work(queue)] == [DONE]
    assert queue.job(1).tries == 2


def test_a_worker_that_is_asked_to_end_lets_its_job_wait(queue: Queue, tmp_path: Path) -> None:
    queue.add(("edit", "wait"), tmp_path)
    pids: list[int] = []

    def stop(number: int, _: object) -> None:
        pids.append(queue_pid())
        raise Stopped(number)

    def queue_pid() -> int:
        return int(json.loads((tmp_path / "queue" / "pid.json").read_text()))

    real = queue.note_process

    def note(job: object, pid: int) -> object:
        (tmp_path / "queue" / "pid.json").write_text(str(pid))
        noted = real(job, pid)  # type: ignore[arg-type]
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        return noted

    queue.note_process = note  # type: ignore[assignment, method-assign]
    before = signal.signal(signal.SIGALRM, stop)
    try:
        with pytest.raises(Stopped):
            worker.work(queue)
    finally:
        signal.signal(signal.SIGALRM, before)
    job = queue.job(1)
    assert (job.state, job.tries, job.pid) == (WAITING, 0, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_job_that_is_stopped_is_not_begun_again(queue: Queue, tmp_path: Path) -> None:
    process = at_work(queue, tmp_path)
    queue.stop(1)
    assert process.communicate(timeout=20)[0].strip() == f"['{STOPPED}']"


def test_progress_is_told_in_a_file(tmp_path: Path) -> None:
    told: list[int] = []
    place = tmp_path / "progress.json"
    progress = worker.told_in_file(place, lambda *_: 3.0, lambda stage, done, *_: told.append(done))
    for done in range(1, 101):
        progress("tune", done, 100, "loss 1")
    assert told == list(range(1, 101))
    assert progress_of(tmp_path) == {"stage": "tune", "done": 100, "total": 100, "note": "loss 1", "left": 3.0}
    worker.told_in_file(tmp_path / "gone" / "x.json", lambda *_: None, progress)("tune", 1, 1)
