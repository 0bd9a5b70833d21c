"""The strength at which an edit moves its attribute by what was asked: tried, read, and tried again.

Effects are not linear: the search goes by what was tried so far, first inside of the direction's range and then a
little beyond, and stops short where the rest would cost the likeness. Frames are drawn and read by whoever asks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from stitchedit.editing.direction import Direction
from stitchedit.faces.rulers import Ruler
from stitchedit.faces.tracklets import SAME_PERSON
from stitchedit.strength import Keyframes, Strength

Drawn = TypeVar("Drawn")

TRIES = 5  # strengths that are tried for one edit
FURTHER = 1.4  # times a range that may be tried: a tuned generator answers less than those it was measured on
CLOSE = 0.05  # of what was asked: near enough
USUAL = 1.4  # times what was asked, where the search begins: tuned generators hold on to their person
BENT = 1.35  # power of its strength by which an edit's effect rises, where one strength alone was tried
NEARLY = 0.9  # of how far may be tried: nobody tries that and then the little that is left
ENOUGH = 0.8  # of what was asked, where all of it would cost the likeness: 16 of 20 years
UNDER = 0.985  # of the identity distance that is allowed: what such a strength aims at
LESSER = 2  # such strengths that are tried
BLIND = 0.1  # of what was asked, at the strength that should give it all: with less, nothing can be read on this clip
STEPS = 8  # between which strengths of a curve are mapped


class Probe(Protocol[Drawn]):
    """Some frames of a clip, drawn with an edit and read."""

    def draw(self, direction: Direction, strength: float) -> Drawn: ...

    def change(self, ruler: Ruler, drawn: Drawn) -> float:
        """What the attribute moved by since the source."""

    def identity_distance(self, drawn: Drawn) -> float:
        """To the source."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a direction does on a clip, at the strength of an edit that is furthest from 0."""

    name: str
    unit: str  # of the attribute
    strength: float  # that was given
    asked: float  # change of the attribute that it stands for
    reached: float | None = None  # what the applied strength gives; None: it cannot be read, and is applied as it is
    applied: tuple[float, ...] = ()  # for k / STEPS of the strength, k = 0 .. STEPS: what to apply, ascending from 0
    identity_distance: float | None = None  # of dlib's embedding, to the source
    note: str = ""  # what stood in the way

    def of(self, strength: Strength) -> Strength:
        """The strength to apply for one that is given."""
        if self.reached is None:
            return strength
        if isinstance(strength, Keyframes):
            return Keyframes(tuple(replace(key, strength=self._map(key.strength)) for key in strength.keys))
        return self._map(strength)

    def _map(self, value: float) -> float:
        """Of the other sign nothing was tried: it is taken to answer alike."""
        part = abs(value / self.strength) * STEPS
        return float(np.sign(value) * np.interp(part, np.arange(STEPS + 1), self.applied))

    def __str__(self) -> str:
        if self.reached is None:
            return f"{self.name}: uncalibrated, {self.note}"
        said = f"{self.name}: asked {self.asked:+.3g} {self.unit}, reached {self.reached:+.3g} on a few frames"
        return f"{said} at {self.applied[-1] / abs(self.strength):.2f} of the strength{self.note and '; '}{self.note}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"applied": list(self.applied)}


def unread(direction: Direction, strength: float) -> Answer:
    note = f"nothing here reads '{direction.attribute}': run `stitchedit weights fetch measuring`"
    return replace(_asked(direction, strength), note=note)


def _asked(direction: Direction, strength: float) -> Answer:
    return Answer(direction.name, direction.measured_in, strength, strength * direction.amount)


def search(probe: Probe[Drawn], ruler: Ruler, direction: Direction, strength: float) -> Answer:
    """Try strengths until the attribute has moved by what was asked, or no further one may be tried."""
    answer = _asked(direction, strength)
    sign, way, goal = float(np.sign(strength)), float(np.sign(answer.asked)), abs(answer.asked)
    sure = max(abs(strength), reach(direction, sign))
    limit = max(abs(strength), FURTHER * reach(direction, sign))  # further out faces fall to pieces
    tries = _Tries(probe, ruler, direction, sign, way)
    size = _or_end(USUAL * abs(strength), sure)
    for _ in range(TRIES):
        if abs(tries.look(size) - goal) <= CLOSE * goal:
            break
        # The end of the range before anything beyond it: what lies beyond may turn out to be somebody else.
        following = _next(tries.moved, goal, sure if max(tries.drawn) < sure else limit)
        if following is None or following in tries.moved:
            break
        size = following
    if max(tries.moved.values()) < BLIND * goal:
        return replace(answer, note=f"{direction.attribute} moves too little to be read on this clip")
    nearest = sorted(tries.drawn, key=lambda s: abs(tries.moved[s] - goal))
    best = next(size for size in nearest if size <= sure or tries.away(size) <= SAME_PERSON)
    distance, note = tries.away(best), ""
    if distance > SAME_PERSON:
        note = f"identity distance {distance:.2f}: hardly one person any more"
        alike = _alike(tries, best, goal)
        if alike is not None:
            note = f"with all of it hardly one person any more (identity distance {distance:.2f})"
            best = alike
    elif best != nearest[0]:
        note = "further out it is hardly one person any more"
    elif tries.moved[best] < (1 - 2 * CLOSE) * goal:
        ended = "further out faces fall to pieces" if direction.range else "it tells no range, so no more was tried"
        note = ended if best >= limit else "more could not be had"
    curve = _curve(tries.moved, best, goal)
    return replace(
        answer, reached=way * tries.moved[best], applied=curve, identity_distance=tries.away(best), note=note
    )


