"""One edit of the shots of a cut list: each becomes a clip with its handles, two jobs, and a medium of the list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stitchedit.cutlist.shots import CutList
from stitchedit.cutlist.writing import write_edited
from stitchedit.errors import CannotOpen
from stitchedit.files.atomic import make_folder
from stitchedit.pipeline.cut_shots import ShotClip, cut_out
from stitchedit.progress import Progress
from stitchedit.queue.batch import add_clip
from stitchedit.queue.folder import Queue
from stitchedit.queue.jobs import Job


def add_shots(
    queue: Queue,
    cuts: CutList,
    clips: Sequence[ShotClip],
    places: tuple[Path, Path],
    options: tuple[Sequence[str], Sequence[str]],
    progress: Progress,
) -> tuple[list[Job], list[Path]]:
    """Cut the shots out, queue their jobs and write the time line that shows what these will make.

    Args:
        places: the folder of the clips, in which results have one of the edit's name, and the time line.
        options: what follows the clip in `invert`, and in `edit`.
    Returns: the jobs, and the files of the time line.
    Raises: what `cut_out` and `write_edited` raise.
    """
    folder, line = places
    if not clips:
        raise CannotOpen(cuts.path, "it has no shot to edit", "; ".join(cuts.kept[:3]))
    sources = cut_out(clips, folder, progress)
    edited = folder / line.stem.removeprefix(f"{cuts.path.stem}.")
    make_folder(edited)
    results = [edited.absolute() / clip.result for clip in clips]
    media = {clip.shot: clip.medium(result) for clip, result in zip(clips, results, strict=True)}
    written = write_edited(cuts, media, line)
    invert, edit = options
    jobs = []
    for clip, source, result in zip(clips, sources, results, strict=True):
        fps = ["--fps", str(clip.source.info.rate)] if clip.pictures else []
        jobs += add_clip(queue, source, result, [*invert, *fps], edit)
    return jobs, written
