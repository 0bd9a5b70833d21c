"""The queue on the disk: what several processes, and processes that were killed, leave in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stitchedit.errors import InUse, QueueError
from stitchedit.queue.folder import MOST_TRIES, Queue, default_folder
from stitchedit.queue.jobs import DAMAGED, DONE, FAILED, INTERRUPTED, RUNNING, STOPPED, WAITING

EDIT = ("edit", "clip.mp4", "--years", "+20")


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "queue")


def test_jobs_are_taken_in_their_order_and_numbers_are_never_given_again(queue: Queue, tmp_path: Path) -> None:
    first, second = queue.add(EDIT, tmp_path), queue.add(EDIT)
    assert (first.number, first.folder, second.folder) == (1, str(tmp_path), str(Path.cwd()))
    taken = queue.take()
    assert taken is not None
    job, lock = taken
    assert (job.number, job.state, job.tries) == (1, RUNNING, 1)
    assert [j.state for j in queue.jobs()] == [RUNNING, WAITING]
    assert queue.finish(job, 0).state == DONE
    lock.release()
    queue.remove([1, 2])
    assert queue.jobs() == []
    assert queue.add(EDIT).number == 3


def test_many_processes_add_at_once(queue: Queue) -> None:
    code = "import sys; from pathlib import Path; from stitchedit.queue.folder import Queue\n"
    code += "queue = Queue(Path(sys.argv[1]))\nfor _ in range(8): queue.add(['edit', sys.argv[2]])"
    command = [sys.executable, "-c", code, str(queue.root)]
    processes = [subprocess.Popen([*command, name]) for name in "abc"]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    jobs = queue.jobs()
    assert [job.number for job in jobs] == list(range(1, 25))
    assert sorted(job.command[1] for job in jobs) == sorted("abc" * 8)


def test_a_job_whose_process_is_gone_is_taken_up_again_but_not_for_ever(queue: Queue) -> None:
    queue.add(EDIT)
    for tries in range(1, MOST_TRIES + 1):
        taken = queue.take()
        assert taken is not None
        assert taken[0].tries == tries
        assert queue.jobs()[0].state == RUNNING
        taken[1].release()  # as the end of its process does
        assert queue.jobs()[0].state == INTERRUPTED
    assert queue.take() is None
    job = queue.job(1)
    assert job.state == FAILED
    assert f"cut off {MOST_TRIES} times" in job.said
    assert queue.retry([1])[0].state == WAITING
    assert queue.take() is not None


def test_a_job_waits_for_the_one_before_it(queue: Queue) -> None:
    before = queue.add(("invert", "clip.mp4"))
    queue.add(EDIT, after=before.number)
    with pytest.raises(QueueError, match="no job 9"):
        queue.add(EDIT, after=9)
    taken = queue.take()
    assert taken is not None
    assert queue.take() is None
    queue.finish(taken[0], 3)
    taken[1].release()
    assert queue.take() is None, "what it was to wait for failed"
    queue.retry([1])
    again = queue.take()
    assert again is not None
    queue.finish(again[0], 0)
    following = queue.take()
    assert following is not None
    assert following[0].number == 2


def test_what_runs_is_neither_retried_nor_removed_and_what_does_not_is_not_stopped(queue: Queue) -> None:
    queue.add(EDIT)
    with pytest.raises(QueueError, match="not running: it is waiting"):
        queue.stop(1)
    taken = queue.take()
    assert taken is not None
    for forbidden in (queue.retry, queue.remove):
        with pytest.raises(QueueError, match="is running"):
            forbidden([1])
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    queue.note_process(taken[0], child.pid)
    queue.stop(1)
    assert child.wait(20) == -15
    assert queue.finish(taken[0], 143).state == STOPPED
    taken[1].release()
    assert queue.take() is None, "what was stopped waits for `retry`"


def test_a_damaged_record_is_in_nobodys_way(queue: Queue) -> None:
    queue.add(EDIT)
    queue.add(EDIT)
    (queue.folder(1) / "job.toml").write_text("nonsense")
    (queue.root / "last.toml").write_text("nonsense")
    assert [job.state for job in queue.jobs()] == [DAMAGED, WAITING]
    with pytest.raises(QueueError, match="cannot be read"):
        queue.retry([1])
    taken = queue.take()
    assert taken is not None
    assert taken[0].number == 2
    queue.remove([1])
    assert queue.add(EDIT).number == 3


def test_what_killed_processes_left_is_taken_away(queue: Queue) -> None:
    for name in (".new-abc", ".gone-4"):
        (queue.root / name).mkdir()
    queue.add(EDIT)
    queue.remove([1])
    assert {path.name for path in queue.root.iterdir()} == {"last.toml", "workers"}


def test_one_works_at_a_time_unless_more_are_wanted(queue: Queue) -> None:
    with queue.place():
        assert queue.has_worker()
        with pytest.raises(InUse, match=f"process {os.getpid()}"), queue.place():
            pass
        with queue.place(2):
            pass
    assert not queue.has_worker()


def test_the_folder_is_that_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STITCHEDIT_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "queue"
    monkeypatch.delenv("STITCHEDIT_HOME")
    assert default_folder().parts[-2:] == ("stitchedit", "queue")
