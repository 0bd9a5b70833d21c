"""Streams that daemons, desktops, pipes and full disks give a program, and a working folder that was deleted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

START = [sys.executable, "-m", "stitchedit"]


def shell(redirection: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command with its streams redirected by the shell."""
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", *START, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", ">&-", "2>&-", "<&-"])
def test_closed_streams_are_the_null_device(closed: str, tmp_path: Path) -> None:
    done = shell(closed, "edit", "nowhere", "--direction", "age", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("error: no stitchedit project" if "2>" not in closed else "")
    assert shell(closed, "directions", "list", "--json").returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_under_the_streams() -> None:
    done = shell("> /dev/full", "directions", "list")
    assert (done.returncode, done.stderr.count("\n")) == (9, 2)
    assert done.stderr.startswith("error: no space left while writing the result on stdout\nhint: ")
    assert shell("2> /dev/full", "edit", "nowhere", "--direction", "age").returncode == 3


def test_a_pipe_that_nobody_reads_ends_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*START, "directions", "list"], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_letters_that_the_terminal_has_not() -> None:
    done = shell("", "directions", "list", "--json")
    plain = subprocess.run(
        [*START, "directions", "list", "--json"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        check=True,
    )
    assert json.loads(plain.stdout.decode("ascii")) == json.loads(done.stdout)


def test_a_working_folder_that_was_deleted_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    code = (
        f"import os, sys; os.chdir({str(folder)!r}); os.rmdir({str(folder)!r}); os.execv(sys.executable, sys.argv[1:])"
    )
    start = [sys.executable, "-c", code, sys.executable, "-P", "-m", "stitchedit", "edit", "--direction", "age"]
    done = subprocess.run(start, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: the working folder is not there any more\nhint: go to a folder that is: cd\n"
