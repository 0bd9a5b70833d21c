"""The scripts that put an edit's layers together: for Nuke, Fusion, Blender, and a time line for editors.

Each reads `layers.NNNN.exr` beside itself and adds `delta`, times a gain, to `source`. Samples go through as they are
stored: no program may turn them into another colour space on the way, for the edit was blended on these.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from importlib import resources

from jinja2 import Environment, StrictUndefined

from stitchedit.files import otio_text as otio

DIGITS = 4


@dataclass(frozen=True, slots=True)
class Shot:
    """What the scripts need to know."""

    name: str
    width: int  # pixels
    height: int
    first: int  # numbers of the first and the last file
    last: int
    rate: Fraction  # frames a second
    aspect: Fraction  # width of a pixel by its height
    source: str  # the clip, relative to the layers, for the time line
    start: int = 0  # the number of its first frame by its time code


def layer_file(number: int) -> str:
    """The name of a frame's file."""
    return f"layers.{number:0{DIGITS}d}.exr"


def scripts_of(shot: Shot) -> dict[str, str]:
    """Texts by file name, of which Blender's is for version 5, or Python with the package bpy."""
    drawn = {name: _drawn(name, shot) for name in ("shot.nk", "shot.comp", "shot_blender.py")}
    return drawn | {"shot.otio": timeline(shot)}


def _drawn(name: str, shot: Shot) -> str:
    """A template of `assets` with a shot's numbers; none of them holds a text of the user's."""
    template = (resources.files("stitchedit") / "assets" / f"{name}.jinja").read_text(encoding="utf-8")
    environment = Environment(trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined)
    file, rate, aspect = layer_file(shot.first), f"{float(shot.rate):.10g}", f"{float(shot.aspect):g}"
    return environment.from_string(template).render(shot=shot, file=file, rate=rate, aspect=aspect)


def timeline(shot: Shot) -> str:
    """OpenTimelineIO: the clip below, the comp's pictures above it, frame by frame."""
    rate, length = float(shot.rate), shot.last - shot.first + 1
    pictures = {
        "OTIO_SCHEMA": "ImageSequenceReference.1",
        "name": "comp",
        "available_range": otio.span(shot.first, length, rate),
        "target_url_base": "./",
        "name_prefix": "layers.",
        "name_suffix": ".exr",
        "start_frame": shot.first,
        "frame_step": 1,
        "rate": rate,
        "frame_zero_padding": DIGITS,
        "missing_frame_policy": "error",
    }
    below = otio.file(shot.name, shot.source, otio.span(shot.start, length, rate))
    tracks = [
        otio.track("source", [otio.clip(shot.name, below, otio.span(shot.start, length, rate))]),
        otio.track("layers", [otio.clip(f"{shot.name} layers", pictures, otio.span(shot.first, length, rate))]),
    ]
    return otio.timeline(shot.name, tracks)
