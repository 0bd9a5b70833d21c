"""Where `stitchedit` and `python -m stitchedit` start. Ctrl-C is one line from here on, while modules still load."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the working folder, where `python -m` looks first: what lies there may be a stranger's

import signal
from types import FrameType

from stitchedit.cli.streams import prepare_streams
from stitchedit.errors import Stopped


def _end(number: int, _: FrameType | None) -> None:
    """Nothing is open yet; an error would lose its way in somebody's `import`."""
    stopped = Stopped(number)
    os.write(2, f"{stopped}\n".encode())
    os._exit(stopped.exit_code)


def main() -> None:
    prepare_streams()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is to be ignored
        signal.signal(signal.SIGINT, _end)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # see `console.keep_memory`

    from stitchedit.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
