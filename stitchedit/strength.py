"""How strong an edit is over a clip: one number, or keyframes with a smooth curve between them.

parse_strength("2")              2.0
parse_strength("0:0,48:2")       from 0 at frame 0 to 2 at frame 48
parse_strength("0s:0,1.5s:2")    the same by seconds
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from stitchedit.errors import ConfigError
from stitchedit.types import IntArray

MOST_KEYS = 1000
TOO_MUCH = 1e6  # strengths are below
SIZES = f"give a number below {TOO_MUCH:,.0f}, such as 1.5 or -2"
_LABELLED_KEYS = 4  # up to so many are spelt out in file names
_HINT = "give a number, such as 1.5 or -2, or keyframes FRAME:STRENGTH or SECONDSs:STRENGTH, such as 0:0,48:2 or 1.5s:2"
_KEY = re.compile(r"(\d{1,9}|\d{1,9}(?:\.\d{1,9})?s):([^:]+)")


@dataclass(frozen=True, slots=True)
class Key:
    """The strength at one moment."""

    at: Fraction  # frames, or seconds
    in_seconds: bool
    strength: float

    def frame(self, rate: Fraction) -> Fraction:
        """The moment in frames; seconds are counted at the clip's average rate, frames a second."""
        return self.at * rate if self.in_seconds else self.at

    def __str__(self) -> str:
        return f"{self.strength:+g}@{float(self.at):g}{'s' if self.in_seconds else ''}"


@dataclass(frozen=True, slots=True)
class Keyframes:
    """A strength that changes over the clip: a monotone cubic between keys, level before the first and after the last.

    The curve passes through every key, never beyond two neighbouring keys' strengths, and its slope has no steps: it
    starts and ends level.
    Source: Fritsch and Butland 1984, doi:10.1137/0905021, by scipy's PCHIP.
    """

    keys: tuple[Key, ...]  # at least one

    def curve(self, frames: IntArray, rate: Fraction) -> NDArray[np.float64]:
        """Strengths [N] at source frames [N]. Raises ConfigError, when keys by frame and by second are out of order."""
        from scipy.interpolate import PchipInterpolator  # half a second to load

        at = np.array([float(key.frame(rate)) for key in self.keys])
        strengths = np.array([key.strength for key in self.keys])
        if (np.diff(at) <= 0).any():
            raise ConfigError(f"keyframes {self} do not follow each other at {float(rate):g} frames a second", _HINT)
        # Level stretches on both sides make the curve start and end level.
        at, strengths = np.concatenate([at[:1] - 1, at, at[-1:] + 1]), np.pad(strengths, 1, "edge")
        with np.errstate(over="ignore"):  # slopes next to nothing
            spline = PchipInterpolator(at, strengths)
        found: NDArray[np.float64] = spline(np.clip(frames, at[0], at[-1]))
        return found

    def late_key(self, frames: IntArray, rate: Fraction) -> str:
        """What to say where the last key comes after the last of the frames; "" where it does not."""
        late = len(frames) > 0 and self.keys[-1].frame(rate) > frames[-1]
        return f"keyframe {self.keys[-1]} comes after frame {frames[-1]}, the last with the face" if late else ""

    def __str__(self) -> str:
        """Short and fit for file names: `+0@0+2@48`."""
        texts = [str(key) for key in self.keys]
        if len(texts) <= _LABELLED_KEYS:
            return "".join(texts)
        return f"{texts[0]}..{texts[-1]}.{hashlib.sha256(''.join(texts).encode()).hexdigest()[:6]}"


Strength = float | Keyframes


def parse_strength(text: str) -> Strength:
    """A number, or keyframes separated by commas. Raises ConfigError, naming what is wrong."""
    if ":" not in text:
        return _number(text, text)
    keys = [_key(part.strip(), text) for part in text.split(",")]
    _check_count(len(keys))
    for before, after in itertools.pairwise(keys):
        if before.in_seconds == after.in_seconds and before.at >= after.at:
            raise ConfigError(f"keyframe '{after}' of strength '{_short(text)}' does not come after '{before}'", _HINT)
    return Keyframes(tuple(keys))


