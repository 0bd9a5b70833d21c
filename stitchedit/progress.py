"""How long work tells that it goes on. Stages call a `Progress`; the command line draws bars, tests keep a list."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called by a stage with its name, the units done, the units in all, and a short note (such as the loss)."""

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None: ...


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    """A `Progress` that shows nothing."""
