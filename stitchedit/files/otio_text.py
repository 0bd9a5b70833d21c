"""Time lines in OpenTimelineIO's own JSON: clips one after another, written without the library."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

Table = dict[str, Any]


def timeline(name: str, tracks: Sequence[Table]) -> str:
    """The text of an .otio; the last track lies uppermost."""
    stack = {"OTIO_SCHEMA": "Stack.1", "name": "tracks", "children": list(tracks)}
    return json.dumps({"OTIO_SCHEMA": "Timeline.1", "name": name, "tracks": stack}, indent=1) + "\n"


def track(name: str, clips: Sequence[Table], kind: str = "Video") -> Table:
    """Clips one after another; `kind`: Video or Audio."""
    return {"OTIO_SCHEMA": "Track.1", "name": name, "kind": kind, "children": list(clips)}


def clip(name: str, media: Table, shown: Table, before: Table | None = None) -> Table:
    """What of a medium is shown.

    Args: before: another medium that the clip may be switched to, kept under the key "source".
    """
    table: Table = {"OTIO_SCHEMA": "Clip.2", "name": name, "source_range": shown}
    references = {"DEFAULT_MEDIA": media} | ({"source": before} if before else {})
    return table | {"media_references": references, "active_media_reference_key": "DEFAULT_MEDIA"}


def gap(shown: Table) -> Table:
    """Nothing, as long as `shown`."""
    return {"OTIO_SCHEMA": "Gap.1", "name": "", "source_range": shown}


def file(name: str, url: str, available: Table) -> Table:
    """A medium that is one file; a relative `url` counts from where the time line lies."""
    return {"OTIO_SCHEMA": "ExternalReference.1", "name": name, "available_range": available, "target_url": url}


def span(start: int, length: int, rate: float) -> Table:
    """Frames of a medium, at a rate."""

    def time(value: int) -> Table:
        return {"OTIO_SCHEMA": "RationalTime.1", "rate": rate, "value": float(value)}

    return {"OTIO_SCHEMA": "TimeRange.1", "start_time": time(start), "duration": time(length)}
