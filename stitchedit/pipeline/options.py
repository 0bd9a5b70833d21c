"""Settings changed by what a user writes: texts, checked and put where they belong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stitchedit.config import EVERYBODY, EXPAND_STEPS, LARGEST, MOST_EXPAND, EditConfig, InvertConfig
from stitchedit.errors import ConfigError


def edit_only(config: EditConfig, only: Sequence[str]) -> EditConfig:
    """The settings with each edit for some faces only.

    Args:
        only: numbers such as "2" or "1,3", or "all": one for each edit, or one for all of them.
    Raises: ConfigError, when they are others.
    """
    if not only:
        return config
    if len(only) not in (1, len(config.edits)):
        raise ConfigError(
            f"{len(config.edits)} --direction but {len(only)} --only", "give one for all, or one for each direction"
        )
    numbers = [_face_numbers(text) for text in only]
    return replace(config, only=tuple(numbers * (len(config.edits) // len(numbers))))


def asked_retouches(texts: Sequence[str]) -> tuple[tuple[int, str], ...]:
    """(frame, file) of texts such as "24=frame24.exr", by frame. Raises ConfigError."""
    found = []
    for text in texts:
        frame, equals, file = text.partition("=")
        if not (equals and file and frame.strip().isdecimal() and frame.strip().isascii() and len(frame) < 10):
            raise ConfigError(f"--retouch is '{text}'", "give a frame's number and its picture: 24=frame24.exr")
        found.append((int(frame), file))
    return tuple(sorted(found))


def edit_stitch(config: EditConfig, **changes: Any) -> EditConfig:
    """The settings with some of stitching's replaced; None leaves what the preset has. Raises ConfigError."""
    given = {name: value for name, value in changes.items() if value is not None}
    return replace(config, stitch=replace(config.stitch, **given)) if given else config


def encode_space(config: InvertConfig, space: str) -> InvertConfig:
    """The settings with codes in W or W+. Raises ConfigError for another space."""
    return replace(config, encode=replace(config.encode, space=space))


def expand_crop(config: InvertConfig, text: str) -> InvertConfig:
    """The settings with a crop that is larger at the left, top, right and bottom, "L,T,R,B" in fractions of its side.

    Each is rounded up to eighths; what is missing to a square goes to the narrower direction, to both its sides.
    Raises: ConfigError, for other texts and fractions over a half.
    """
    most = MOST_EXPAND / EXPAND_STEPS
    hint = f"give four fractions of the crop's side from 0 to {most:g}, left, top, right, bottom: 0.25,0.25,0.25,0.25"
    try:
        parts = [float(part) for part in text.split(",")]
    except ValueError as exc:
        raise ConfigError(f"'{text}' is no expansion", hint) from exc
    if len(parts) != 4:
        raise ConfigError(f"'{text}' has {len(parts)} numbers for an expansion", hint)
    if not all(0 <= part <= most for part in parts):
        raise ConfigError(f"'{text}' expands the crop too far, or by less than nothing", hint)
    sides = [math.ceil(part * EXPAND_STEPS - 1e-9) for part in parts]
    across, down = (0, 2), (1, 3)
    for narrow, wide in ((across, down), (down, across)):
        while sum(sides[k] for k in narrow) < sum(sides[k] for k in wide):
            sides[min(narrow, key=lambda k: sides[k])] += 1
    left, top, right, bottom = sides
    return replace(config, align=replace(config.align, expand=(left, top, right, bottom)))


def whose_face(config: InvertConfig, faces: Sequence[str]) -> InvertConfig:
    """The settings for other faces than the largest, each as `TrackConfig.face` has it, or "all" alone.

    Raises: ConfigError, when "all" or a choice is given beside the same.
    """
    chosen = [{"1": LARGEST}.get(face.strip(), face.strip()) for face in faces]  # one thing, one name
    if EVERYBODY in chosen and len(chosen) > 1:
        raise ConfigError(f"--face {EVERYBODY} is given beside others", "give it alone")
    if len(set(chosen)) < len(chosen):
        raise ConfigError("a --face is given twice", "leave one of them out")
    first, *others = [LARGEST, EVERYBODY] if chosen == [EVERYBODY] else chosen
    return replace(config, track=replace(config.track, face=first), others=tuple(others))


def _face_numbers(text: str) -> tuple[int, ...]:
    if text.strip() == "all":
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and part.isascii() and 0 < int(part[:6]) < 1000 for part in parts):
        raise ConfigError(
            f"--only is '{text}'", "give the number of a face, such as 2, or several, such as 1,3, or all"
        )
    return tuple(sorted({int(part) for part in parts}))
