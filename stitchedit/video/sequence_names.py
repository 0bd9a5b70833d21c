"""Numbered pictures: which files a folder, `shot/frame.%04d.exr`, `shot/frame.####.exr` or `shot/*.exr` means.

Names only: nothing here opens a picture.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from stitchedit.errors import CannotOpen, ConfigError

SUFFIXES = (".png", ".exr", ".tif", ".tiff", ".jpg", ".jpeg")
_NUMBER = re.compile(r"%(?:0(\d{1,2}))?d|(#+)")
_HINT = "name the pictures, such as 'shot/frame.%04d.png'"
_MOST = 10_000_000  # files; no shot has more


@dataclass(frozen=True, slots=True)
class Numbered:
    """The pictures of a shot in order, without a gap between their numbers."""

    path: Path  # as it was named
    files: tuple[Path, ...]
    numbers: tuple[int, ...]

    @property
    def suffix(self) -> str:
        return self.files[0].suffix.lower()


_BROADCAST = {f"{n * 1000 / 1001:.{d}f}": Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120) for d in (2, 3)}
_RATE = re.compile(r"\d{1,9}(?:\.\d{1,9}|/\d{1,9})?")  # no exponents: they may be of any size


def parse_fps(text: str) -> Fraction:
    """A frame rate: `24`, `24000/1001`, `12.5`; what is called 23.976 or 29.97 is a thousandth less than 24 or 30.

    Raises: ConfigError.
    """
    rate = _BROADCAST.get(text, Fraction(0))
    if not rate and _RATE.fullmatch(text):
        with suppress(ValueError, ZeroDivisionError):
            rate = Fraction(text)
    if not 0 < rate <= 1000 or rate.denominator > 1_000_000:
        raise ConfigError(f"--fps is '{text}'", "give frames a second, such as 24, 23.976 or 24000/1001")
    return rate


def has_pattern(path: Path) -> bool:
    """Whether the file name of a picture holds the place of a number: `%04d`, `%d` or `####`."""
    return _is_picture(path.name) and len(_NUMBER.findall(path.name)) == 1


def means_pictures(path: Path) -> bool:
    """Whether a path is to be read as numbered pictures: a folder, or a pattern that is no file's name."""
    return path.is_dir() or (not path.exists() and (has_pattern(path) or "*" in path.name))


def require_clip(path: Path) -> None:
    """Raises CannotOpen, when nothing is at a path that could be a clip. Quick: nothing is opened."""
    if means_pictures(path):
        find_numbered(path)
    elif not path.exists():
        raise CannotOpen(path, "there is no such file")


def numbered_name(pattern: Path, number: int) -> str:
    """The file name of one picture."""
    found = _NUMBER.search(pattern.name)
    assert found is not None, "a pattern"
    return f"{pattern.name[: found.start()]}{number:0{_width(found)}d}{pattern.name[found.end() :]}"


def plain_name(path: Path) -> str:
    """A name for what belongs to the shot: without the number's place, `frame.%04d.exr` -> `frame.exr`."""
    name = re.sub(r"[._-]?(?:%(?:0\d{1,2})?d|#+|\*)", "", path.name).lstrip(".")
    return name or path.absolute().parent.name


def find_numbered(path: Path) -> Numbered:
    """Look into the folder. Raises CannotOpen, naming the file that is missing or does not belong."""
    folder, pattern = (path, None) if path.is_dir() else (path.parent, _NUMBER.search(path.name))
    chosen = _is_picture if path.is_dir() else _matches(path.name, pattern)
    names = _listed(folder, path, chosen)
    if not names:
        what = (
            f"it is a folder without pictures ({', '.join(SUFFIXES)})"
            if path.is_dir()
            else "there is no such file, and no pictures have such names"
        )
        raise CannotOpen(path, what, "give a video file, a folder of numbered pictures, or 'shot/frame.%04d.png'")
    numbers = _numbers(folder, names, None if pattern is None else len(path.name[: pattern.start()]))
    rows = sorted(zip(numbers, names, strict=True))
    for (number, name), (following, after) in pairwise(rows):
        if following == number:
            raise CannotOpen(folder / after, f"it has the number of {name}", _HINT)
        if following > number + 1:
            one = following == number + 2
            lost = f"number {number + 1} is" if one else f"numbers {number + 1} to {following - 1} are"
            why = f"{lost} missing between {name} and {after}"
            raise CannotOpen(path, why, "every frame must be there; or give each part by itself")
    return Numbered(path, tuple(folder / name for _, name in rows), tuple(number for number, _ in rows))


def _width(found: re.Match[str]) -> int:
    return len(found[2]) if found[2] else int(found[1] or 1)


def _is_picture(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def _matches(name: str, pattern: re.Match[str] | None) -> Callable[[str], bool]:
    if pattern is None:
        return lambda other: fnmatchcase(other, name) and _is_picture(other)
    width = _width(pattern)
    digits = rf"\d{{{width}}}|[1-9]\d{{{width},}}" if width > 1 else r"0|[1-9]\d*"
    whole = re.compile(f"{re.escape(name[: pattern.start()])}(?:{digits}){re.escape(name[pattern.end() :])}")
    return lambda other: whole.fullmatch(other) is not None


def _listed(folder: Path, path: Path, chosen: Callable[[str], bool]) -> list[str]:
    names = []
    try:
        for entry in folder.iterdir():
            if not entry.name.startswith(".") and chosen(entry.name) and not entry.is_dir():
                names.append(entry.name)
                if len(names) > _MOST:
                    raise CannotOpen(path, f"it holds more than {_MOST} pictures", _HINT)
    except FileNotFoundError:
        raise CannotOpen(path, f"there is no folder {folder}") from None
    except OSError as exc:
        raise CannotOpen(path, exc.strerror or str(exc)) from exc
    return sorted(names)


def _numbers(folder: Path, names: Sequence[str], start: int | None) -> list[int]:
    """Each file's number: at the place `start` of the name, or where the names differ.

    Raises: CannotOpen, when they differ in more than one number.
    """
    if start is not None:
        found = [re.compile(r"\d+").match(name, start) for name in names]
        return [_int(folder / n, f[0]) for n, f in zip(names, found, strict=True) if f is not None]
    parts = [re.split(r"(\d+)", name) for name in names]
    texts = [tuple(part[::2]) for part in parts]
    usual = Counter(texts).most_common(1)[0][0]
    for name, text in zip(names, texts, strict=True):
        if text != usual:
            other = names[texts.index(usual)]
            raise CannotOpen(folder / name, f"it does not belong to the pictures like {other}", _HINT)
    if len(usual) == 1:
        raise CannotOpen(folder / names[0], "its name has no number", _HINT)
    places = [k for k in range(1, len(parts[0]), 2) if len({part[k] for part in parts}) > 1]
    if len(places) > 1:
        first = next(n for n, part in zip(names, parts, strict=True) if part[places[0]] != parts[0][places[0]])
        raise CannotOpen(folder / first, f"it differs from {names[0]} in more than one number", _HINT)
    place = places[0] if places else len(parts[0]) - 2
    return [_int(folder / name, part[place]) for name, part in zip(names, parts, strict=True)]


def _int(path: Path, digits: str) -> int:
    if len(digits) > 12:
        raise CannotOpen(path, "its number has too many digits", _HINT)
    return int(digits)
