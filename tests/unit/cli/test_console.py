import logging
import os
import signal
import sys

import pytest

from stitchedit.cli import console


def test_the_allocator_setting_is_applied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda program, arguments, env: started.append((arguments, env)))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys, "argv", ["stitchedit", "invert", "x.mp4"])
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")
    for value, expected in (("off", 0), ("applied", 0), ("", 1)):
        started.clear()
        monkeypatch.setenv("STITCHEDIT_MALLOC", value)
        console.keep_memory()
        assert len(started) == expected
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ()), "Ctrl-C is heard when nothing started"
    arguments, environment = started[0]
    assert arguments[1:] == ["-P", "-m", "stitchedit", "invert", "x.mp4"]
    assert environment["STITCHEDIT_MALLOC"] == "applied"
    assert environment["MALLOC_ARENA_MAX"] == "3", "what the user has set stays"
    assert int(environment["MALLOC_MMAP_THRESHOLD_"]) > 1 << 30


def test_a_log_that_is_no_terminal_has_a_line_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    with console.running(verbose=False) as progress:
        logging.getLogger("stitchedit.test").warning("%s", "a long word, " * 20)
        progress("track", 3, 4)
        progress("track", 4, 4)
    said = capsys.readouterr().err.splitlines()
    assert said == ["WARNING " + "a long word, " * 20, "INFO track: 3 of 4", "INFO track: 4 of 4"]
