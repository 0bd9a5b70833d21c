"""frames -> Tracks: one person's face followed through the clip.

A face is found in the whole picture, then followed from frame to frame by the same detector in a small, scaled
window around its last place, which costs a twentieth of a whole 1080p picture. The whole picture is searched again
twice a second for other faces, after a cut, and wherever nothing is being followed. At the end the tracklets of one
person are joined by identity, and the person with the largest face over the longest time is chosen, unless the
user wants another, or several.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import combinations, pairwise

import cv2
import numpy as np

from stitchedit.config import EVERYBODY, LARGEST, TrackConfig
from stitchedit.errors import ConfigError, NoFace
from stitchedit.faces import detectors
from stitchedit.faces.detectors import Box, Detection
from stitchedit.faces.tracklets import (
    SAME_PLACE,
    Person,
    Tracklet,
    find_pick,
    group,
    resolve_track_collision,
)
from stitchedit.progress import Progress
from stitchedit.types import ByteArray, FaceState, FloatArray, IntArray, Tracks

log = logging.getLogger(__name__)

_SCAN_S = 0.5  # between searches of the whole picture while a face is followed
_IDLE_SCAN_S = 0.2  # between searches after a second without any face
_STEADY_S = 0.1  # a person seen for less is taken for a mistake of the detector
_EVERYBODY_S = 0.5  # who is seen for less is not among all that are edited
_SCAN_PX = 1280  # larger pictures are reduced to this side before they are searched
_ONE_FACE = 0.5  # overlap of two tracklets that are on one face
_FOLLOW_PX = 110  # face width in the window in which a face is followed
_FOLLOW_WINDOW = 2.2  # side of that window in face widths
_FOLLOW_THRESHOLD = -0.5  # where a face was a moment ago, a weaker one (turned, blurred) counts
_MOST_FACES = 3  # followed at a time
_MOST_CHOSEN_OF = 8  # the same where the user chooses
_SMALLEST_RIVAL = 0.25  # area, relative to the largest followed, of the smallest face worth following
_LYING = 1.0  # score: faces upside down are seen with .04 to .32, the same upright with 2.2 to 3, filmed ones 1.2 up
_SURER_OF_A_TURN = 0.7  # score: by so much a turned picture must look more like a face
_CUT_DIFFERENCE = 20.0  # mean absolute difference of two tiny pictures, 0..255
_CUT_JUMP = 4.0  # times the difference a frame earlier
_CUT_MEDIAN = 6.0  # a hand before the face changes less than half of the picture


def track(
    frames: Iterable[tuple[int, ByteArray]],
    config: TrackConfig,
    *,
    frame_size: tuple[int, int],
    rate: Fraction,
    progress: Progress,
    total: int = 0,
    name: str = "the clip",
) -> Tracks:
    """Follow one steady face: the largest, or the one that `config.face` names. Frames are read once, one at a time.

    Args:
        frames: (index, RGB [H, W, 3]) with ascending indices from 0.
        frame_size: (width, height).
        total: number of frames, for the progress; 0 where not known.
        name: what messages call the clip.
    Raises: NoFace, when no frame holds a face of `config.min_face_px` that can be followed; ConfigError, when
        `config.face` means nobody.
    """
    found = track_faces(
        frames, config, [config.face], frame_size=frame_size, rate=rate, progress=progress, total=total, name=name
    )
    return found[config.face]


def track_faces(
    frames: Iterable[tuple[int, ByteArray]],
    config: TrackConfig,
    choices: Sequence[str],
    *,
    frame_size: tuple[int, int],
    rate: Fraction,
    progress: Progress,
    total: int = 0,
    name: str = "the clip",
) -> dict[str, Tracks]:
    """Follow several faces in one reading of the frames: the tracks of each choice, in the order of the choices.

    Args:
        choices: what `--face` can be, in place of `config.face`; `EVERYBODY` as the last one adds who is left and seen
            for half a second, under their numbers.
    Raises: as `track`; ConfigError too, when two choices mean one person.
    """
    picks = {choice: find_pick(choice) for choice in choices if choice != EVERYBODY}
    follower = _Follower(config, float(rate), anyone=list(choices) != [LARGEST])
    count = 0
    samples: list[ByteArray] = []
    for index, rgb in frames:
        follower.see(index, rgb)
        if index & (index - 1) == 0:  # 0, 1, 2, 4, 8 ..: a few of any clip
            samples.append(_reduced(rgb))
        count = index + 1
        progress("track", count, max(total, count))
    steady = min(count, max(1, round(_STEADY_S * float(rate))))
    persons = [p for p in group(follower.tracklets) if sum(len(t.rows) for t in p) >= steady]
    best = max((score for p in persons for t in p for score in t.scores.values()), default=0.0)
    turn = lying_turn(samples, best + _SURER_OF_A_TURN) if best < _LYING else 0
    if turn or not persons:
        raise NoFace(name, count, turn)
    chosen: dict[str, Person] = {}
    for choice, pick in picks.items():
        person = pick(persons, float(rate))
        for other, taken in chosen.items():
            if person is taken:
                raise ConfigError(f"--face '{other}' and '{choice}' mean the same person", "leave one of them out")
        chosen[choice] = person
    if EVERYBODY in choices:
        long = min(count, round(_EVERYBODY_S * float(rate)))
        for number, person in enumerate(persons, 1):
            if sum(len(t.rows) for t in person) >= long and not any(person is taken for taken in chosen.values()):
                chosen[str(number)] = person
    cuts = np.array(follower.cuts, np.int64)
    found = {}
    for choice, person in chosen.items():
        seen = sum(len(t.rows) for t in person)
        log.info("%d faces followed, chose one (%s) seen in %d of %d frames", len(persons), choice, seen, count)
        points, state = _filled(person, count, cuts, int(config.gap_s * float(rate)))
        scores = np.full(count, np.nan, np.float32)
        for tracklet in person:
            scores[list(tracklet.rows)] = [tracklet.scores[index] for index in tracklet.rows]
        found[choice] = Tracks(points, state, frame_size, rate, cuts, scores)
    return found


def lying_turn(pictures: Iterable[ByteArray], score: float) -> int:
    """By how many degrees counterclockwise pictures must be turned to show a face of this score; 0: no turn does."""
    for picture in pictures:
        for quarters in (1, 3, 2):
            if detectors.detect(np.ascontiguousarray(np.rot90(picture, quarters)), threshold=score):
                return 90 * quarters
    return 0


def _reduced(rgb: ByteArray) -> ByteArray:
    """As large as pictures are searched, a copy."""
    scale = min(1.0, _SCAN_PX / max(rgb.shape[:2]))
    size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)) if scale < 1 else rgb.copy()


class _Follower:
    """Sees frames one by one and keeps the tracklets of all large faces."""

    def __init__(self, config: TrackConfig, rate: float, *, anyone: bool) -> None:
        self.config, self.rate = config, rate
        # anyone: who is wanted may be the smallest
        self._most, self._smallest = (_MOST_CHOSEN_OF, 0.0) if anyone else (_MOST_FACES, _SMALLEST_RIVAL)
        self.cuts: list[int] = []
        self._done: list[Tracklet] = []
        self._live: list[Tracklet] = []
        self._scanned = self._searched = self._seen = -(10**9)  # frames of the last scan, deep scan, face
        self._tiny: FloatArray | None = None
        self._difference = np.inf

    @property
    def tracklets(self) -> list[Tracklet]:
        """All, where they are wide enough on the whole."""
        return [t for t in self._done + self._live if self._wide(t)]

    def see(self, index: int, rgb: ByteArray) -> None:
        if self._is_cut(rgb):
            self.cuts.append(index)
            self._done += self._live
            self._live = []
            self._scanned = self._searched = -(10**9)
        for tracklet in self._live:
            self._follow(tracklet, index, rgb)
        self._retire(index, rgb)
        if self._scan_due(index):
            self._scan(index, rgb)
        if any(t.last == index for t in self._live):
            self._seen = index

    def _follow(self, tracklet: Tracklet, index: int, rgb: ByteArray) -> None:
        box = tracklet.box
        half = box.width * _FOLLOW_WINDOW / 2 * min(1.5, 1 + 0.1 * (index - tracklet.last - 1))
        x, y = box.center
        region = Box(x - half, y - half, x + half, y + half)
        found = detectors.detect(rgb, _FOLLOW_PX / box.width, _FOLLOW_THRESHOLD, region)
        found = [d for d in found if d.box.overlap(box) > SAME_PLACE]
        if found:
            best = max(found, key=lambda d: d.score + 2 * d.box.overlap(box))
            self._measure(tracklet, index, rgb, best)

    def _scan(self, index: int, rgb: ByteArray) -> None:
        """Search the whole picture for faces that are not followed."""
        self._scanned = index
        scale = min(1.0, _SCAN_PX / max(rgb.shape[:2]))
        found = detectors.detect(rgb, scale)
        if not found and not self._live and index - self._searched >= self._frames(_SCAN_S):
            self._searched = index
            enlarged = self.config.upsample_below_px / self.config.min_face_px
            if enlarged > scale:
                found = detectors.detect(rgb, enlarged)
        for detection in sorted(found, key=lambda d: -d.box.area):
            near = [t for t in self._live if t.box.overlap(detection.box) > SAME_PLACE]
            if any(t.last == index for t in near):
                continue
            largest = max((t.box.area for t in self._live if t.last == index), default=0.0)
            if near:
                self._measure(near[0], index, rgb, detection)
            elif len(self._live) < self._most and detection.box.area >= self._smallest * largest:
                tracklet = Tracklet(len(self.cuts), detection.box, detection.box)
                if self._measure(tracklet, index, rgb, detection):
                    self._live.append(tracklet)

    def _measure(self, tracklet: Tracklet, index: int, rgb: ByteArray, detection: Detection) -> bool:
        points = detectors.landmarks(rgb, detection.box)
        if detectors.face_box(points).overlap(detection.box) < SAME_PLACE:
            return False  # the landmarks slid off
        tracklet.add(index, rgb, points, detection.score)
        return True

    def _retire(self, index: int, rgb: ByteArray) -> None:
        """End what has been lost for longer than a gap, and one of two tracklets that met on one face.

        Where a person passed behind another, that is the tracklet whose face it is not.
        """
        gap = self._frames(self.config.gap_s)
        for first, second in combinations(list(self._live), 2):
            met = first.last == second.last == index and first.box.overlap(second.box) > _ONE_FACE
            if met and first in self._live and second in self._live:
                stray, owner = resolve_track_collision(first, second, detectors.identity_chip(rgb, first.rows[index]))
                stray.cut_back(owner)
                self._end(stray)
        for tracklet in list(self._live):
            if index - tracklet.last > gap:
                self._end(tracklet)

    def _end(self, tracklet: Tracklet) -> None:
        self._live = [t for t in self._live if t is not tracklet]
        if tracklet.rows:
            self._done.append(tracklet)

    def _scan_due(self, index: int) -> bool:
        since = index - self._scanned
        if any(t.last == index for t in self._live):
            return since >= self._frames(_SCAN_S)
        if index - self._seen <= self._frames(1.0) or self._scanned < 0:
            return True
        return since >= self._frames(_IDLE_SCAN_S)

    def _is_cut(self, rgb: ByteArray) -> bool:
        tiny = cv2.resize(rgb, (32, 18), interpolation=cv2.INTER_AREA).astype(np.float32)
        last, before = self._tiny, self._difference
        self._tiny = tiny
        if last is None:
            return False
        change = np.abs(tiny - last).mean(axis=2)
        self._difference = float(change.mean())
        jumped = self._difference > max(_CUT_DIFFERENCE, _CUT_JUMP * min(before, 255.0 / _CUT_JUMP))
        return jumped and float(np.median(change)) > _CUT_MEDIAN

    def _wide(self, tracklet: Tracklet) -> bool:
        widths = [detectors.face_box(points).width for points in tracklet.rows.values()]
        return bool(widths) and float(np.median(widths)) >= self.config.min_face_px

    def _frames(self, seconds: float) -> int:
        return max(1, round(seconds * self.rate))


def _filled(person: Person, count: int, cuts: IntArray, gap: int) -> tuple[FloatArray, ByteArray]:
    """Landmarks [T, 68, 2] and states [T], with gaps of up to `gap` frames inside a shot interpolated."""
    points = np.full((count, 68, 2), np.nan, np.float32)
    state = np.full(count, FaceState.ABSENT, np.uint8)
    for tracklet in person:
        for index, row in tracklet.rows.items():
            points[index] = row
            state[index] = FaceState.FOUND
    found = np.flatnonzero(state)
    for before, after in pairwise(found.tolist()):
        missing = after - before - 1
        if 0 < missing <= gap and not np.any((cuts > before) & (cuts <= after)):
            part = np.arange(1, missing + 1, dtype=np.float32)[:, None, None] / (missing + 1)
            points[before + 1 : after] = points[before] * (1 - part) + points[after] * part
            state[before + 1 : after] = FaceState.FILLED
    return points, state
