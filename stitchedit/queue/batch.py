"""One edit of many clips: for each a job that inverts it, where that is not done, and one that edits it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from stitchedit.errors import ProjectError, QueueError
from stitchedit.project.folder import INVERT_STAGES, default_root
from stitchedit.project.records import Records
from stitchedit.queue.folder import Queue
from stitchedit.queue.jobs import Job


def add_clips(
    queue: Queue, clips: Sequence[Path], invert: Sequence[str], edit: Sequence[str], output: Path | None = None
) -> list[Job]:
    """Queue the jobs of some clips.

    Args:
        invert, edit: what follows the clip in each command.
        output: the folder for the results, which get the names of their clips; None: as `edit` names them.
    Raises: QueueError, when a result would replace its clip.
    """
    if output is not None and any(output.resolve() == clip.parent.resolve() for clip in clips):
        raise QueueError(
            f"{output} is the folder of the clips", "name another one: results get the names of their clips"
        )
    places = [None if output is None else output.absolute() / clip.name for clip in clips]
    return [job for pair in zip(clips, places, strict=True) for job in add_clip(queue, *pair, invert, edit)]


def add_clip(queue: Queue, clip: Path, output: Path | None, invert: Sequence[str], edit: Sequence[str]) -> list[Job]:
    """Queue what one clip needs: the job that inverts it, where that is not done, and the one that edits it."""
    clip, before, jobs = clip.absolute(), 0, []
    if not _is_inverted(clip):
        jobs.append(queue.add(["invert", str(clip), *invert]))
        before = jobs[-1].number
    place = [] if output is None else ["-o", str(output)]
    jobs.append(queue.add(["edit", str(clip), *edit, *place], after=before))
    return jobs


def _is_inverted(clip: Path) -> bool:
    with suppress(ProjectError):
        return set(INVERT_STAGES) <= set(Records.read(default_root(clip) / "project.toml").data["stages"])
    return False
