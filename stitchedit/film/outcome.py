"""How a task ended: the one thing that goes from whoever did it to whoever asked for it."""

from __future__ import annotations

from dataclasses import dataclass

DONE, KEPT, FAILED, SKIPPED = "done", "kept", "failed", "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended."""

    name: str
    state: str  # DONE, KEPT, FAILED or SKIPPED
    seconds: float = 0.0
    said: str = ""  # the error, one line
    exit_code: int = 0  # of the kind of error
    machine: str = ""  # what its last bits depend on, see `worker.machine_kind`

    @property
    def good(self) -> bool:
        return self.state in (DONE, KEPT)


def skipped(name: str, needed: str) -> Outcome:
    """Of a task that was not begun, for one that it needs failed."""
    return Outcome(name, SKIPPED, said=f"{needed} failed")
