import os
import signal
import subprocess
import sys
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest

from stitchedit.cli.signals import raise_if_stopped, stoppable
from stitchedit.errors import Stopped
from stitchedit.progress import silent
from stitchedit.video import open_video, write_video

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_becomes_an_error_with_its_exit_code(name: str, code: int) -> None:
    def default(number: int, frame: object) -> None:
        raise AssertionError("the surroundings' handler was asked")

    before = signal.signal(signal.Signals[name], default)  # tests may run where the signal is ignored
    try:
        with pytest.raises(Stopped, match=name) as found, stoppable():
            signal.raise_signal(signal.Signals[name])  # to this thread: another might be slow to tell
        assert found.value.exit_code == code
        assert signal.getsignal(signal.Signals[name]) is default
    finally:
        signal.signal(signal.Signals[name], before)


def test_an_error_that_was_lost_comes_back_at_the_next_step() -> None:
    with stoppable():
        progress = raise_if_stopped(silent)
        progress("tune", 1, 2)
        with suppress(Exception):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped, match="SIGTERM"):
            progress("tune", 2, 2)
    raise_if_stopped(silent)("tune", 1, 2)


def test_what_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_signal_ends_the_process_at_once() -> None:
    code = (
        "import os, signal\nfrom stitchedit.cli.signals import stoppable\nfrom stitchedit.errors import Stopped\n"
        "with stoppable():\n"
        "    try:\n        signal.raise_signal(signal.SIGTERM)\n"
        "    except Stopped:\n        signal.raise_signal(signal.SIGTERM)\n"
        "print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "")


def test_stopped_while_ffmpeg_calls_back_it_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error inside of a file's read reaches the caller; a KeyboardInterrupt would be printed and forgotten."""
    source = open_video(CLIP)
    reads = 0

    class Interrupted:
        def __init__(self, file: object) -> None:
            self.file = file

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

        def read(self, size: int) -> bytes:
            nonlocal reads
            reads += 1
            if reads == 2:
                signal.raise_signal(signal.SIGTERM)
            return self.file.read(size)  # type: ignore[attr-defined,no-any-return]

    from stitchedit.video import decoder

    real = decoder.open_regular
    monkeypatch.setattr(decoder, "open_regular", lambda path: Interrupted(real(path)))
    with pytest.raises(Stopped), stoppable():
        write_video(tmp_path / "out.mp4", source, islice(source, 3))
    assert not list(tmp_path.iterdir())
