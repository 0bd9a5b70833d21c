"""What is known of a film before anybody is looked for: its clips and their shots, as `film.toml` keeps them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from stitchedit.errors import ProjectError
from stitchedit.film.shots import Shot
from stitchedit.film.toml_files import read_toml, tables_of, value_of, write_toml

SCHEMA = 2
KINDS = CLIP, FOLDER, CUTS = "clip", "folder", "cut list"
AGAIN = "remove the file to have it made"


@dataclass(frozen=True, slots=True)
class Clip:
    """A file of video that shots are cut from."""

    path: Path  # where the machine that gives the command has it
    sha256: str
    rate: Fraction  # frames a second

    def table(self) -> dict[str, str]:
        return {"path": str(self.path), "sha256": self.sha256, "rate": str(self.rate)}


def clips_of(data: dict[str, Any], where: str) -> tuple[Clip, ...]:
    """Those of a TOML file. Raises ProjectError."""
    clips = []
    for number, entry in enumerate(tables_of(data, "clip", where), 1):
        place = f"{where}, clip {number}"
        path, sha256, rate = (value_of(entry, key, str, place) for key in ("path", "sha256", "rate"))
        try:
            clips.append(Clip(Path(path), sha256, Fraction(rate)))
        except (ValueError, ZeroDivisionError) as exc:
            raise ProjectError(f"{place}: rate is no number", AGAIN) from exc
    return tuple(clips)


def kind_of(data: dict[str, Any], where: str) -> str:
    """What a film was given as. Raises ProjectError."""
    kind = value_of(data, "kind", str, where)
    if kind not in KINDS:
        raise ProjectError(f"{where} has kind = {kind!r}", f"known are {', '.join(KINDS)}")
    return kind


def require_shots(shots: Sequence[Shot], clips: int, kind: str, where: str) -> None:
    """Raises ProjectError, unless they are numbered, and but for a cut list's all frames of their clips in order."""
    numbered = [shot.number for shot in shots] == list(range(1, len(shots) + 1))
    known = all(1 <= shot.clip <= clips and 0 <= shot.first <= shot.last for shot in shots)
    if not (shots and numbered and known and (kind == CUTS or _follow(shots, clips))):
        raise ProjectError(f"{where}: its shots do not follow each other", AGAIN)


def _follow(shots: Sequence[Shot], clips: int) -> bool:
    """Whether they are all frames of all clips in order, as far as that can be told."""
    clip, frame = 0, 0
    for shot in shots:
        if (shot.clip, shot.first) not in ((clip, frame), (clip + 1, 0)):
            return False
        clip, frame = shot.clip, shot.last + 1
    return clip == clips


@dataclass(frozen=True, slots=True)
class Film:
    """Clips and shots."""

    given: Path  # a clip, a folder of clips, or a cut list
    kind: str  # one of KINDS
    clips: tuple[Clip, ...]
    shots: tuple[Shot, ...]
    colourspace: str = ""  # that samples are looked at in; empty: as their own tags say

    def clip(self, shot: Shot) -> Clip:
        return self.clips[shot.clip - 1]

    @property
    def sha256(self) -> str:
        """By which it is known, wherever its clips lie."""
        facts = (self.kind, [clip.sha256 for clip in self.clips], self.shots, self.colourspace)
        return hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()

    def write(self, path: Path) -> None:
        shots = [[shot.clip, shot.first, shot.last] for shot in self.shots]
        facts = {"given": str(self.given), "kind": self.kind, "colourspace": self.colourspace}
        clips = [clip.table() for clip in self.clips]
        write_toml(path, {"schema": SCHEMA, **facts, "shots": shots, "clip": clips})

    @classmethod
    def read(cls, path: Path) -> Film:
        """Raises ProjectError."""
        data, where = read_toml(path), str(path)
        if data.get("schema") != SCHEMA:
            raise ProjectError(
                f"{path} has schema {data.get('schema')!r}, this stitchedit knows {SCHEMA}", "remove the film's folder"
            )
        threes: list[Any] = value_of(data, "shots", list, where)
        if not all(isinstance(t, list) and len(t) == 3 and all(type(n) is int for n in t) for t in threes):
            raise ProjectError(f"{path} is damaged: its shots are no triples", "remove the film's folder")
        shots = tuple(Shot(number, first, last, clip) for number, (clip, first, last) in enumerate(threes, 1))
        clips, kind = clips_of(data, where), kind_of(data, where)
        require_shots(shots, len(clips), kind, where)
        given, colourspace = (value_of(data, key, str, where) for key in ("given", "colourspace"))
        return cls(Path(given), kind, clips, shots, colourspace)
