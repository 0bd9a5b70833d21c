"""A cut list read: OTIO and, by its adapters, EDL (CMX 3600) and AAF.

What is shown of each medium is taken with what transitions need of it. A linear change of speed is kept, and so are
gaps, generators and sound; what cannot be told for sure is refused by the name of its shot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from stitchedit.cutlist.media import by_name, last_name, names_below, url_path
from stitchedit.cutlist.shots import CutList, Shot, exact_rate
from stitchedit.errors import CannotOpen, ConfigError

ADAPTERS = {  # by file ending: OTIO's name of the reader, and the package that brings it
    ".otio": ("otio_json", "opentimelineio"),
    ".edl": ("cmx_3600", "otio_cmx3600_adapter"),
    ".aaf": ("AAF", "otio_aaf_adapter"),
}
_MOST_BYTES = 1 << 26  # of a cut list
_DEEPEST = 200  # brackets within each other; OTIO's reader overflows its stack at some ten thousand
_MOST_DIGITS = 12  # of a picture's number
_MOST_NAMED = 3


def is_cut_list(path: Path) -> bool:
    """Whether a path has the ending of a cut list."""
    return path.suffix.lower() in ADAPTERS


def read_cut_list(
    path: Path, media: Path | None = None, *, rate: Fraction | None = None, skip: Collection[str] = ()
) -> CutList:
    """The shots of a time line's video tracks, with the media that they are cut from.

    Args:
        path: an .otio, .edl or .aaf.
        media: a folder in which media are looked for by name that are not where the time line has them; an EDL names
            clips and reels alone.
        rate: frames a second of an EDL, which does not say its own; not for the others.
        skip: names of shots that are left as they are.
    Raises: ConfigError, without the package, for a rate that is missing or too much, or for a shot to skip that is not
        there; CannotOpen, where the list cannot be read, a medium is missing, or a shot is retimed in a way that is not
        known.
    """
    timeline = _opened(path, rate)
    walk = _Walk(path, timeline, media, frozenset(skip))
    try:
        found = [_shot(walk, number, clip) for number, clip in enumerate(walk.clips(), 1)]
        walk.require_all()
        walk.require_skipped()
        return CutList(path, tuple(found), tuple(walk.kept()), timeline, tuple(walk.taken))
    except (ValueError, OverflowError, ZeroDivisionError, opentimelineio().exceptions.OTIOError) as exc:
        raise CannotOpen(path, f"its times do not make sense: {_line(exc)}", "export the time line again") from exc


@dataclass(frozen=True, slots=True)
class _Missing:
    name: str
    where: str


class _Walk:
    """What is known while a time line is gone through."""

    def __init__(self, path: Path, timeline: Any, media: Path | None, skip: frozenset[str]) -> None:
        self.path, self.timeline, self.media, self.skip = path, timeline, media, skip
        self.missing: list[_Missing] = []
        self.taken: list[Any] = []

    @cached_property
    def names(self) -> Mapping[str, list[Path]]:
        return {} if self.media is None else names_below(self.media)

    def clips(self) -> Iterator[Any]:
        """Those that are to be edited."""
        for clip in _video_clips(self.timeline):
            if not self.why_kept(clip):
                self.taken.append(clip)
                yield clip

    def why_kept(self, clip: Any) -> str:
        """Why a clip stays as it is; empty, where it is edited."""
        if not clip.enabled:
            return "it is switched off"
        if clip.name in self.skip:
            return "left out as asked"
        reference = clip.media_reference
        if isinstance(reference, opentimelineio().schema.GeneratorReference):
            return f"it is generated ({reference.generator_kind or 'by what is not said'})"
        return ""

    def kept(self) -> Iterator[str]:
        """A line for everything that stays as it is."""
        schema, timeline = opentimelineio().schema, self.timeline
        for clip in _video_clips(timeline):
            if why := self.why_kept(clip):
                yield f"shot '{clip.name}' stays as it is: {why}"
        gaps = [gap for gap in timeline.tracks.find_children(descended_from_type=schema.Gap) if _is_video(gap)]
        if gaps:
            yield "1 gap stays as it is" if len(gaps) == 1 else f"{len(gaps)} gaps stay as they are"
        if sound := [track for track in timeline.tracks if track.kind == schema.TrackKind.Audio]:
            yield f"sound keeps its media ({len(sound)} track{'s' * (len(sound) > 1)})"

    def require_all(self) -> None:
        """Raises CannotOpen, naming the shots whose media are not there."""
        if not self.missing:
            return
        told = [f"'{m.name}' ({m.where})" for m in self.missing[:_MOST_NAMED]]
        told += ["others"] * (len(self.missing) > len(told))
        why = f"media are missing of {len(self.missing)} of its shots: {', '.join(told)}"
        hint = "name the folder that holds them with --media, or leave a shot out: --skip NAME"
        raise CannotOpen(self.path, why, hint)

    def require_skipped(self) -> None:
        """Raises ConfigError, where there is no shot that is to be skipped."""
        names = sorted({clip.name for clip in _video_clips(self.timeline)})
        for name in sorted(self.skip.difference(names)):
            near = get_close_matches(name, names, 2) or names[:_MOST_NAMED]
            raise ConfigError(f"{self.path} has no shot '{name}' to skip", f"it has {', '.join(near)}")


def _shot(walk: _Walk, number: int, clip: Any) -> Shot:
    speed = _speed(walk.path, clip)
    trimmed, visible = clip.trimmed_range(), clip.visible_range()
    rate = exact_rate(trimmed.start_time.rate)
    start, shown = _seconds(trimmed.start_time), _seconds(trimmed.duration)
    before = start - _seconds(visible.start_time)
    after = _seconds(visible.duration) - shown - before
    media, media_start = _medium(walk, clip)
    record = clip.transformed_time_range(trimmed, walk.timeline.tracks)
    begins = walk.timeline.global_start_time
    duration = (before + shown + after) * speed if speed else 1 / rate
    return Shot(
        number,
        clip.name or media.stem,
        media,
        start - before * speed,
        duration,
        media_start,
        rate,
        _seconds(record.start_time) + (Fraction(0) if begins is None else _seconds(begins)),
        _seconds(record.duration),
        speed,
    )


def _medium(walk: _Walk, clip: Any) -> tuple[Path, Fraction | None]:
    """Where a clip's medium lies and when it begins; a missing one is noted, for all to be told at once."""
    reference, base, schema = clip.media_reference, walk.path.parent, opentimelineio().schema
    url, names = "", [clip.name, Path(clip.name).stem, _reel(clip)]
    path: Path | None = None
    if isinstance(reference, schema.ExternalReference):
        url = reference.target_url or ""
        path = url_path(url, base) if url else None
        names = [last_name(url), Path(last_name(url)).stem, *names] if url else names
    elif isinstance(reference, schema.ImageSequenceReference):
        if reference.frame_step != 1 or not 0 <= reference.frame_zero_padding <= _MOST_DIGITS:
            what = f"counts its pictures by {reference.frame_step} in {reference.frame_zero_padding} digits"
            _refuse(walk.path, clip, what)
        url = reference.target_url_base or ""
        folder = url_path(url, base) if url else base
        pattern = f"{reference.name_prefix}%0{max(1, reference.frame_zero_padding)}d{reference.name_suffix}"
        first = (
            f"{reference.name_prefix}{reference.start_frame:0{reference.frame_zero_padding}d}{reference.name_suffix}"
        )
        path = folder / pattern if folder is not None and (folder / first).exists() else None
        names = [last_name(url.rstrip("/")), *names]
        url = f"{url.rstrip('/')}/{pattern}"
    there = path if path is not None and (path.exists() or "%" in path.name) else by_name(names, walk.names, clip.name)
    if there is None:
        walk.missing.append(_Missing(clip.name, url or "it names none"))
        there = Path(url)
    begun = None if reference is None else reference.available_range
    return there, None if begun is None else _seconds(begun.start_time)


