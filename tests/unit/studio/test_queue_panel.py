"""The queue on the page: the same jobs, and nothing of a stranger's that becomes HTML."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

pytest.importorskip("gradio", reason="the extra `studio` is not installed")

from stitchedit.errors import ConfigError
from stitchedit.queue.folder import Queue
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
    last = queue_panel._Last()
    first = last.news(queue, session, 0)
    assert first[1] == []
    assert all(isinstance(answer, dict) for answer in last.news(queue, session, 0)), "to be skipped"
    queue.add(["edit", "clip.mp4"], folder)
    assert last.news(queue, session, 0)[1] == [["1", "waiting", "edit clip.mp4", ""]]


@pytest.mark.slow
def test_what_is_begun_is_done_by_a_process_of_its_own(queue: Queue, folder: Path) -> None:
    job = queue_panel.begin(queue, ["edit", "nowhere.mp4", "--years", "+20"], folder)
    end = time.monotonic() + 60
    while queue.job(job.number).state != "failed" and time.monotonic() < end:
        time.sleep(0.1)
    assert "no stitchedit project" in queue.job(job.number).said
