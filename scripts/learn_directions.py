#!/usr/bin/env python3
"""Learn the edit directions of the default generator from its own samples.

    scripts/learn_directions.py FOLDER [--samples 4000] [--only age smile] [--out stitchedit/directions]

FOLDER keeps samples, readings and calibrations (about 200 kB a sample): a run that is stopped goes on where it was.
Needs `stitchedit weights fetch measuring` and onnxruntime. About 0.1 s a sample and 2 minutes a direction on one core
with the allocator setting of the README; `--threads` takes more cores.

1. Draw people, two thirds at psi 0.7, the others at 1.0; read age, gender, smile, geometry, light, ratings and (of the
   first 950) identity off each.
2. Fit a linear reading of each attribute in W; take the smallest step that moves one and holds the others
   (`stitchedit.learn`), the identity embedding softly; let it move only the rows of W+ that it needs.
3. Measure what the step really does to people who were in no fit, ask for the difference, and repeat.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from direction_files import LICENCE, strip, write_identity, write_vector

from stitchedit.attributes import Predictors
from stitchedit.generator import Generator, load_default_generator
from stitchedit.learn import Floats, ridge, smallest_step
from stitchedit.meter import Meter, people
from stitchedit.samples import NAMES, Table, draw_ws, load_table, read_chunk, sample_chunk
from stitchedit.w_readings import WEIGHTS, WReadings

CHUNK = 50
IDENTITIES = 950  # samples whose identity embedding is read
SAMPLE_SEED, COVARIANCE_SEED = 2026, 7


@dataclass(frozen=True)
class Spec:
    """What a direction is to do."""

    attribute: str
    amount: float  # change of the attribute at strength 1; 0: one standard deviation
    measured_in: str
    says: str  # the unit in words
    range: tuple[float, float]
    free: tuple[str, ...] = ()  # readings that may follow, being part of the same thing
    softness: float = 300.0  # weight of the identity embedding's change
    extra: dict[str, float] = field(default_factory=dict)  # SD to aim at for others
    layers: tuple[int, int] | None = None  # rows of W+ that move


SD = "strength 1 is one standard deviation of the attribute over samples at psi 0.7"
MOUTH = ("mouth_open", "mouth_width", "mouth_curve")
NO_GLASSES = {"glasses": -0.2}  # older people in FFHQ wear them; asked to stay as they are, one in five gets a pair
SPECS: dict[str, Spec] = {
    "age": Spec(
        "age", 10.0, "years", "strength 1 is 10 years older by the age predictor", (-2.5, 3.5), extra=NO_GLASSES
    ),
    "smile": Spec(
        "smile",
        0.0,
        "log odds",
        f"{SD} (log odds of the smile score)",
        (-3, 3),
        free=MOUTH[1:],
        extra={"mouth_open": 0.6},
    ),
    "gender": Spec("gender", 0.0, "log odds", f"{SD} (log odds), toward male", (-1, 1)),
    "yaw": Spec(
        "yaw", 10.0, "degrees", "strength 1 turns the head by 10 degrees toward the picture's right", (-2, 2), ("gaze",)
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
    """What learning and measuring need: the generator, the readings, and people who were in no fit."""

    def __init__(self, generator: Generator, table: Table, predictors: Predictors, size: int | None, check: int):
        self.generator, self.table, self.size = generator, table, size
        self.readings = _readings(table)
        known = np.isfinite(table.embeddings[:, 0])
        self.embed = ridge(table.w[known], table.embeddings[known]).rows  # [128, w_dim]
        self.covariance = covariance_of(generator)
        self.meter = Meter(generator, predictors, people(generator, check), self.readings.spread, size)

    @property
    def checked_on(self) -> str:
        return f"{len(self.meter.w)} people at {self.size or self.generator.resolution} px"


def calibrate(lab: Lab, name: str, spec: Spec, rounds: int, count: int) -> Floats:
    """The step [w_dim]: asked, measured on people, asked again for what was missing. No round: as the readings say."""
    target = NAMES.index(spec.attribute)
    held = [i for i, other in enumerate(NAMES) if other not in spec.free]
    goal = np.zeros(len(NAMES))
    for other, amount in spec.extra.items():
        goal[NAMES.index(other)] = amount
    goal[target] = spec.amount / lab.readings.spread[target] if spec.amount else 1.0
    asked = goal.copy()
    for turn in range(rounds + 1):
        step = smallest_step(lab.covariance, lab.readings.rows[held], asked[held], lab.embed, spec.softness)
        if turn == rounds:
            break
        up, down = 0.4 * spec.range[1], 0.3 * spec.range[0]
        moved = [
            lab.meter.moved(lab.meter.masked(step, spec.layers), strength, count, 0).values for strength in (up, down)
        ]
        change = (moved[0] - moved[1]) / (up - down)
        effect = change.mean(axis=0)  # not the median: a few who get glasses are to count
        effect[target] = np.median(change[:, target])
        print(f"{name} round {turn}: {_show(effect)}", file=sys.stderr, flush=True)
        asked += 0.8 * (goal - effect)
    return step


def to_unit(lab: Lab, spec: Spec, step: Floats) -> tuple[Floats, dict[str, float], float]:
    """The step at its unit, what it does to each attribute there (SD), and to identity: medians over people.

    The unit is what strength 1 does to the median face. A step that is scaled by less than a quarter is not measured
    again: what it does is scaled along.
    """
    target = NAMES.index(spec.attribute)
    goal = (spec.amount or lab.readings.spread[target]) / lab.readings.spread[target]
    scale = 1.0
    for _ in range(3):
        after = lab.meter.moved(lab.meter.masked(step, spec.layers), 1.0)
        scale = float(np.clip(goal / np.median(lab.meter.change(after)[:, target]), 0.3, 3))
        step = scale * step
        if 0.8 < scale < 1.25:
            break
    effects = {name: round(scale * value, 3) for name, value in lab.meter.effects(after).items()}
    return step, effects, round(scale * float(np.median(lab.meter.distances(after))), 3)


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
    parser.add_argument("--rounds", type=int, default=3, help="of measuring and asking again")
    parser.add_argument("--people", type=int, default=64, help="in each round")
    parser.add_argument("--check", type=int, default=200, help="people on whom the result is measured, 200 at most")
    parser.add_argument("--measure-only", action="store_true", help="only bring the vectors of --out to their unit")
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
    lab = Lab(generator, load_table(tables), predictors, options.size, options.check)
    print("held-out r:", dict(zip(NAMES, lab.readings.correlation.round(3), strict=True)))
    print("SD:", dict(zip(NAMES, lab.readings.spread.round(4), strict=True)))
    lab.readings.save(options.folder / WEIGHTS, LICENCE)

    for name in options.only:
        if name == "identity":
            write_identity(options.out, lab)
            continue
        spec = SPECS[name]
        kept = options.out / f"{name}.npy"
        if options.measure_only:
            step = np.load(kept).astype(np.float64)
        else:
            step = calibrate(lab, name, spec, options.rounds, options.people)
        step, effects, distance = to_unit(lab, spec, step)
        direction = write_vector(options.out, name, lab, spec, step, effects, distance)
        strip(options.folder / f"{name}.png", lab, lab.meter.masked(step, spec.layers), spec.range)
        print(json.dumps(direction.as_json(), indent=1), flush=True)


if __name__ == "__main__":
    main()
