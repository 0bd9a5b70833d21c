"""What an edit wrote outside of its project: every video of it is on record, and known again by its hash.

`edit.toml` has one table for each in `outputs`: where it was written, its hash, and the records of the stages as they
were then. A file that is not among them is somebody else's and is not replaced unasked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stitchedit.errors import CannotOpen, ProjectError
from stitchedit.project.records import SCHEMA, Inputs, Records, is_record
from stitchedit.video.clip_hash import clip_sha256

STAGES = ("stitch", "video")


@dataclass(frozen=True, slots=True)
class Output:
    """A video that an edit wrote."""

    path: Path  # where to; it may have been moved since
    sha256: str | None  # None: written before hashes were kept
    stages: dict[str, Any]  # the records of STAGES as they were then

    def as_of(self, records: Records) -> Records:
        """The edit's record as it was when this was written; not to be saved."""
        return Records(records.path, {"schema": SCHEMA, "stages": dict(self.stages)})

    def is_file(self, path: Path) -> bool:
        """Whether this is what lies there now. Raises CannotOpen, when nothing can be read there."""
        if self.sha256 is None:
            return self.path == path.resolve()
        return self.sha256 == clip_sha256(path)


def outputs_of(records: Records) -> list[Output]:
    """All that an edit wrote, the newest last. Raises ProjectError, when its record is damaged."""
    found = [_parsed(records, entry) for entry in _entries(records)]
    if "output" in records.inputs("video"):  # of a version that kept the last one alone
        path, sha = records.output("video")
        if all(output.path != path for output in found):
            found.append(Output(path, sha, _stages(records)))
    return found


def find_output(records: Records, path: Path) -> Output | None:
    """The record of what lies at a path, where this edit wrote it and nobody changed it since."""
    try:
        return next((output for output in reversed(outputs_of(records)) if output.is_file(path)), None)
    except (CannotOpen, OSError):
        return None


def begin_output(records: Records, path: Path) -> None:
    """Note what is about to be written: after a kill between the file and its record it is known by `was_begun`."""
    records.data["writing"] = str(path.resolve())
    records.save()


def was_begun(records: Records, path: Path) -> bool:
    """Whether a run that did not come to its end was writing there."""
    return records.data.get("writing") == str(path.resolve())


def note_output(records: Records, path: Path) -> None:
    """Put what stage `video` just wrote, or kept, on record; what was at its place before is no more."""
    place, sha = path.resolve(), clip_sha256(path)
    records.data["stages"]["video"]["sha256"] = sha
    entry = {"path": str(place), "sha256": sha, **_stages(records)}
    others = [other for other in _entries(records) if other.get("path") != str(place)]
    records.data["outputs"] = [*others, entry]
    records.data.pop("writing", None)
    records.save()


def was_written(records: Records, path: Path) -> Output | None:
    """The record of what this edit wrote to a path, whatever lies there now."""
    return next((output for output in reversed(outputs_of(records)) if output.path == path.resolve()), None)


def recall(records: Records, path: Path, files: Sequence[Path]) -> None:
    """Make what lies at a path the result of stage `video`; nothing is, where this edit did not write it.

    Args:
        files: that it is made of; where one is missing, the record stays, and the stage says which.
    """
    found = find_output(records, path)
    if found is None and not all(file.exists() for file in files):
        found = was_written(records, path)
    if found is None:
        records.forget("video")
        return
    stage = dict(found.stages["video"])
    records.data["stages"]["video"] = stage | {"inputs": stage["inputs"] | {"output": str(path.resolve())}}


def why_replaced(records: Records, path: Path, stages: dict[str, Inputs]) -> str | None:
    """What is lost when this edit is written over what lies at a path; None: nothing, it is this very edit.

    Args:
        stages: inputs of STAGES as they are now; those that are not known yet are left out.
    """
    found = find_output(records, path)
    if found is None:
        return "it is no output of this edit"
    then = found.as_of(records)
    for stage, inputs in stages.items():
        now, was = dict(inputs), then.inputs(stage)
        for key in sorted({*now, *was} - {"output"}):
            if now.get(key) != was.get(key):
                shown = (str(side.get(key, "absent"))[:24] for side in (was, now))
                return "it holds this edit with other settings: {} was {}, is {}".format(key, *shown)
    return None


def _entries(records: Records) -> list[dict[str, Any]]:
    entries = records.data.get("outputs", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ProjectError(f"{records.path} is damaged: its outputs are no tables", f"remove {records.path.parent}")
    return entries


def _parsed(records: Records, entry: dict[str, Any]) -> Output:
    stages = {stage: entry[stage] for stage in STAGES if stage in entry}
    texts = (entry.get("path"), entry.get("sha256"))
    if (
        not all(isinstance(text, str) for text in texts)
        or "video" not in stages
        or not all(map(is_record, stages.values()))
    ):
        raise ProjectError(f"{records.path} is damaged: an output is no record", f"remove {records.path.parent}")
    return Output(Path(entry["path"]), entry["sha256"], stages)


def _stages(records: Records) -> dict[str, Any]:
    return {stage: dict(records.data["stages"][stage]) for stage in STAGES if stage in records.data["stages"]}
