#!/usr/bin/env python3
"""Learn the edit directions of the default generator from its own samples.

    scripts/learn_directions.py FOLDER [--samples 4000] [--only age smile] [--device cuda] [--out stitchedit/directions]

FOLDER keeps samples, steps and what was read of every block of people: a run that is stopped goes on where it was.
Needs `stitchedit weights fetch measuring`. About 0.4 s a face on one core with the allocator setting of the README;
`--threads` takes more cores. Step 2 takes a minute on a GPU, three hours on one core.

1. Draw people, two thirds at psi 0.7, the others at 1.0; read age, gender, expression, geometry, light, ratings and (of
   the first 950) identity off each.
2. Work out how much of the picture steps in W change, and where (`stitchedit.learning.picture_change`).
3. Fit a linear reading of each attribute in W; take the step that moves one, holds the others, and is the least change
   outside of the head and in parts of it that the attribute does not need.
4. Measure what the step does to people who were in no fit, ask for the difference, and repeat.
5. Bring it to its unit, and measure effects and curve, on others. FOLDER/NAME.png is to be looked at.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from direction_files import CURVE_PEOPLE, LICENCE, measure_identity, strip, write_identity, write_vector
from kept_meter import KeptMeter
from sample_tables import Table, load_table, read_chunk, sample_chunk

from stitchedit.editing.direction import CurvePoint
from stitchedit.editing.direction_catalogue import read_direction
from stitchedit.faces.attributes import Predictors
from stitchedit.learning.asked_step import Asked, asked_step
from stitchedit.learning.attribute_regressors import WEIGHTS, WReadings
from stitchedit.learning.effect_measurement import PEOPLE_SEED, people
from stitchedit.learning.generator_samples import NAMES, draw_ws, render
from stitchedit.learning.linear_regression import Floats, ridge, smallest_step
from stitchedit.learning.picture_change import (
    KINDS,
    even,
    parts_of,
    picture_grams,
    save_outside_change,
    spread_within,
)
from stitchedit.learning.picture_change import (
    WEIGHTS as CHANGE,
)
from stitchedit.learning.targets import TARGETS, Target
from stitchedit.models.generator import Generator, load_default_generator
from stitchedit.models.perceptual import MobileNetPerceptual

CHUNK = 50
IDENTITIES = 950  # samples whose identity embedding is read
CHANGED = 68  # people whose pictures' change is worked out
SAMPLE_SEED, COVARIANCE_SEED, CHANGE_SEED = 2026, 7, 2027
TUTOR_SEED = [PEOPLE_SEED, 1]  # people on whom steps are tried while they are learned
FOLLOWED = 60  # people whose identity is followed


@dataclass(frozen=True)
class Spec:
    """What a direction is to do, beside its `Target`."""

    attribute: str
    says: str  # the unit in words
    range: tuple[float, float]
    extra: dict[str, float] = field(default_factory=dict)  # SD to aim at for others
    still: dict[str, float] = field(default_factory=dict)  # parts of the head that are to change little: weights
    slope: bool = False  # the unit is half of what lies between strength -1 and 1

    @property
    def target(self) -> Target:
        return TARGETS[self.attribute]

    @property
    def taught(self) -> tuple[str, ...]:
        return self.target.labels or (self.attribute,)

    # what a direction's file says of it
    amount = property(lambda self: self.target.amount)
    measured_in = property(lambda self: self.target.measured_in)
    region = property(lambda self: self.target.region or "face")


SD = "strength 1 is one standard deviation of the attribute over samples at psi 0.7"
SPECS: dict[str, Spec] = {
    spec.attribute: spec
    for spec in (
        Spec(
            "age",
            "strength 1 is 10 years older, by the mean of faceres and of the fit to human ratings",
            (-2.5, 3.5),
            extra={"glasses": -0.3},  # old people in FFHQ wear them
        ),
        Spec(
            "smile",
            "strength 1 is 0.25 of the smile coefficients, half of what lies between -1 and 1",
            (-3, 4),
            extra={"glasses": -0.2},
            still={"hair": 0.3},
            slope=True,
        ),
        Spec(
            "gender",
            "strength 1 is 2.5 of the log odds (0.8 SD), toward male, half of what lies between -1 and 1",
            (-1, 1),
            slope=True,
        ),
        Spec("yaw", "strength 1 turns the head by 10 degrees toward the picture's right", (-1.5, 1.5)),
        Spec("pitch", "strength 1 turns the head down by 5 degrees", (-2, 2), extra={"glasses": -0.2}),
        Spec("eyes_open", f"{SD} (gap of the lids)", (-2, 2), still={"hair": 0.3}),
        Spec("mouth_open", f"{SD} (gap of the inner lips)", (-1, 3), still={"hair": 0.3}),
        Spec("hair_colour", f"{SD} (lightness as people rate it)", (-1.5, 1.5), still={"face": 1.0}),
        Spec("weight", f"{SD} (as people rate it), toward heavy", (-2, 2), extra={"glasses": -0.15}),
    )
}


class Lab:
    """What learning and measuring need: the generator, the readings, and people who were in no fit.

    Those of `tutor` say what a step does while it is learned, those of `meter` what came of it in the end.
    """

    def __init__(self, generator: Generator, table: Table, predictors: Predictors, options: argparse.Namespace):
        self.generator, self.table, self.folder, self.size = generator, table, options.folder, options.size
        self.readings = _readings(table)
        known = np.isfinite(table.embeddings[:, 0])
        self.embed = ridge(table.w[known], table.embeddings[known]).rows  # [128, w_dim]
        self.covariance = covariance_of(generator)
        self.grams = _grams(options.folder / "grams.npz", options.device, options.size)
        spread = self.readings.spread
        learners = draw_ws(generator, options.people, TUTOR_SEED)
        self.tutor = KeptMeter(self.folder, generator, predictors, learners, spread, options.size, identities=0)
        measured = people(generator, options.check)
        self.meter = KeptMeter(self.folder, generator, predictors, measured, spread, options.size, FOLLOWED)

    @property
    def checked_on(self) -> str:
        followed, curve = min(FOLLOWED, len(self.meter.w)), min(CURVE_PEOPLE, len(self.meter.w))
        size = self.size or self.generator.resolution
        return f"{len(self.meter.w)} people at {size} px; identity on {followed}, the rest of the curve on {curve}"

    def spread(self, still: Mapping[str, float], likely: float = 1.0) -> Floats:
        """See `picture_change.spread_within`: changes outside of the head cost, and those of parts of it as asked."""
        weights = {"outside": 1.0, **still}
        change = sum(w * even(self.grams[f"{kind}_{part}"]) for part, w in weights.items() for kind in KINDS)
        return spread_within(self.covariance, np.asarray(change, np.float64), likely)

    def step(self, spec: Spec, asked: Floats, held: list[int]) -> Floats:
        """The least step [w_dim] that changes what is taught by asked[0], and the readings `held` as asked, SD."""
        own = self.readings.rows[[NAMES.index(name) for name in spec.taught]].mean(0)
        rows = np.concatenate([own[None], self.readings.rows[held]])
        return smallest_step(self.spread(spec.still, spec.target.likely), rows, asked)

    def effect(self, step: Floats) -> Floats:
        """[K] half of what lies between strength -1 and 1 of a step [w_dim], median over people, SD."""
        up, down = (self.tutor.moved(step, strength).values for strength in (1.0, -1.0))
        change = (up - down) / 2
        effect: Floats = np.median(change, axis=0)
        glasses = NAMES.index("glasses")
        effect[glasses] = change[:, glasses].mean()  # the few who get a pair are to count
        return effect


def calibrate(lab: Lab, name: str, spec: Spec, rounds: int) -> Floats:
    """The step [w_dim]: asked, measured on people, asked again for what was missing. Kept; the best round counts.

    No round: as the readings say.
    """
    path = lab.folder / f"step_{name}.npy"
    if path.exists():
        return np.asarray(np.load(path), np.float64)
    held = [i for i, other in enumerate(NAMES) if other not in (*spec.target.free, *spec.taught, spec.attribute)]
    taught = [NAMES.index(label) for label in spec.taught]
    goal = np.array([spec.extra.get(NAMES[i], 0.0) for i in held])
    asked = Asked(taught, held, goal, lab.readings.correlation[held])

    def tell(turn: int, effect: Floats) -> None:
        print(f"{name} round {turn}: {_show(effect)}", file=sys.stderr, flush=True)

    step = asked_step(asked, lambda wanted: lab.step(spec, wanted, held), lab.effect, rounds, tell)
    if rounds:
        np.save(path, step)
    return step


def to_unit(lab: Lab, spec: Spec, step: Floats) -> tuple[Floats, dict[str, float], CurvePoint]:
    """The step at its unit, what it does there to each attribute (SD), and to its own and identity: medians.

    The unit is what strength 1 does to the median face. A step that misses it by more than a tenth is measured anew
    after scaling; within a tenth what was measured is scaled along.
    """
    target = NAMES.index(spec.attribute)
    goal = spec.amount or lab.readings.spread[target]
    for _ in range(5):
        after = lab.meter.moved(step, 1.0)
        done = lab.meter.own_change(after, spec.attribute)
        if spec.slope:
            done = (done - lab.meter.own_change(lab.meter.moved(step, -1.0, identities=0), spec.attribute)) / 2
        scale = float(np.clip(goal / np.median(done), 0.3, 3))
        print(f"{spec.attribute}: scaled by {scale:.3f}", file=sys.stderr, flush=True)
        step = scale * step
        if abs(scale - 1) < 0.1:
            effects = {name: round(scale * value, 3) for name, value in lab.meter.effects(after).items()}
            one = lab.meter.point(1.0, after, spec.attribute)
            change, distance = (round(scale * value, 4) for value in (one.change or 0.0, one.identity_distance or 0.0))
            return step, effects, replace(one, change=change, identity_distance=distance)
    raise SystemExit(f"{spec.attribute}: strength 1 cannot be brought to its unit")


def covariance_of(generator: Generator) -> Floats:
    """Of 20,000 mapped samples; nothing is drawn, so it costs seconds."""
    parts = [draw_ws(generator, 1000, [COVARIANCE_SEED, k], 1.0) for k in range(20)]
    return np.cov(np.concatenate(parts).astype(np.float64).T)


def _grams(path: Path, device: str, size: int | None) -> dict[str, Floats]:
    """`picture_grams` of people of their own, kept in a file."""
    if not path.exists():
        generator = load_default_generator("cpu")
        w = draw_ws(generator, CHANGED, [CHANGE_SEED])
        parts = [parts_of(picture) for picture in render(generator, w, size)]
        there, eyes = load_default_generator(device), MobileNetPerceptual().to(device)
        np.savez(path, **picture_grams(there, eyes, w, parts))
        save_outside_change(dict(np.load(path)), path.with_name(CHANGE), LICENCE)
    with np.load(path) as kept:
        return {key: kept[key] for key in kept.files}


def _readings(table: Table) -> WReadings:
    fit = ridge(table.w, table.values / table.spread)
    return WReadings(NAMES, fit.rows, table.spread, fit.correlation)


def _show(effects: Floats) -> str:
    return " ".join(f"{n}{v:+.2f}" for n, v in zip(NAMES, effects, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where samples and calibrations are kept")
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--size", type=int, help="exit of the generator at which faces are drawn (default: full)")
    parser.add_argument("--only", nargs="*", default=[*SPECS, "identity"])
    parser.add_argument("--rounds", type=int, default=2, help="of asking again after the first")
    parser.add_argument("--people", type=int, default=24, help="on whom steps are tried in each round")
    parser.add_argument("--check", type=int, default=200, help="people on whom the result is measured, 200 at most")
    parser.add_argument("--measure-only", action="store_true", help="only bring the vectors of --out to their unit")
    parser.add_argument("--device", default="cpu", help="where the change of pictures is worked out: cpu or cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", type=Path, help="folder with the measuring networks (default: the fetched ones)")
    parser.add_argument("--out", type=Path, default=Path("stitchedit/directions"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.folder.mkdir(parents=True, exist_ok=True)
    generator = load_default_generator("cpu")
    predictors = Predictors((lambda name: options.models / name) if options.models else None)

    tables = []
    for index in range(options.samples // CHUNK):
        source = options.folder / f"chunk_{index:04d}.npz"
        sample_chunk(source, generator, [SAMPLE_SEED, index], CHUNK, options.size)
        tables.append(options.folder / f"readings_{index:04d}.npz")
        read_chunk(tables[-1], source, predictors, CHUNK if index * CHUNK < IDENTITIES else 0)
        print(f"samples {(index + 1) * CHUNK}/{options.samples}", file=sys.stderr, flush=True)
    lab = Lab(generator, load_table(tables), predictors, options)
    print("held-out r:", dict(zip(NAMES, lab.readings.correlation.round(3), strict=True)))
    print("SD:", dict(zip(NAMES, lab.readings.spread.round(4), strict=True)))
    lab.readings.save(options.folder / WEIGHTS, LICENCE)

    vectors = [name for name in options.only if name != "identity"]
    steps, known = {}, {}
    for name in vectors:
        if options.measure_only:
            known[name] = read_direction(options.out / f"{name}.toml")
            steps[name] = np.load(options.out / f"{name}.npy").astype(np.float64)
        else:
            steps[name] = calibrate(lab, name, SPECS[name], options.rounds)
        strip(options.folder / f"{name}.png", lab, lab.meter.masked(steps[name], None), SPECS[name].range)
    for name in vectors:
        unit = to_unit(lab, SPECS[name], steps[name])
        direction = write_vector(options.out, name, lab, SPECS[name], *unit, known.get(name))
        print(json.dumps(direction.as_json(), indent=1), flush=True)
    if "identity" in options.only:
        if not options.measure_only:
            write_identity(options.out, lab)
        measure_identity(options.out, lab)


if __name__ == "__main__":
    main()