def _speed(path: Path, clip: Any) -> Fraction:
    """How fast a medium passes. Raises CannotOpen, where that changes, or runs backwards."""
    schema, speed = opentimelineio().schema, Fraction(1)
    for item in (clip, *_parents(clip)):
        for effect in item.effects:
            if isinstance(effect, schema.LinearTimeWarp) and item is clip:  # a frozen frame is one too, of speed 0
                speed *= Fraction(effect.time_scalar).limit_denominator(100_000)
            elif isinstance(effect, schema.TimeEffect):
                _refuse(path, clip, f"is retimed by {effect.effect_name or effect.schema_name()}, which is not known")
    if speed < 0:
        _refuse(path, clip, "plays backwards")
    return speed


def _refuse(path: Path, clip: Any, what: str) -> None:
    raise CannotOpen(path, f"shot '{clip.name}' {what}", f"leave the shot out: --skip '{clip.name}'")


def _video_clips(timeline: Any) -> Iterator[Any]:
    for clip in timeline.find_clips():
        if _is_video(clip):
            yield clip


def _is_video(item: Any) -> bool:
    schema = opentimelineio().schema
    tracks = [parent for parent in _parents(item) if isinstance(parent, schema.Track)]
    return all(track.kind == schema.TrackKind.Video for track in tracks)


