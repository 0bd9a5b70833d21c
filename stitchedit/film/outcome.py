"""How a task ended: the one thing that goes from whoever did it to whoever asked for it."""

from __future__ import annotations

from dataclasses import dataclass

from stitchedit.errors import ProjectError

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


def error_of(cause: Outcome, message: str, hint: str) -> ProjectError:
    """The error of a command that a task failed, with its exit code."""
    error = ProjectError(f"{message}; {cause.name}: {cause.said}", hint)
    error.exit_code = cause.exit_code or ProjectError.exit_code
    return error
