import os
import signal
import sys

import pytest

from stitchedit import cli
from stitchedit.errors import ConfigError


def test_directions_are_paired_with_strengths() -> None:
    assert cli.paired(["age", "smile"], [2.0, -1.0]) == (("age", 2.0), ("smile", -1.0))
    assert cli.paired(["age"], None) == (("age", 1.0),)
    for directions, strengths in (
        ([], []),
        (["age"], [1.0, 2.0]),
        (["age"], [float("nan")]),
        (["age"], [float("inf")]),
    ):
        with pytest.raises(ConfigError):
            cli.paired(directions, strengths)


def test_years_are_strengths_of_age() -> None:
    assert cli.asked_edits(None, None, "+20") == (("age", 2.0),)
    assert cli.asked_edits(["smile"], ["1"], "-5") == (("age", -0.5), ("smile", 1.0))
    ((name, curve),) = cli.asked_edits(None, None, "0:0,48:20")
    assert (name, str(curve)) == ("age", "+0@0+2@48")
    for years in ("old", "nan", "1e9"):
        with pytest.raises(ConfigError):
            cli.asked_edits(None, None, years)
    with pytest.raises(ConfigError):
        cli.asked_edits(None, ["1"], "20")


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
        cli.keep_memory()
        assert len(started) == expected
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ()), "Ctrl-C is heard when nothing started"
    arguments, environment = started[0]
    assert arguments[1:] == ["-m", "stitchedit", "invert", "x.mp4"]
    assert environment["STITCHEDIT_MALLOC"] == "applied"
    assert environment["MALLOC_ARENA_MAX"] == "3", "what the user has set stays"
    assert int(environment["MALLOC_MMAP_THRESHOLD_"]) > 1 << 30
