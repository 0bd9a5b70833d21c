"""A film's folder, `CLIP.film` beside what was given: all that its tasks read and write, by relative names.

film.toml                what was found of the film: its shots
people.toml  people.png  who is in it, who is edited and how; and what they look like (both to be read and changed)
plan.toml                what will be done, shot by shot (to be read and changed)
film.otio                the shots as a time line, where nothing is put together; of a cut list that with them in it
shots/0007.mkv           a shot, cut out without loss        shots/0007.faces/   who is seen in it
shots/0007.mkv.stitch/   its project, as `invert` leaves one shots/0007.edited.mkv  shots/0007.layers/
people/2/reel/           frames of a person from many shots  people/2/reel.stitch/     what was learned of them
tasks/tune/0007.toml     the record of a finished task
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stitchedit.project.folder import SUFFIX as PROJECT

SUFFIX = ".film"
SHEET, TABLE, PLAN, RECORD = "people.png", "people.toml", "plan.toml", "film.toml"
TIME_LINE = "film.otio"


@dataclass(frozen=True, slots=True)
class FilmFolder:
    """Where things lie."""

    root: Path

    def at(self, name: str) -> Path:
        """A file by its relative name, as tasks have it."""
        return self.root / name


def default_folder(film: Path) -> Path:
    place = film if film.name else film.resolve()  # such as "."
    return place.with_name(place.name + SUFFIX)


def shot(number: int) -> str:
    return f"shots/{number:04d}.mkv"


def faces(number: int) -> str:
    return f"shots/{number:04d}.faces"


def shot_project(number: int) -> str:
    return shot(number) + PROJECT


def edited(number: int) -> str:
    return f"shots/{number:04d}.edited.mkv"


def layers(number: int) -> str:
    return f"shots/{number:04d}.layers"


def reel(person: int) -> str:
    return f"people/{person}/reel"


def person_project(person: int) -> str:
    return reel(person) + PROJECT


def learned(person: int) -> str:
    return f"people/{person}/learned.toml"


def strengths(person: int) -> str:
    return f"people/{person}/strengths.toml"


def record(task: str) -> str:
    return f"tasks/{task}.toml"
