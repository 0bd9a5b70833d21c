"""Time lines for tests, as an editing program exports them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import opentimelineio as otio

RATE = 24.0


def span(start: float, duration: float, rate: float = RATE) -> Any:
    """A range in frames."""
    return otio.opentime.TimeRange(otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(duration, rate))


def shot(name: str, url: str, shown: Any, available: Any = None, speed: float = 1.0) -> Any:
    """A clip of a time line."""
    clip = otio.schema.Clip(name, otio.schema.ExternalReference(url, available), shown)
    if speed != 1:
        clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=speed))
    return clip


def timeline(path: Path, *items: Any, sound: bool = False) -> Path:
    """Write items of one video track, and one of sound that is not there, to a file of the kind that it is named."""
    line = otio.schema.Timeline("cut")
    line.tracks.append(otio.schema.Track("V1", list(items), kind="Video"))
    if sound:
        line.tracks.append(otio.schema.Track("A1", [shot("music", "gone.wav", span(0, 10))], kind="Audio"))
    options = {"use_empty_mob_ids": True} if path.suffix == ".aaf" else {}
    otio.adapters.write_to_file(line, str(path), **options)
    return path
