"""Tracklets of faces -> persons, and which of them is meant.

A tracklet is one face while it can be followed without a break. Tracklets of one person are joined by identity, through
crossings and cuts; the person to be edited is the largest, or the one that the user points at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stitchedit.config import FACE_FORMS, FACE_LIKE, FACE_NUMBER, FACE_PLACE, LARGEST
from stitchedit.errors import ConfigError
from stitchedit.faces import detectors
from stitchedit.faces.detectors import Box
from stitchedit.faces.photo import read_portrait
from stitchedit.files.hashing import file_sha256
from stitchedit.types import ByteArray, FloatArray

_CHIP_AGES = frozenset((1, 5, 25, 125, 625))  # frames into a tracklet at which its identity is looked at
SAME_PERSON = 0.42  # distance of embeddings
_SAME_PERSON_SAME_PLACE = 0.6
_CLEARLY_NEARER = 0.1  # difference of distances of embeddings that tells one person from another
SAME_PLACE = 0.25  # overlap of two boxes that may hold one face


@dataclass(slots=True)
class Tracklet:
    """One face while it can be followed."""

    shot: int
    box: Box
    first_box: Box
    rows: dict[int, FloatArray] = field(default_factory=dict)  # frame -> landmarks [68, 2]
    chips: list[ByteArray] = field(default_factory=list)
    weight: float = 0.0  # sum of areas in square pixels
    scores: dict[int, float] = field(default_factory=dict)  # frame -> the detector's

    @property
    def last(self) -> int:
        return next(reversed(self.rows))

    @property
    def first(self) -> int:
        return next(iter(self.rows))

    def add(self, index: int, rgb: ByteArray, points: FloatArray, score: float) -> None:
        self.rows[index] = points
        self.scores[index] = score
        self.box = detectors.face_box(points)
        self.weight += self.box.area
        if len(self.rows) in _CHIP_AGES:
            self.chips.append(detectors.identity_chip(rgb, points))

    def cut_back(self, other: Tracklet) -> None:
        """Forget the last frames in which this tracklet was on the other's face."""
        while self.rows and self.last in other.rows:
            box = detectors.face_box(self.rows[self.last])
            if box.overlap(detectors.face_box(other.rows[self.last])) <= SAME_PLACE:
                return
            del self.rows[self.last]
            self.weight -= box.area


def resolve_track_collision(first: Tracklet, second: Tracklet, chip: ByteArray) -> tuple[Tracklet, Tracklet]:
    """Of two tracklets on one face, of which this is the chip: the one it does not belong to, and its owner.

    Where identity does not tell, the older one owns it.
    """
    known = [len(tracklet.chips) for tracklet in (first, second)]
    every = detectors.embed_chips([*first.chips, *second.chips, chip])
    gaps = np.linalg.norm(every[:-1] - every[-1], axis=1)
    near, far = float(gaps[: known[0]].min()), float(gaps[known[0] :].min())
    if abs(near - far) < _CLEARLY_NEARER:
        return (first, second) if len(first.rows) < len(second.rows) else (second, first)
    return (second, first) if near < far else (first, second)


Person = list[Tracklet]
Pick = Callable[[list[Person], float], Person]  # (persons, the largest first; frames a second) -> the one meant


def group(tracklets: list[Tracklet]) -> list[Person]:
    """Tracklets grouped by identity, the largest person first; no two tracklets of one at the same time."""
    tracklets = sorted(tracklets, key=lambda t: -t.weight)
    if len(tracklets) < 2:
        return [[t] for t in tracklets]
    identities = [detectors.embed_chips(t.chips) for t in tracklets]
    found: list[list[int]] = []
    for k, tracklet in enumerate(tracklets):
        best: list[int] | None = None
        nearest = np.inf
        for members in found:
            if any(t.first <= tracklet.last and tracklet.first <= t.last for t in (tracklets[g] for g in members)):
                continue
            for g in members:
                gaps = np.linalg.norm(identities[k][:, None] - identities[g][None], axis=2)
                limit = _SAME_PERSON_SAME_PLACE if _same_place(tracklet, tracklets[g]) else SAME_PERSON
                if gaps.min() < min(limit, nearest):
                    best, nearest = members, gaps.min()
        if best is None:
            found.append([k])
        else:
            best.append(k)
    return sorted(([tracklets[g] for g in members] for members in found), key=lambda p: -sum(t.weight for t in p))


