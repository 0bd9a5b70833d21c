"""Records of jobs: kept byte for byte, and never trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from stitchedit.errors import QueueError
from stitchedit.queue.jobs import DAMAGED, Job, log_end, read_job, why_failed, write_job


def test_a_record_comes_back_as_it_was_also_with_names_that_are_no_text(tmp_path: Path) -> None:
    folder = tmp_path / "7"
    folder.mkdir()
    job = Job(7, ("edit", b"caf\xe9 'x'.mp4".decode(errors="surrogateescape"), "--years", "+20"), "/a b", tries=2)
    write_job(folder, job)
    assert read_job(folder) == job


@pytest.mark.parametrize("command", [(), ("doctor",), ("queue", "run"), ("edit", "a\0b")])
def test_only_commands_that_end_by_themselves_wait(command: tuple[str, ...]) -> None:
    with pytest.raises(QueueError):
        Job(1, command, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "schema = 1",
        "schema = 2\ncommand = ['edit']\nfolder = ''",
        "schema = 1\ncommand = 'edit'\nfolder = ''",
        "schema = 1\ncommand = ['edit', 3]\nfolder = ''",
        "schema = 1\ncommand = ['weights']\nfolder = ''",
        "schema = 1\ncommand = ['edit']\nfolder = ''\nstate = 'damaged'",
        "schema = 1\ncommand = ['edit']\nfolder = ''\npid = true",
        "schema = 1\ncommand = ['edit']\nfolder = ''\nowner = 'me'",
        "[" * 5000,
    ],
)
def test_a_record_that_is_none_says_so(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "3"
    folder.mkdir()
    (folder / "job.toml").write_text(text)
    job = read_job(folder)
    assert (job.state, job.number) == (DAMAGED, 3)
    assert "job.toml cannot be read" in job.said


def test_why_it_failed_is_the_last_error_of_the_log(tmp_path: Path) -> None:
    assert log_end(tmp_path) == []
    assert "signal 9" in why_failed(tmp_path, 137)
    (tmp_path / "log.txt").write_bytes(b"error: old\n" + b"x\n" * 30 + b"error: no \xff face\nhint: h\n")
    assert why_failed(tmp_path, 5) == "no \\xff face"
    assert len(log_end(tmp_path)) == 20