@dataclass
class _Tries(Generic[Drawn]):
    """Strengths of one sign that were tried, without it."""

    probe: Probe[Drawn]
    ruler: Ruler
    direction: Direction
    sign: float
    way: float  # 1 or -1: which way the attribute is to move
    moved: dict[float, float] = field(default_factory=lambda: {0.0: 0.0})  # what the attribute moved by, that way
    drawn: dict[float, Drawn] = field(default_factory=dict)
    _away: dict[float, float] = field(default_factory=dict)

    def look(self, size: float) -> float:
        self.drawn[size] = self.probe.draw(self.direction, self.sign * size)
        self.moved[size] = self.way * self.probe.change(self.ruler, self.drawn[size])
        return self.moved[size]

    def away(self, size: float) -> float:
        """Identity distance to the source; found when it is asked for, as it takes as long as a frame."""
        if size not in self._away:
            self._away[size] = self.probe.identity_distance(self.drawn[size])
        return self._away[size]

    def guess(self, size: float) -> float:
        """What the attribute will have moved by, by what was tried on both sides."""
        sizes = sorted(self.moved)
        return float(np.interp(size, sizes, [self.moved[each] for each in sizes]))


def _alike(tries: _Tries[Drawn], best: float, goal: float) -> float | None:
    """A smaller strength with most of what was asked that still shows one person; None where there is none."""
    less = best
    for _ in range(LESSER):
        less *= UNDER * SAME_PERSON / tries.away(less)  # the distance rises about evenly with the strength
        if tries.guess(less) < ENOUGH * goal:
            break
        tries.look(less)
        if tries.away(less) <= SAME_PERSON:
            break
    enough = [size for size in tries.drawn if size < best and tries.moved[size] >= ENOUGH * goal]
    return max((size for size in enough if tries.away(size) <= SAME_PERSON), default=None)


def _next(tried: dict[float, float], goal: float, limit: float) -> float | None:
    """Between the strengths around the goal, or further out in proportion; None where nothing is left to try.

    Where one strength alone was tried, effects are taken to rise as on most clips.
    """
    below = max((s for s in tried if tried[s] < goal), default=0.0)
    above = min((s for s in tried if tried[s] >= goal and s > below), default=None)
    if above is not None:
        part = (goal - tried[below]) / (tried[above] - tried[below])
        if not below:
            part = part ** (1 / BENT)
        return below + float(np.clip(part, 0.15, 0.97)) * (above - below)
    if below >= limit or not below:
        return None
    growth = goal / max(tried[below], 1e-9)
    if len(tried) == 2:
        growth **= 1 / BENT
    return _or_end(below * float(np.clip(growth, 1.1, 2.0)), limit)


def _or_end(size: float, end: float) -> float:
    """A strength to try; the end of what may be tried, where it lies near that or beyond."""
    return size if size < NEARLY * end else end


def _curve(tried: dict[float, float], best: float, goal: float) -> tuple[float, ...]:
    """For k / STEPS of the goal: the strength that gives it, by what was tried; the best one where none does.

    So that a keyframe or a slider at a part of what was asked gives that part, also where all of it cannot be had.
    """
    sizes = np.array(sorted(size for size in tried if size <= best))
    moved = np.maximum.accumulate([tried[size] for size in sizes])
    if len(sizes) > 1:  # up to the first that was tried as most clips answer
        parts = np.arange(1, STEPS) / STEPS
        sizes = np.insert(sizes, 1, sizes[1] * parts ** (1 / BENT))
        moved = np.insert(moved, 1, moved[1] * parts)
    moved += 1e-9 * np.arange(len(moved))  # strictly rising
    wanted = np.linspace(0, max(goal, moved[-1]), STEPS + 1)
    return tuple(float(v) for v in np.interp(wanted, moved, sizes))


def reach(direction: Direction, sign: float) -> float:
    """How far its range goes on one side; 0: not known."""
    return max(0.0, sign * direction.range[0 if sign < 0 else 1]) if direction.range else 0.0
