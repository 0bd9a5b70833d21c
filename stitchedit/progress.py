"""How long work tells that it goes on. Stages call a `Progress`; the command line draws bars, tests keep a list."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called by a stage with its name, the units done, the units in all, and a short note (such as the loss)."""

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None: ...


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    """A `Progress` that shows nothing."""


def shown_time(seconds: float) -> str:
    """Roughly, for people: `40 s`, `12 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
