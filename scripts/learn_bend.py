#!/usr/bin/env python3
"""Learn a direction that bends, `age`, from how readings change with w (`reader_gradients.py`).

    scripts/learn_bend.py LABELS [--people 24] [--rounds 3] [--check 24] [--out stitchedit/directions]

At each knot of strength a slope is learned from people as old as they are there: the least step that moves the mean
gradient of both age readers by ten years, as `learn_directions.py` has it: by what it changes outside of the head and
in W, with all other readings held. Beside these, the identity embedding is held softly: to move it costs. What the way
does to people who taught nothing is measured at one strength on each side and asked again, and slopes are brought to
their unit at both ends. Then the vector and its TOML are written, with effects and curve as measured on others. Needs
`stitchedit weights fetch measuring`. Half an hour on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import tomli_w
import torch
from compare_directions import outside
from direction_files import LICENCE
from learn_directions import TUTOR_SEED, covariance_of
from reader_gradients import READ, Labels

from stitchedit.editing.bent_step import way
from stitchedit.editing.direction import Direction
from stitchedit.editing.direction_catalogue import find_direction, read_direction
from stitchedit.editing.move_latents import load_direction, load_step
from stitchedit.faces.attributes import Predictors
from stitchedit.learning.attribute_regressors import WReadings
from stitchedit.learning.direction_report import measured, person_steps
from stitchedit.learning.effect_measurement import Meter, people
from stitchedit.learning.generator_samples import NAMES, draw_ws, render
from stitchedit.learning.linear_regression import Floats, smallest_step
from stitchedit.learning.picture_change import outside_change, parts_of, spread_within
from stitchedit.models.generator import Generator, load_default_generator
from stitchedit.types import Latents

NAME = "age"
TEACH = {-3.0: (10, 24), -1.0: (20, 36), 1.0: (25, 45), 3.0: (42, 80)}  # knot -> ages of those who teach its slope
FREE = ("age", "age_rated", "hair_colour")  # readings that may follow
HAIR = {1.0: 0.12, 3.0: 0.22}  # knot -> SD a unit of strength by which `hair_colour` holds hair back
GOALS = {-1: {"glasses": 0.05}, 1: {"glasses": -0.2}}  # by side, SD a unit of strength at which others aim; most at 0
ASKED_AT = {-1: -1.5, 1: 2.0}  # where each side is measured and asked again
ENDS = {-1: -2.5, 1: 3.5}  # where its outer slope is brought to its unit
OUTER = (0.7, 1.8)  # how fast that may be, of the inner one
LIKELY = 2.0  # how much a step's likelihood counts against the change outside, see `picture_change.spread_within`
SOFTNESS = 1000.0  # what a squared unit of the identity embedding costs
RANGE = (-3.0, 4.0)
CURVE = (-4.0, -3.0, -1.5, 1.0, 2.0, 4.0)
SIZE = 256
SOURCE = (
    "learned by scripts/learn_bend.py from how the readings of {count:,} people of the default generator change with "
    "w, read by faceres of @vladmandic/human 3.3.6 (MIT) and a fit to the human ratings of One Million Impressions "
    "(Peterson et al. 2022, doi:10.1073/pnas.2115228119)"
)


@dataclass
class Lesson:
    """What is known, and the slopes as they are asked for so far."""

    gradients: Mapping[float, Floats]  # knot -> [w_dim] years a unit of w
    spread: Floats  # [w_dim, w_dim] see `smallest_step`
    rows: Floats  # [H, w_dim] readings that are held, SD a unit of w
    names: tuple[str, ...]  # [H]
    response: Floats  # [H] how far they follow when they are asked
    hair: Floats  # [w_dim] strength 1 of `hair_colour`
    goals: dict[float, Floats] = field(default_factory=dict)  # knot -> [H] asked for, SD a unit of strength
    speed: dict[float, float] = field(default_factory=dict)  # knot -> times as fast as the gradient says

    def aim(self, side: int) -> Floats:
        return np.array([GOALS[side].get(name, 0.0) for name in self.names])

    def ask_again(self, knots: Sequence[float], missed: Floats) -> None:
        """Correct what is asked at some knots by most of what a unit of strength missed, [H]."""
        for knot in knots:
            self.goals[knot] = self.goals[knot] + 0.8 * self.response * missed

    def slopes(self) -> Floats:
        """[K, w_dim] at the knots."""
        found = []
        for knot, gradient in self.gradients.items():
            wanted = np.concatenate([[10.0], self.goals[knot]])
            step = smallest_step(self.spread, np.concatenate([gradient[None], self.rows]), wanted)
            found.append(self.speed[knot] * (step - HAIR.get(knot, 0.0) * self.hair))
        return np.stack(found)

    def move(self, strength: float) -> Floats:
        """[w_dim] what a strength adds."""
        return np.asarray(way(self.slopes(), tuple(self.gradients), strength)[0])


def prepare(labels: Labels, generator: Generator) -> Lesson:
    """Slopes as the gradients say, before anything is measured."""
    readings, ages = WReadings.load(), labels.values[:, READ.index("age")]
    both = labels.gradients[:, [READ.index("age"), READ.index("age_rated")]].mean(axis=1).astype(np.float64)
    held = [k for k, name in enumerate(readings.names) if name not in FREE]
    embed = np.load(Path("stitchedit/directions/identity.npz"))["embed"].astype(np.float64)
    spread = spread_within(covariance_of(generator), outside_change(), LIKELY)
    inner = np.eye(len(embed)) / SOFTNESS + embed @ spread @ embed.T
    lesson = Lesson(
        {knot: both[(ages > young) & (ages < old)].mean(axis=0) for knot, (young, old) in TEACH.items()},
        spread - spread @ embed.T @ np.linalg.solve(inner, embed @ spread),
        readings.rows[held],
        tuple(readings.names[k] for k in held),
        np.minimum(1, 1.1 * readings.correlation[held]),
        load_step(find_direction("hair_colour"), Latents(np.zeros((1, 1, generator.w_dim), np.float32)), generator)[0],
        speed=dict.fromkeys(TEACH, 1.0),
    )
    lesson.goals = {knot: lesson.aim(_side(knot)) for knot in TEACH}
    return lesson


def learn(lesson: Lesson, tutor: Meter, rounds: int) -> None:
    """Measure, ask again, and bring slopes to their unit: both of a side near 0, then the outer ones at its end."""
    knots = tuple(lesson.gradients)
    for turn in range(rounds + 1):
        for side, strength in ASKED_AT.items():
            effects, years = effect(lesson, tutor, strength)
            faster = float(np.clip(10 * strength / years, 0.4, 2.5))
            own = [knot for knot in knots if _side(knot) == side]
            lesson.speed.update({knot: faster * lesson.speed[knot] for knot in own})
            if turn < rounds:
                lesson.ask_again(own, lesson.aim(side) - faster / strength * effects)
    for side, outer, inner in ((-1, knots[0], knots[1]), (1, knots[-1], knots[-2])):
        for _ in range(2):
            _, years = effect(lesson, tutor, ENDS[side])
            fastest = np.array(OUTER) * lesson.speed[inner]
            lesson.speed[outer] = float(np.clip(lesson.speed[outer] * 10 * ENDS[side] / years, *fastest))


def effect(lesson: Lesson, tutor: Meter, strength: float) -> tuple[Floats, float]:
    """Median over people of what a strength does: to the readings that are held [H], SD, and years."""
    after = tutor.moved(lesson.move(strength), 1.0, identities=0)
    change = tutor.change(after)
    found = np.median(change, axis=0)
    glasses = NAMES.index("glasses")
    found[glasses] = change[:, glasses].mean()  # the few who get a pair are to count
    years = float(np.median(tutor.own_change(after, NAME)))
    told = " ".join(f"{name}{value:+.2f}" for name, value in zip(NAMES, found, strict=True) if abs(value) > 0.2)
    print(f"{strength:+g}: {years:+.1f} years, {told}", file=sys.stderr, flush=True)
    return np.array([found[NAMES.index(name)] for name in lesson.names]), years


def write(lesson: Lesson, generator: Generator, labels: Labels, out: Path, check: int) -> Direction:
    """NAME.npy and NAME.toml, with what the way does to people who taught nothing."""
    file, slopes = out / f"{NAME}.npy", lesson.slopes().astype(np.float32)
    np.save(file, slopes)
    direction = replace(
        read_direction(out / f"{NAME}.toml"),
        knots=tuple(lesson.gradients),
        range=RANGE,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        source=SOURCE.format(count=len(labels.w)),
        licence=LICENCE,
        held_out_r=None,
    )
    direction = measured(load_direction(direction), generator, check, strengths=CURVE)
    w = people(generator, check)
    before = render(generator, w, SIZE)
    meter = Meter(generator, Predictors(), w, WReadings.load().spread, SIZE)
    moved = (meter.w + person_steps(direction, generator, w).w).astype(np.float32)
    far, near = outside(meter, moved, before, [parts_of(picture) for picture in before])
    direction = replace(direction, outside_change=round(far, 2), outside_ratio=round(far / near, 2))
    (out / f"{NAME}.toml").write_text(tomli_w.dumps(direction.as_toml()))
    return direction


def _side(knot: float) -> int:
    return -1 if knot < 0 else 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--people", type=int, default=24, help="on whom slopes are tried")
    parser.add_argument("--rounds", type=int, default=3, help="of asking again after the first")
    parser.add_argument("--check", type=int, default=24, help="people on whom the result is measured, 200 at most")
    parser.add_argument("--out", type=Path, default=Path("stitchedit/directions"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = load_default_generator("cpu")
    labels = Labels.load(options.labels, generator)
    lesson = prepare(labels, generator)
    tutors = draw_ws(generator, options.people, TUTOR_SEED)
    spread = WReadings.load().spread
    tutor = Meter(generator, Predictors(), tutors, spread, SIZE, identities=0)
    learn(lesson, tutor, options.rounds)
    direction = write(lesson, generator, labels, options.out, options.check)
    print(tomli_w.dumps(direction.as_toml()))


if __name__ == "__main__":
    main()
