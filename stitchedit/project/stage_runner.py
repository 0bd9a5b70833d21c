"""Stages that are done once: each is skipped as long as what it depends on is the same."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stitchedit.project.records import Inputs, Records, fingerprint_of

log = logging.getLogger(__name__)


@dataclass
class Stages:
    """Runs stages whose inputs changed, skips the others, keeps the time."""

    records: Records
    order: tuple[str, ...]  # a stage that is done again makes those after it void
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, stage: str, inputs: Inputs, results: list[Path], work: Callable[[str], object]) -> str:
        """Do `work(fingerprint)` unless its recorded result still holds; log the reason; give the fingerprint."""
        fingerprint = fingerprint_of(inputs)
        reason = self.records.why_redo(stage, inputs, results)
        self.seconds[stage] = 0.0
        if reason is None:
            log.info("%s: nothing changed, kept", stage)
            return fingerprint
        log.info("%s: %s", stage, reason)
        for void in self.order[self.order.index(stage) :]:
            self.records.forget(void)
        start = time.monotonic()
        work(fingerprint)
        self.seconds[stage] = time.monotonic() - start
        self.records.finish(stage, inputs, seconds=round(self.seconds[stage], 1))
        return fingerprint
