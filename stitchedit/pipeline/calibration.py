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
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from stitchedit.editing.direction import Direction
from stitchedit.editing.edits import Edits
from stitchedit.faces.rulers import Ruler
from stitchedit.faces.visibility import visibility_flags
from stitchedit.files.atomic import atomic, make_folder
from stitchedit.image.contact_sheet import spread
from stitchedit.pipeline.frame_reading import Seen, kept_ruler, see
from stitchedit.pipeline.inversion import Inversion
from stitchedit.pipeline.still_edit import StillEdit, still_edit
from stitchedit.pipeline.strength_search import STEPS, Answer, reach, search, unread
from stitchedit.progress import Progress, silent
from stitchedit.strength import Keyframes, Strength
from stitchedit.types import ByteArray, FloatArray

log = logging.getLogger(__name__)

FRAMES = 3  # that are drawn, spread over those in which the face is well seen
FOLDER = "calibration"  # of the project, where answers are kept
_VERSION = 10  # of the search and of how frames are drawn and read; an answer of another one is found anew


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
        end = float(np.sign(peak)) * max(abs(peak), reach(direction, float(np.sign(peak))))
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
            answer = unread(direction, peak) if ruler is None else search(self.probe, ruler, direction, peak)
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