def _same_place(a: Tracklet, b: Tracklet) -> bool:
    """Whether one begins in the shot and at the place where the other ended."""
    a, b = sorted((a, b), key=lambda t: t.first)
    return a.shot == b.shot and a.box.overlap(b.first_box) > SAME_PLACE


def find_pick(choice: str) -> Pick:
    """What `--face` means.

    Args:
        choice: "largest"; a number, 1 for the largest; "X,Y@SECONDS", a place in the source's pixels and a time; or
            "like IMAGE", a picture of the person.
    Raises: ConfigError, when it is none of these, or the picture cannot be read or shows no face. The pick raises it
        when no such person is in the clip.
    """
    text = choice.strip()
    if text == LARGEST:
        return lambda persons, rate: persons[0]
    if FACE_NUMBER.fullmatch(text):
        return lambda persons, rate: _numbered(persons, int(text))
    place = FACE_PLACE.fullmatch(text)
    if place:
        x, y, seconds = (float(v) for v in place.groups())
        return lambda persons, rate: _placed(persons, x, y, seconds, rate)
    if text.startswith(FACE_LIKE):
        path = Path(text.removeprefix(FACE_LIKE).strip())
        wanted = _identity(path)
        return lambda persons, rate: _alike(persons, wanted, path)
    raise ConfigError(f"unknown face '{choice}'", f"give {FACE_FORMS}")


def evidence(choice: str) -> dict[str, str]:
    """What a choice depends on beside its words: the picture, for a stage's inputs."""
    path = Path(choice.strip().removeprefix("like ").strip())
    return {"likeness": file_sha256(path)} if choice.strip().startswith("like ") and path.is_file() else {}


def _numbered(persons: list[Person], number: int) -> Person:
    if not 1 <= number <= len(persons):
        raise ConfigError(f"there is no face {number}: {_count(persons)} followed", "1 is the largest, 2 the next")
    return persons[number - 1]


def _placed(persons: list[Person], x: float, y: float, seconds: float, rate: float) -> Person:
    """Whose box holds the place at that time, or within half a second of it; the nearest in time."""
    frame = round(seconds * rate)
    best, nearest = None, 0.5 * rate + 1
    for person in persons:
        for tracklet in person:
            for index, points in tracklet.rows.items():
                box = detectors.face_box(points)
                if box.left <= x <= box.right and box.top <= y <= box.bottom and abs(index - frame) < nearest:
                    best, nearest = person, abs(index - frame)
    if best is None:
        raise ConfigError(
            f"no face at {x:g},{y:g} around second {seconds:g}: {_count(persons)} followed",
            "places are pixels of the source from its top left corner; or choose with --face 1, 2 ..",
        )
    return best


def _alike(persons: list[Person], wanted: FloatArray, path: Path) -> Person:
    def gap(person: Person) -> float:
        known = detectors.embed_chips([chip for tracklet in person for chip in tracklet.chips])
        return float(np.linalg.norm(known - wanted, axis=1).min())

    gaps = [gap(person) for person in persons]
    nearest = int(np.argmin(gaps))
    if gaps[nearest] > _SAME_PERSON_SAME_PLACE:
        raise ConfigError(
            f"nobody in the clip looks like {path}: {_count(persons)} followed, the nearest at distance "
            f"{gaps[nearest]:.2f} of at most {_SAME_PERSON_SAME_PLACE}",
            "choose with --face 1, 2 .. or by place, X,Y@SECONDS",
        )
    return persons[nearest]


def _identity(path: Path) -> FloatArray:
    """The embedding [128] of the largest face in a picture."""
    rgb, points = read_portrait(path)
    if points is None:
        raise ConfigError(f"no face found in {path}", "give a picture with a face at least 40 pixels wide")
    return detectors.embed(rgb, points)


def _count(persons: list[Person]) -> str:
    return "1 face was" if len(persons) == 1 else f"{len(persons)} faces were"
