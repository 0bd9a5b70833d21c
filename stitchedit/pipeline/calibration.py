"""How strong an edit must be on this very clip, so that its strength means what it says.

A direction says how much of its attribute strength 1 is: ten years, a part of a smile. That holds for the median of
generated people; a clip's own generator, detail and border answer more or less. So a few frames are drawn the whole way
to the finished picture, the attribute is read off them, and the strength is solved for at which it has moved by what
was asked. Effects are not linear: weaker strengths of the same edit (keyframes) go through what was found on the way.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from stitchedit.editing.direction import Direction
from stitchedit.editing.edits import Edits
from stitchedit.faces.rulers import Ruler
from stitchedit.faces.tracklets import SAME_PERSON
from stitchedit.faces.visibility import visibility_flags
from stitchedit.files.atomic import atomic, make_folder
from stitchedit.image.contact_sheet import spread
from stitchedit.pipeline.frame_reading import Seen, kept_ruler, see
from stitchedit.pipeline.inversion import Inversion
from stitchedit.pipeline.still_edit import StillEdit, still_edit
from stitchedit.progress import Progress, silent
from stitchedit.strength import Keyframes, Strength
from stitchedit.types import ByteArray, FloatArray

log = logging.getLogger(__name__)

FRAMES = 3  # that are drawn, spread over those in which the face is well seen
TRIES = 5  # strengths that are tried for one edit
FURTHER = 1.4  # times a range that may be tried: a tuned generator answers less than those it was measured on
CLOSE = 0.05  # of what was asked: near enough
USUAL = 1.4  # times what was asked, where the search begins: tuned generators hold on to their person
BENT = 1.35  # power of its strength by which an edit's effect rises, where one strength alone was tried
NEARLY = 0.9  # of how far may be tried: nobody tries that and then the little that is left
ENOUGH = 0.8  # of what was asked, where all of it would cost the likeness: 16 of 20 years
UNDER = 0.95  # of the identity distance that is allowed: what such a strength aims at
BLIND = 0.1  # of what was asked, at the strength that should give it all: with less, nothing can be read on this clip
STEPS = 8  # between which strengths of a curve are mapped
FOLDER = "calibration"  # of the project, where answers are kept
_VERSION = 9  # of all of the above; an answer of another one is found anew


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


def calibrate(
    inverted: Inversion,
    edits: Edits,
    regions: tuple[str, ...],
    *,
    fidelity: float | None = None,
    keep: bool = True,
    progress: Progress = silent,
) -> tuple[Answer | None, ...]:
    """What each direction of an edit does on a clip, each by itself; those that are known from before are not tried.

    Args:
        regions: what may change, as `config.united` gives them.
        fidelity: of the edit; None: as each direction wants it.
        keep: write what was found into the project.
    Returns: None for a direction of strength 0, and for one that names no attribute or no amount of it.
    """
    clip = _Calibration(inverted, regions, fidelity, keep)
    return tuple(
        clip.answer(direction, _peak(strength), partial(progress, "calibrate", number, len(edits), direction.name))
        for number, (direction, strength) in enumerate(edits, 1)
    )


def log_answers(answers: Sequence[Answer | None]) -> bool:
    """Tell what was found; whether there is anything."""
    found = [answer for answer in answers if answer is not None]
    for answer in found:
        log.info("%s", answer)
    return bool(found)


def applied(edits: Edits, answers: Sequence[Answer | None]) -> Edits:
    """The edits with the strengths that give what was asked."""
    pairs = zip(edits, answers, strict=True)
    return tuple((direction, strength if a is None else a.of(strength)) for (direction, strength), a in pairs)


def applied_all(
    inverted: Inversion, versions: Sequence[Edits], regions: tuple[str, ...]
) -> tuple[list[Edits], list[Answer | None]]:
    """Several strengths of one edit, each as it is to be applied: solved for at the ends, between by what was found.

    Args:
        versions: the same directions in the same order, with other strengths.
    Returns: the versions to draw; and the answers for both ends of each direction.
    """
    clip = _Calibration(inverted, regions)
    found: list[list[tuple[Direction, Strength]]] = [[] for _ in versions]
    answers: list[Answer | None] = []
    for column in zip(*versions, strict=True):
        peaks = [_peak(strength) for _, strength in column]
        ends = {np.sign(end): end for end in (min(peaks), max(peaks)) if end}
        by_sign = {sign: clip.answer(column[0][0], end) for sign, end in ends.items()}
        answers += by_sign.values()
        for k, ((direction, strength), peak) in enumerate(zip(column, peaks, strict=True)):
            answer = by_sign.get(np.sign(peak))
            found[k].append((direction, strength if answer is None else answer.of(strength)))
    return [tuple(edits) for edits in found], answers


def applied_by_ends(
    inverted: Inversion, edits: Edits, regions: tuple[str, ...], *, solve: bool = True, progress: Progress = silent
) -> tuple[Edits, tuple[Answer | None, ...]]:
    """An edit as it is to be applied, by what was found at the ends of the directions' ranges: for sliders.

    Nothing is tried for a strength between; the edit itself, which solves for the very strength, may come out a little
    stronger or weaker.

    Args:
        solve: find out what is not known yet, some seconds a direction and side; else that is applied as it is.
    Returns: the edit; and the answers by direction, None for what is not known or has none.
    """
    clip = inverted.warm("calibration", regions, lambda: _Calibration(inverted, regions))
    answers = []
    for number, (direction, strength) in enumerate(edits, 1):
        peak = _peak(strength)
        end = float(np.sign(peak)) * max(abs(peak), _reach(direction, float(np.sign(peak))))
        solved = partial(progress, "calibrate", number, len(edits), direction.name)
        answers.append(clip.answer(direction, end, solved, solve=solve))
    return applied(edits, answers), tuple(answers)


class _Calibration:
    """Finds answers for one clip, or takes those that are kept; frames and rulers are prepared once."""

    def __init__(
        self, inverted: Inversion, regions: tuple[str, ...], fidelity: float | None = None, keep: bool = True
    ) -> None:
        self.inverted, self.regions, self.fidelity, self.keep = inverted, regions, fidelity, keep

    @cached_property
    def probe(self) -> _Probe:
        return _Probe(self.inverted, self.regions, self.fidelity)

    def answer(
        self, direction: Direction, peak: float, solved: Callable[[], None] = lambda: None, *, solve: bool = True
    ) -> Answer | None:
        """What a direction does at a strength; None where nothing is said of it, or nothing known and not to `solve`.

        `solved` is called if it was tried.
        """
        if not (peak and direction.attribute and direction.amount):
            return None
        if direction.part:  # it goes as far as the whole edit would have to
            whole = self.answer(direction.whole, peak, solved, solve=solve)
            return whole and replace(whole, name=f"{direction.name}, as a part of {direction.whole.name}")
        ruler = kept_ruler(self.inverted, direction.attribute)
        key = _key(self.inverted, direction, ruler, peak, self.regions, self.fidelity)
        path = self.inverted.project.root / FOLDER / f"{key}.json"
        answer = _kept(path)
        if answer is None and solve:
            answer = _unread(direction, peak) if ruler is None else _solve(self.probe, ruler, direction, peak)
            solved()
            if self.keep and not self.inverted.project.read_only:
                make_folder(path.parent)
                with atomic(path) as temp:
                    temp.write_text(json.dumps(answer.as_json()), encoding="utf-8")
        return answer


class _Probe:
    """Some frames of the clip, drawn with an edit and read."""

    def __init__(self, inverted: Inversion, regions: tuple[str, ...], fidelity: float | None) -> None:
        self.inverted, self.regions, self.fidelity = inverted, regions, fidelity
        count = len(inverted.crops.frames)
        clear = np.flatnonzero(visibility_flags(inverted.tracks, inverted.crops, inverted.points) == 0)
        self.frames = list(inverted.frames_of(spread(clear if len(clear) else np.arange(count), FRAMES)))
        self.sources = self._seen([frame.rgb() for frame, _ in self.frames])
        self._before: dict[str, list[float]] = {}
        self._still: tuple[Direction, StillEdit] | None = None  # of the last direction

    def draw(self, direction: Direction, strength: float) -> list[Seen]:
        edits = ((direction, strength),)
        if self._still is None or self._still[0] is not direction:
            self._still = direction, still_edit(self.inverted, edits, self.regions, self.fidelity)
        still = self._still[1]
        codes = self.inverted.moved(edits, force=True)  # whether it fits was said before
        return self._seen([pictures[0] for _, pictures in still.draw_all(self.frames, [codes])])

    def change(self, ruler: Ruler, drawn: Sequence[Seen]) -> float:
        """Median over frames of what the attribute moved by since the source."""
        if ruler.attribute not in self._before:
            self._before[ruler.attribute] = [ruler(*seen) for seen in self.sources]
        pairs = zip(drawn, self._before[ruler.attribute], strict=True)
        return float(np.median([ruler(*seen) - before for seen, before in pairs]))

    def identity_distance(self, drawn: Sequence[Seen]) -> float:
        """Median over frames."""
        pairs = zip(drawn, self._identities, strict=True)
        return float(np.median([np.linalg.norm(here.identity - before) for here, before in pairs]))

    @cached_property
    def _identities(self) -> list[FloatArray]:
        """Of the sources."""
        return [seen.identity for seen in self.sources]

    def _seen(self, pictures: Sequence[ByteArray]) -> list[Seen]:
        pairs = zip(pictures, self.frames, strict=True)
        return [see(self.inverted, frame.index, picture) for picture, (frame, _) in pairs]


def _unread(direction: Direction, strength: float) -> Answer:
    note = f"nothing here reads '{direction.attribute}': run `stitchedit weights fetch measuring`"
    return replace(_asked(direction, strength), note=note)


def _asked(direction: Direction, strength: float) -> Answer:
    return Answer(direction.name, direction.measured_in, strength, strength * direction.amount)


def _solve(probe: _Probe, ruler: Ruler, direction: Direction, strength: float) -> Answer:
    """Try strengths until the attribute has moved by what was asked, or no further one may be tried."""
    answer = _asked(direction, strength)
    sign, way, goal = float(np.sign(strength)), float(np.sign(answer.asked)), abs(answer.asked)
    sure = max(abs(strength), _reach(direction, sign))
    limit = max(abs(strength), FURTHER * _reach(direction, sign))  # further out faces fall to pieces
    tried = {0.0: 0.0}
    drawn: dict[float, list[Seen]] = {}

    def look(size: float) -> float:
        drawn[size] = probe.draw(direction, sign * size)
        tried[size] = way * probe.change(ruler, drawn[size])
        return tried[size]

    size = _or_end(USUAL * abs(strength), sure)
    for _ in range(TRIES):
        if abs(look(size) - goal) <= CLOSE * goal:
            break
        # The end of the range before anything beyond it: what lies beyond may turn out to be somebody else.
        following = _next(tried, goal, sure if max(drawn) < sure else limit)
        if following is None or following in tried:
            break
        size = following
    if max(tried.values()) < BLIND * goal:
        return replace(answer, note=f"{direction.attribute} moves too little to be read on this clip")
    nearest = sorted(drawn, key=lambda s: abs(tried[s] - goal))
    away = {size: probe.identity_distance(drawn[size]) for size in nearest if size > sure or size == nearest[0]}
    best = next(size for size in nearest if size <= sure or away[size] <= SAME_PERSON)
    distance = away[best] if best in away else probe.identity_distance(drawn[best])
    note = ""
    if distance > SAME_PERSON:
        note = f"identity distance {distance:.2f}: hardly one person any more"
        less = best * UNDER * SAME_PERSON / distance  # it rises about evenly with the strength
        sizes = sorted(tried)
        if np.interp(less, sizes, [tried[size] for size in sizes]) >= ENOUGH * goal:
            look(less)
        enough = {s: probe.identity_distance(drawn[s]) for s in drawn if s < best and tried[s] >= ENOUGH * goal}
        alike = max((s for s in enough if enough[s] <= SAME_PERSON), default=None)
        if alike is not None:
            note = f"with all of it hardly one person any more (identity distance {distance:.2f})"
            best, distance = alike, enough[alike]
    elif best != nearest[0]:
        note = "further out it is hardly one person any more"
    elif tried[best] < (1 - 2 * CLOSE) * goal:
        ended = "further out faces fall to pieces" if direction.range else "it tells no range, so no more was tried"
        note = ended if best >= limit else "more could not be had"
    reached, curve = way * tried[best], _curve(tried, best, goal)
    return replace(answer, reached=reached, applied=curve, identity_distance=distance, note=note)


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


def _reach(direction: Direction, sign: float) -> float:
    """How far its range goes on one side; 0: not known."""
    return max(0.0, sign * direction.range[0 if sign < 0 else 1]) if direction.range else 0.0


def _peak(strength: Strength) -> float:
    if not isinstance(strength, Keyframes):
        return strength
    return max((key.strength for key in strength.keys), key=abs)


def _key(
    inverted: Inversion,
    direction: Direction,
    ruler: Ruler | None,
    peak: float,
    regions: tuple[str, ...],
    fidelity: float | None,
) -> str:
    """Names all that an answer depends on."""
    facts = (
        _VERSION,
        inverted.project.records.fingerprint("tune"),
        direction.name,
        direction.sha256 or direction.digest or str(direction.file),
        direction.attribute,
        direction.amount,
        direction.fidelity if fidelity is None else fidelity,
        peak,
        regions,
        sorted(ruler.readings) if ruler else (),
        *((direction.component, direction.absolute, direction.layers) if direction.component is not None else ()),
        *((direction.knots,) if direction.knots else ()),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def _kept(path: Path) -> Answer | None:
    """The answer of a file; None where there is none that can be understood."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        data = json.loads(path.read_text(encoding="utf-8"))
        curve = tuple(float(v) for v in data.pop("applied"))
        answer = Answer(**data, applied=curve)
        if answer.reached is None or (len(curve) == STEPS + 1 and np.isfinite(curve).all() and answer.strength):
            return answer
    return None