def keyframes(strengths: Mapping[float, float], *, in_seconds: bool = False) -> Keyframes:
    """Keyframes from strengths by frame or by second, in any order.

    Raises: ConfigError, when there are none or too many, a moment is negative or no whole frame, or a strength is no
        number.
    """
    _check_count(len(strengths))
    keys = [Key(_moment(at, in_seconds), in_seconds, checked_number(value)) for at, value in strengths.items()]
    return Keyframes(tuple(sorted(keys, key=lambda key: key.at)))


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST_KEYS:
        raise ConfigError(f"strength has {count} keyframes", f"give 1 to {MOST_KEYS}")


def _moment(at: float, in_seconds: bool) -> Fraction:
    """Frames or seconds, as they are written in decimals."""
    try:
        moment = Fraction(str(at))
    except (ValueError, ZeroDivisionError):
        moment = Fraction(-1)
    if moment < 0 or moment >= 10**9 or not (in_seconds or moment.denominator == 1):
        kind = "seconds from the start" if in_seconds else "a whole frame, 0 is the first"
        raise ConfigError(f"keyframe at {at!r}", f"give {kind}")
    return moment


def checked_number(value: object) -> float:
    """A strength from Python. Raises ConfigError, unless it is a finite number of a size that can be."""
    number = float(value) if isinstance(value, Real) else math.nan
    if not abs(number) < TOO_MUCH:  # true for NaN
        raise ConfigError(f"a strength is {value!r}", SIZES)
    return number


def scaled(strength: Strength, factor: float) -> Strength:
    """The same curve, times a number."""
    if isinstance(strength, Keyframes):
        return Keyframes(tuple(replace(key, strength=factor * key.strength) for key in strength.keys))
    return factor * strength


def shifted(strength: Strength, frames: int, rate: Fraction) -> Strength:
    """The same curve for a part of the clip that begins so many frames later; keys may lie before it then.

    Args:
        rate: frames a second, of the clip.
    """
    if not isinstance(strength, Keyframes):
        return strength
    moved = (replace(key, at=key.at - (frames / rate if key.in_seconds else frames)) for key in strength.keys)
    return Keyframes(tuple(moved))


def strength_label(strength: Strength) -> str:
    """Such as `+2` or `+0@0+2@48`, for file names and notices."""
    return str(strength) if isinstance(strength, Keyframes) else f"{strength:+g}"


def strength_option(strength: Strength) -> str:
    """As an option of the command line has it: `2` or `0:0,48:2`; `parse_strength` gives the same back."""
    if not isinstance(strength, Keyframes):
        return repr(float(strength)).removesuffix(".0")
    return ",".join(
        f"{_decimal(key.at)}{'s' * key.in_seconds}:{strength_option(key.strength)}" for key in strength.keys
    )


def _decimal(at: Fraction) -> str:
    return str(at) if at.denominator == 1 else f"{float(at):.9f}".rstrip("0")


def _key(part: str, text: str) -> Key:
    found = _KEY.fullmatch(part)
    if found is None:
        raise ConfigError(f"'{_short(part)}' of strength '{_short(text)}' is no keyframe", _HINT)
    at, strength = found.groups()
    return Key(Fraction(at.removesuffix("s")), at.endswith("s"), _number(strength, text))


def _number(part: str, text: str) -> float:
    try:
        value = float(part)
    except ValueError:
        raise ConfigError(f"'{_short(part)}' of strength '{_short(text)}' is no number", _HINT) from None
    if not abs(value) < TOO_MUCH:  # true for NaN
        raise ConfigError(f"strength '{_short(text)}' holds {value:g}", SIZES)
    return value


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:40]}…{text[-10:]}"
