"""Ctrl-C while the program starts."""

import subprocess
import sys
from pathlib import Path

import pytest

PREPARED = (
    "import os, signal, sys\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # tests may run where it is ignored
    "from stitchedit import __main__ as start\n"
)
LATER = (
    "class Press:\n"
    "    def find_spec(self, name, path, target=None):\n"
    "        if name == 'stitchedit.cli.main':\n"
    "            os.kill(os.getpid(), signal.SIGINT)\n"
    "sys.meta_path.insert(0, Press())\n"
)
EARLIER = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}); os.kill(os.getpid(), signal.SIGINT)\n"


@pytest.mark.parametrize("press", [LATER, EARLIER], ids=["while modules load", "before the new start"])
def test_it_is_one_line_and_130(press: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PREPARED + press + "start.main()"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert done.stderr == "stopped (SIGINT); the same command goes on from here\n"


def test_what_is_ignored_stays_so() -> None:
    ignore = "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    code = PREPARED + ignore + LATER + "sys.argv = ['x', '--help']; start.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Exit codes" in done.stdout


@pytest.mark.parametrize("command", ["--help", "directions list"])
def test_python_m_imports_nothing_of_the_working_folder(command: str, tmp_path: Path) -> None:
    for name in ("signal", "random", "numpy", "typer", "tomllib"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('code of the working folder ran')")
    start = [sys.executable, "-m", "stitchedit", *command.split()]
    done = subprocess.run(start, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
