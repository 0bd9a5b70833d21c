"""A cut list written back, with edited media linked; what was there stays beside, as another reference of its clip."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from stitchedit.cutlist.reading import ADAPTERS, opentimelineio
from stitchedit.cutlist.shots import CutList, Shot, exact_rate
from stitchedit.errors import CannotOpen
from stitchedit.files.atomic import atomic, require_own

SOURCE = "source"  # the key of what a clip showed before
_END = "\n* EDITED BY stitchedit\n"  # of an EDL, by which it is known


@dataclass(frozen=True, slots=True)
class EditedMedium:
    """What a shot is to show."""

    path: Path  # a file, or the first of numbered pictures
    pictures: bool
    start: Fraction  # s, of its first frame, in the time that the shot's own counts in
    duration: Fraction  # s
    rate: Fraction  # frames a second


def write_edited(cuts: CutList, media: Mapping[Shot, EditedMedium], path: Path) -> list[Path]:
    """Write a time line with other media; it is an .otio, and an EDL beside it where an EDL was read.

    Cuts, gaps, retimes, transitions and sound stay as they are.

    Args:
        media: by shot; the others keep theirs.
        path: of the .otio.
    Returns: the files. Raises WouldReplace, NotWritable, DiskFull; CannotOpen, where an EDL does not hold it.
    """
    made = [path, *([path.with_suffix(".edl")] if cuts.path.suffix.lower() == ".edl" else [])]
    for file in made:
        require_own(file)
    texts = [_text(_edited(cuts, media, file.suffix == ".edl"), file, cuts) for file in made]
    for file, text in zip(made, texts, strict=True):
        with atomic(file) as temp:
            temp.write_text(text, encoding="utf-8")
    return made


def _edited(cuts: CutList, media: Mapping[Shot, EditedMedium], plain: bool) -> Any:
    """A copy of a time line with other media. `plain`: named by paths, not by URLs."""
    line = cuts.timeline.deepcopy()
    places = {id(clip): place for place, clip in enumerate(cuts.timeline.find_clips())}
    clips = list(line.find_clips())
    for shot, clip in zip(cuts.shots, cuts.clips, strict=True):
        if shot in media:
            _link(clips[places[id(clip)]], media[shot], plain)
    line.metadata["stitchedit"] = {"of": cuts.path.name}
    return line


def _link(clip: Any, medium: EditedMedium, plain: bool) -> None:
    otio = opentimelineio()
    rate = clip.source_range.duration.rate if clip.source_range is not None else float(medium.rate)
    count = exact_rate(rate)
    span = otio.opentime.TimeRange(
        otio.opentime.RationalTime(float(medium.start * count), rate),
        otio.opentime.RationalTime(float(medium.duration * count), rate),
    )
    key = clip.active_media_reference_key
    references = dict(clip.media_references())
    references[SOURCE] = references[key].deepcopy()
    place = medium.path.absolute()
    if medium.pictures:
        references[key] = _pictures(medium, span)
    else:
        references[key] = otio.schema.ExternalReference(str(place) if plain else place.as_uri(), span)
    references[key].name = medium.path.name
    clip.set_media_references(references, key)


def _pictures(medium: EditedMedium, span: Any) -> Any:
    found = re.fullmatch(r"(.*?)(\d+)(\D*)", medium.path.name)
    assert found is not None, "numbered pictures"
    return opentimelineio().schema.ImageSequenceReference(
        target_url_base=medium.path.absolute().parent.as_uri() + "/",
        name_prefix=found[1],
        name_suffix=found[3],
        start_frame=int(found[2]),
        frame_step=1,
        rate=float(medium.rate),
        frame_zero_padding=len(found[2]),
        available_range=span,
    )


def _text(line: Any, path: Path, cuts: CutList) -> str:
    adapter, _ = ADAPTERS[path.suffix.lower()]
    otio = opentimelineio()
    if adapter == "otio_json":
        return str(otio.adapters.write_to_string(line, adapter))
    rate = cuts.shots[0].rate if cuts.shots else Fraction(24)
    try:
        return str(otio.adapters.write_to_string(line, adapter, rate=float(rate), style="nucoda")) + _END
    except Exception as exc:  # the writer raises whatever it does not hold
        raise CannotOpen(path, f"an EDL does not hold this time line: {exc}", "start from an .otio") from exc