def _parents(item: Any) -> Iterator[Any]:
    while (item := item.parent()) is not None:
        yield item


def _reel(clip: Any) -> str:
    """Of an EDL."""
    return str(clip.metadata.get("cmx_3600", {}).get("reel", ""))


def _seconds(time: Any) -> Fraction:
    return Fraction(time.value).limit_denominator(1000) / exact_rate(time.rate)


def _opened(path: Path, rate: Fraction | None) -> Any:
    """The time line of a file. Raises ConfigError, CannotOpen."""
    hint = f"give a time line: {', '.join(ADAPTERS)}"
    if not is_cut_list(path):
        raise CannotOpen(path, "it is no cut list", hint)
    adapter, package = ADAPTERS[path.suffix.lower()]
    options: dict[str, Any] = {}
    if adapter == "cmx_3600":
        if rate is None:
            raise ConfigError(f"{path} is an EDL, which does not say its frame rate", "give it: --fps 25")
        options["rate"] = float(rate)
    elif rate is not None:
        raise ConfigError("--fps is given beside a time line that has a frame rate", "leave it out")
    otio = opentimelineio(package)
    try:
        if not path.is_file():
            raise CannotOpen(path, "there is no such file", hint)
        if path.stat().st_size > _MOST_BYTES:
            raise CannotOpen(path, f"it is larger than {_MOST_BYTES >> 20} MB", hint)
        if adapter == "otio_json":
            _require_flat(path)
        found = otio.adapters.read_from_file(str(path), adapter_name=adapter, **options)
    except CannotOpen:
        raise
    except Exception as exc:  # adapters for other programs' files raise whatever their parsers do
        raise CannotOpen(path, f"it cannot be read as {path.suffix[1:].upper()}: {_line(exc)}", hint) from exc
    lines = [found] if isinstance(found, otio.schema.Timeline) else _timelines(found)
    if len(lines) != 1:
        raise CannotOpen(path, f"it holds {len(lines)} time lines", "export one time line alone")
    return lines[0]


def _timelines(found: Any) -> list[Any]:
    """Of a bin, as AAF files may hold."""
    schema = opentimelineio().schema
    return [item for item in found if isinstance(item, schema.Timeline)] if hasattr(found, "__iter__") else []


def _require_flat(path: Path) -> None:
    """Raises CannotOpen, for JSON that is nested deeper than any time line."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    opened, closed = np.isin(data, tuple(b"[{")), np.isin(data, tuple(b"]}"))
    deepest = int(np.cumsum(opened.astype(np.int32) - closed).max(initial=0))
    if deepest > _DEEPEST:
        raise CannotOpen(path, f"it is nested {deepest} deep", "export the time line again")


def _line(exc: Exception) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0]


def opentimelineio(package: str = "opentimelineio") -> Any:
    """Raises ConfigError, where it is not installed."""
    try:
        import_module(package)
        return import_module("opentimelineio")
    except ImportError as exc:
        raise ConfigError(
            f"cut lists need {package}, which is not installed", "pip install 'stitchedit[cutlists]'"
        ) from exc
