"""The queue on the page: the same jobs, and nothing of a stranger's that becomes HTML."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("gradio", reason="the extra `studio` is not installed")

from stitchedit.errors import ConfigError
from stitchedit.queue.folder import Queue
from stitchedit.queue.jobs import PICTURE
from stitchedit.queue.worker import shown_in_file
from stitchedit.studio import queue_panel
from stitchedit.studio.session import Session

BAD = "<script>alert(1)</script>"


def test_jobs_are_shown_with_their_progress_and_their_result(session: Session, queue: Queue, folder: Path) -> None:
    for _ in range(2):
        queue.add(["edit", "clip.mp4", "--years", "+20"], folder)
    taken = queue.take()
    assert taken is not None
    job, lock = taken
    assert [row[:2] for row in queue_panel.rows(queue)] == [["2", "waiting"], ["1", "running"]]
    assert "job 1 starts" in queue_panel.progress_bar(queue, queue.jobs())
    facts = {"stage": BAD, "done": 3, "total": 6, "left": 120.0}
    (queue.folder(1) / "progress.json").write_text(json.dumps(facts))
    bar = queue_panel.progress_bar(queue, queue.jobs())
    assert "3 of 6, about 2 min left" in bar
    assert "<script" not in bar
    (queue.folder(1) / "log.txt").write_text(f"error: {BAD}\n")
    result = {"output": "clip.mp4", "figures": {BAD: {"value": 1.23456}, "flicker": {"value": BAD}}}
    (queue.folder(1) / "result.json").write_text(json.dumps(result))
    queue.finish(job, 0)
    lock.release()
    shown = queue_panel.shown_result(queue, session, 1)
    assert shown.count("<video") == 2
    assert "1.235" in shown
    assert "<script" not in shown
    assert queue_panel.shown_result(queue, session, 9) == ""
    assert queue_panel.progress_bar(queue, queue.jobs()) == ""
    assert queue_panel._output(queue, session, 1) == folder / "clip.mp4"
    (queue.folder(1) / "result.json").write_text('{"output": "/etc/passwd"}')
    assert "passwd" not in queue_panel.shown_result(queue, session, 1).split("<pre")[0]
    with pytest.raises(ConfigError, match="outside"):
        queue_panel._output(queue, session, 1)


def test_only_what_changed_is_sent(session: Session, queue: Queue, folder: Path) -> None:
    *first, shown = queue_panel.news(queue, session, 0, [])
    assert first[2] == []
    assert all(isinstance(answer, dict) for answer in queue_panel.news(queue, session, 0, shown)[:-1]), "to be skipped"
    queue.add(["edit", "clip.mp4"], folder)
    for _ in range(2):  # a window each: what one was told the other is told too
        assert queue_panel.news(queue, session, 0, shown)[2] == [["1", "waiting", "edit clip.mp4", ""]]


def test_a_tuning_is_shown_while_it_goes_on(queue: Queue, folder: Path) -> None:
    queue.add(["invert", "clip.mp4"], folder)
    taken = queue.take()
    assert taken is not None
    job, lock = taken
    progress = queue.folder(1) / "progress.json"
    shown_in_file(progress)(np.full((8, 8, 3), 90, np.uint8))
    progress.write_text('{"stage": "encode", "done": 3, "total": 6}')
    assert queue_panel.tuning_picture(queue, queue.jobs()) == "", "of a run before"
    progress.write_text('{"stage": "tune 2", "done": 3, "total": 6}')
    shown = queue_panel.tuning_picture(queue, queue.jobs())
    assert base64.b64decode(shown.split("base64,")[1].split("'")[0]) == (queue.folder(1) / PICTURE).read_bytes()
    queue.finish(job, 0)
    lock.release()
    assert queue_panel.tuning_picture(queue, queue.jobs()) == ""
    shown_in_file(folder / "gone" / "progress.json")(np.zeros((8, 8, 3), np.uint8))  # nowhere to write is no error


@pytest.mark.slow
def test_what_is_begun_goes_on_when_the_page_and_its_server_are_gone(
    queue: Queue, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from stitchedit.queue.folder import Queue\n"
        "from stitchedit.queue.worker import start_worker\n"
        "start_worker(Queue(Path(sys.argv[1])))\n"
        "os.killpg(0, signal.SIGKILL)"
    )
    monkeypatch.setattr(queue_panel, "start_worker", lambda queue: None)  # that process does, in place of this one
    queue_panel.begin(queue, ["edit", "nowhere.mp4", "--years", "+20"], folder)
    command = [sys.executable, "-c", code, str(queue.root)]
    server = subprocess.run(command, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    assert server.returncode == -signal.SIGKILL
    end = time.monotonic() + 60
    while queue.job(1).state != "failed" and time.monotonic() < end:
        time.sleep(0.1)
    assert "no stitchedit project" in queue.job(1).said
