"""Small tasks in place of a film's, for whoever carries tasks out; processes load nothing else for them."""

from __future__ import annotations

import os
import time
from pathlib import Path

from stitchedit.film.outcome import DONE, FAILED, Outcome


def sleep(address: str, name: str) -> Outcome:
    """A task that takes as long as the number after the last "s" of the address says."""
    time.sleep(float(address.rpartition("s")[2]))
    return Outcome(name, DONE)


def write_name(address: str, name: str) -> Outcome:
    """A task that leaves a file of its name; "fail" fails, and "die" kills its process the first time."""
    place = Path(address, name.replace("/", "-"))
    if "fail" in name:
        return Outcome(name, FAILED, said="as asked", exit_code=5)
    if "die" in name and not place.with_suffix(".tried").exists():
        place.with_suffix(".tried").touch()
        os.kill(os.getpid(), 9)
    place.write_text(str(time.monotonic_ns()))
    return Outcome(name, DONE)
