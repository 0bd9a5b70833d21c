"""Networks of TensorFlow Lite, loaded without the line that its runtime writes for each."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_STDERR = 2
_of_thread = threading.local()


def load_interpreter(path: Path) -> Any:
    """The network in a file, on one thread, its tensors allocated."""
    from ai_edge_litert.interpreter import Interpreter

    with _silent():
        network = Interpreter(str(path), num_threads=1)
        network.allocate_tensors()
    return network


def own_interpreter(path: Path) -> Any:
    """The same, loaded once a thread: a network holds what it was given and what it says of it."""
    networks = vars(_of_thread)
    if str(path) not in networks:
        networks[str(path)] = load_interpreter(path)
    return networks[str(path)]


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing reaches stderr, below Python too: "Created TensorFlow Lite XNNPACK delegate" has no switch.

    What fails still raises. Where stderr is closed nothing is done.
    """
    kept = None
    with suppress(OSError):
        kept = os.dup(_STDERR)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDERR)
        os.close(nowhere)
    try:
        yield
    finally:
        if kept is not None:
            os.dup2(kept, _STDERR)
            os.close(kept)
