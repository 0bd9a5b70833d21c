#!/usr/bin/env python3
"""Learn the edit directions of the default generator from its own samples.

    scripts/learn_directions.py FOLDER [--samples 4000] [--only age smile] [--out stitchedit/directions]

FOLDER keeps samples, steps and what was read of every block of people: a run that is stopped goes on where it was.
Needs `stitchedit weights fetch measuring` and onnxruntime. About 0.25 s a face on one core with the allocator setting
of the README, half as much again where its identity is followed; `--threads` takes more cores.

1. Draw people, two thirds at psi 0.7, the others at 1.0; read age, gender, smile, geometry, light, ratings and (of the
   first 950) identity off each.
2. Fit a linear reading of each attribute in W; take the smallest step that moves one and holds the others
   (`learning.linear_regression`), the identity embedding softly; let it move only the rows of W+ that it needs.
3. Measure what the step does to people who were in no fit, ask for the difference, and repeat. `--again` does so with
   what is known of the directions in --out already.
4. Bring it to its unit, and measure effects and curve, on 200 others. FOLDER/NAME.png is to be looked at.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from direction_files import CURVE_PEOPLE, LICENCE, measure_identity, strip, write_identity, write_vector
from kept_meter import KeptMeter
from sample_tables import Table, load_table, read_chunk, sample_chunk

from stitchedit.editing.direction import CurvePoint, Direction, read_direction
from stitchedit.faces.attributes import Predictors
from stitchedit.learning.attribute_regressors import WEIGHTS, WReadings
from stitchedit.learning.effect_measurement import PEOPLE_SEED, people
from stitchedit.learning.generator_samples import NAMES, draw_ws
from stitchedit.learning.linear_regression import Floats, ridge, smallest_step
from stitchedit.models.generator import Generator, load_default_generator

CHUNK = 50
IDENTITIES = 950  # samples whose identity embedding is read
SAMPLE_SEED, COVARIANCE_SEED = 2026, 7
TUTOR_SEED = [PEOPLE_SEED, 1]  # people on whom steps are tried while they are learned
FOLLOWED = 60  # people whose identity is followed
SOFTNESS = 300.0  # weight of the identity embedding's change
NOTICED = 0.08  # SD, below which a measured side effect is left as it is
RESTRAINT = 0.03  # against asking for more than the goal, see `correction`


@dataclass(frozen=True)
class Spec:
    """What a direction is to do."""

    attribute: str
    amount: float  # change of the attribute at strength 1; 0: one standard deviation
    measured_in: str
    says: str  # the unit in words
    range: tuple[float, float]
    free: tuple[str, ...] = ()  # readings that may follow, being part of the same thing
    softness: float = SOFTNESS
    extra: dict[str, float] = field(default_factory=dict)  # SD to aim at for others
    layers: tuple[int, int] | None = None  # rows of W+ that move
    slope: bool = False  # the unit is half of what lies between strength -1 and 1
    trim: dict[str, float] = field(default_factory=dict)  # how much of other directions of --out is taken off


SD = "strength 1 is one standard deviation of the attribute over samples at psi 0.7"
MOUTH = ("mouth_open", "mouth_width", "mouth_curve")
# Older people in FFHQ wear glasses: asked to stay as they are, one in five gets a pair. Hair that keeps all of its
# colour costs more of the person.
OLDER = {"glasses": -0.2, "hair_colour": 0.24}
LESS_GREY = {"hair_colour": 0.12}  # that moves fine rows alone, and so costs little of the person
SPECS: dict[str, Spec] = {
    "age": Spec(
        "age",
        10.0,
        "years",
        "strength 1 is 10 years older by the age predictor",
        (-2.5, 3.5),
        extra=OLDER,
        trim=LESS_GREY,
    ),
    "smile": Spec(
        "smile",
        0.0,
        "log odds",
        f"{SD} (log odds of the smile score), half of what lies between -1 and 1, as many people cannot smile more",
        (-3, 3),
        free=MOUTH[1:],
        extra={"mouth_open": 0.2},
        slope=True,
    ),
    "gender": Spec(
        "gender",
        0.0,
        "log odds",
        f"{SD} (log odds), toward male, half of what lies between -1 and 1, as half of all are men already",
        (-1, 1),
        slope=True,
    ),
    "yaw": Spec(
        "yaw",
        10.0,
        "degrees",
        "strength 1 turns the head by 10 degrees toward the picture's right",
        (-2, 2),
        extra={"gaze": -0.25},  # eyes that look into the camera stay behind the head
    ),
    "pitch": Spec(
        "pitch",
        5.0,
        "degrees",
        "strength 1 turns the head down by 5 degrees",
        (-2, 2),
        extra={"mouth_curve": 0.2},  # corners seem to rise as the face turns away from the camera
    ),
    "eyes_open": Spec("eyes_open", 0.0, "eye distances", f"{SD} (gap of the lids)", (-2, 2)),
    "mouth_open": Spec("mouth_open", 0.0, "eye distances", f"{SD} (gap of the inner lips)", (-1, 3), MOUTH[1:]),
    "hair_colour": Spec(
        "hair_colour", 0.0, "rating points", f"{SD} (lightness as people rate it)", (-1.5, 1.5), layers=(7, 16)
    ),
    "weight": Spec("weight", 0.0, "rating points", f"{SD} (as people rate it), toward heavy", (-2, 2)),
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

    def step(self, asked: Floats, held: Sequence[int], softness: float) -> Floats:
        """The likeliest step [w_dim] that changes the readings `held` as asked, SD."""
        return smallest_step(self.covariance, self.readings.rows[held], asked[held], self.embed, softness)

    def effect(self, step: Floats) -> Floats:
        """[K] half of what lies between strength -1 and 1 of a step [num_ws, w_dim], median over people, SD."""
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
    held, goal = asked_of(spec)
    target = NAMES.index(spec.attribute)
    goal[target] = spec.amount / lab.readings.spread[target] if spec.amount else 1.0
    response = lab.readings.correlation[held]
    weight = np.ones(len(held))
    weight[held.index(target)] = 3.0
    asked = goal.copy()
    best: tuple[float, Floats] | None = None
    for turn in range(rounds + 1):
        step = lab.step(asked, held, spec.softness)
        if not rounds:
            break
        effect = lab.effect(lab.tutor.masked(step, spec.layers))
        print(f"{name} round {turn}: {_show(effect)}", file=sys.stderr, flush=True)
        miss = float(np.abs(weight * (goal - effect)[held]).max())
        if best is None or miss < best[0]:
            best = miss, step
        asked[held] += correction(response, weight, asked[held] - goal[held], (goal - effect)[held])
    step = best[1] if best else step
    np.save(path, step)
    return step


def again(lab: Lab, spec: Spec, known: Direction) -> Floats:
    """The step [w_dim] of a direction whose effects were measured, and what they missed asked for: one cheap round."""
    held, goal = asked_of(spec)
    missing = goal - np.array([known.effects[name] for name in NAMES])
    missing[np.abs(missing) < NOTICED] = 0
    missing[NAMES.index(spec.attribute)] = 0  # `to_unit` sees to it
    asked = correction(lab.readings.correlation, np.ones(len(NAMES)), np.zeros(len(NAMES)), missing)
    step: Floats = np.load(known.file).astype(np.float64) + lab.step(asked, held, spec.softness)
    return step


def trimmed(lab: Lab, step: Floats, trim: dict[str, float], out: Path) -> Floats:
    """The step [w_dim] without its part of other directions: [num_ws, w_dim], or as it was if there is none."""
    for name, part in trim.items():
        other = np.load(out / f"{name}.npy").astype(np.float64)
        step = lab.meter.masked(step, None) - part * lab.meter.masked(other, SPECS[name].layers)
    return step


def asked_of(spec: Spec) -> tuple[list[int], Floats]:
    """Which attributes are held, and by how many SD [K] the others than its own are to change."""
    held = [i for i, other in enumerate(NAMES) if other not in spec.free]
    return held, np.array([spec.extra.get(name, 0.0) for name in NAMES])


def correction(response: Floats, weight: Floats, excess: Floats, missing: Floats) -> Floats:
    """What to ask for in addition, [K], where `missing` is left to be done; all [K].

    Faces follow less, by `response`, where W hardly shows an attribute (roll, gaze). Asking for more and more of it
    would spoil them: so what has been asked for beyond the goal, `excess`, counts too.
    """
    pull = response * weight**2
    return np.asarray((pull * missing - RESTRAINT * excess) / (pull * response + RESTRAINT), np.float64)


def to_unit(lab: Lab, spec: Spec, step: Floats) -> tuple[Floats, dict[str, float], CurvePoint]:
    """The step at its unit, what it does there to each attribute (SD), and to its own and identity: medians.

    The unit is what strength 1 does to the median face. A step that misses it by more than a tenth is measured anew
    after scaling; within a tenth what was measured is scaled along.
    """
    target = NAMES.index(spec.attribute)
    goal = (spec.amount or lab.readings.spread[target]) / lab.readings.spread[target]
    for _ in range(5):
        moved = lab.meter.masked(step, spec.layers)
        after = lab.meter.moved(moved, 1.0)
        done = lab.meter.change(after)[:, target]
        if spec.slope:
            done = (done - lab.meter.change(lab.meter.moved(moved, -1.0, identities=0))[:, target]) / 2
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
    parser.add_argument("--again", action="store_true", help="ask for what the directions of --out were found to miss")
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
        elif options.again:
            steps[name] = again(lab, SPECS[name], read_direction(options.out / f"{name}.toml"))
        else:
            step = calibrate(lab, name, SPECS[name], options.rounds)
            steps[name] = trimmed(lab, step, SPECS[name].trim, options.out)
        strip(options.folder / f"{name}.png", lab, lab.meter.masked(steps[name], SPECS[name].layers), SPECS[name].range)
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
