"""What a film will take: steps, hours, memory, disk and money, before it is begun."""

from __future__ import annotations

import resource
import sys
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stitchedit.config import for_frames
from stitchedit.faces.alignment import exit_for
from stitchedit.film.analysis import Analysis
from stitchedit.film.given import cut_bytes
from stitchedit.film.learning import LEAST, MOST
from stitchedit.film.plan import FilmPlan
from stitchedit.models import loading
from stitchedit.pipeline.edit_plan import A_STITCHING_STEP, TUNING_STEPS_A_FRAME
from stitchedit.pipeline.invert_plan import TUNE_OVERHEAD, seconds_a_pass
from stitchedit.progress import shown_time

CROP_A_FACE = 2.2  # side of an aligned crop in widths of the detector's box
ENCODING = 0.35  # of tuning's time by itself that codes take
FACES_A_SECOND = 4.0  # frames in which everybody is looked for, a core


@dataclass(frozen=True, slots=True)
class Estimate:
    """About what the edit of a film takes."""

    shots: int
    edited_shots: int
    persons: int
    edited_frames: int  # faces
    crop_px: int
    steps: int  # of tuning, between the least and the most that shots may need
    steps_alone: int  # if each shot were tuned by itself
    machine_seconds: float  # of one machine like this one, one task at a time
    longest_seconds: float  # the longest chain of tasks: less it does not take on any number of machines
    memory_bytes: int  # of a task
    disk_bytes: int
    cost: float  # by the price that was given

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self, workers: int) -> list[str]:
        whole = max(self.machine_seconds / workers, self.longest_seconds)
        return [
            f"shots: {self.shots}, of which {self.edited_shots} are edited; persons: {self.persons}; "
            f"faces: {self.edited_frames} at {self.crop_px} px",
            f"tuning: about {self.steps} steps; each shot by itself would take {self.steps_alone}",
            f"time: about {shown_time(self.machine_seconds)} of one machine like this one, {shown_time(whole)} with "
            f"{workers}, at least {shown_time(self.longest_seconds)} with any number",
            f"memory: about {self.memory_bytes / 1e9:.1f} GB a task; disk: about {self.disk_bytes / 1e9:.2f} GB",
            *([f"cost: about {self.cost:.2f} at the price given"] if self.cost else []),
        ]


def estimate(plan: FilmPlan, analysis: Analysis, price: float = 0.0) -> Estimate:
    """One pass of the generator is timed here and now; what it needs of memory is looked at.

    Args:
        price: of an hour of a machine like this one.
    """
    settings = plan.settings
    generator, _ = loading.generator(settings.generator, loading.device(settings.device))
    widths = {(f.shot, f.number): f.width for f in analysis.faces}
    pairs = [(p.shot, face) for p, faces in plan.edited() for face, _ in faces]
    side = float(np.median([widths.get((s.number, face), 100) for s, face in pairs])) * CROP_A_FACE if pairs else 0.0
    config = settings.invert()
    size = exit_for(side, generator.exits, config.max_size)
    step = TUNE_OVERHEAD * seconds_a_pass(generator, size)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    alone = [for_frames(config.tune, shot.frames).steps for shot, _ in pairs]
    once = for_frames(config.tune, settings.reel_frames).steps
    persons = {person.number for person in plan.persons if plan.frames_of(person.number)}
    short = [round(a * (LEAST + MOST) / 2) for a in alone]
    edit = [s.frames * (TUNING_STEPS_A_FRAME + A_STITCHING_STEP * settings.edit().stitch.steps) for s, _ in pairs]
    coding = [ENCODING * a for a in alone]
    total = step * (len(persons) * once * (1 + ENCODING) + sum(short) + sum(edit) + sum(coding))
    chain = [a + b + c for a, b, c in zip(short, edit, coding, strict=True)]
    weights = 4 * sum(p.numel() for p in generator.parameters())
    crops = sum(s.frames for s, _ in pairs) * size * size * 3
    return Estimate(
        len(plan.shots),
        len(plan.edited()),
        len(persons),
        sum(shot.frames for shot, _ in pairs),
        size,
        len(persons) * once + sum(short),
        sum(alone),
        total,
        step * (once * (1 + ENCODING) + max(chain, default=0.0)) if pairs else 0.0,
        memory + 2 * weights,
        2 * cut_bytes(plan.clips, [p.shot for p in plan.shots]) + weights * (len(pairs) + len(persons)) + 2 * crops,
        price * total / 3600,
    )
