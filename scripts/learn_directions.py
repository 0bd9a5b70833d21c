#!/usr/bin/env python3
"""Learn the edit directions of the default generator from its own samples.

    scripts/learn_directions.py FOLDER [--samples 4000] [--only age smile] [--out stitchedit/directions]

FOLDER keeps samples, readings and calibrations (about 200 kB a sample): a run that is stopped goes on where it was.
Needs `stitchedit weights fetch measuring` and onnxruntime. About 0.6 s a sample and 15 minutes a direction on one core
with the allocator setting of the README; `--threads` takes more cores.

1. Draw people, half at psi 0.7, half at 1.0; read age, gender, smile, geometry, light and identity off each.
2. Fit a linear reading of each attribute in W; take the smallest step that moves one and holds the others
   (`stitchedit.learn`), the identity embedding softly.
3. Measure what the step really does to other samples, ask for the difference, and repeat.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from direction_files import strip, write_identity, write_vector

from stitchedit.attributes import Predictors
from stitchedit.generator import Generator, load_default_generator
from stitchedit.learn import Floats, ridge, smallest_step
from stitchedit.samples import NAMES, Table, draw_ws, load_table, read_chunk, read_faces, render, sample_chunk

CHUNK = 50
SAMPLE_SEED, CHECK_SEED, COVARIANCE_SEED = 2026, 77, 7


@dataclass(frozen=True)
class Spec:
    """What a direction is to do."""

    attribute: str
    amount: float  # change of the attribute at strength 1; 0: one standard deviation
    says: str  # the unit in words
    range: tuple[float, float]
    free: tuple[str, ...] = ()  # readings that may follow, being part of the same thing
    softness: float = 300.0  # weight of the identity embedding's change
    extra: dict[str, float] = field(default_factory=dict)  # SD to aim at for others


SD = "one standard deviation of the attribute over 2,000 samples"
MOUTH = ("mouth_open", "mouth_width", "mouth_curve")
NO_GLASSES = {"glasses": -0.2}  # older people in FFHQ wear them; asked to stay as they are, one in five gets a pair
SPECS: dict[str, Spec] = {
    "age": Spec("age", 10.0, "strength 1 is 10 years older by the age predictor", (-2.5, 3.5), extra=NO_GLASSES),
    "smile": Spec(
        "smile",
        0.0,
        f"strength 1 is {SD} (log odds of the smile score), the slope between -1 and 1",
        (-3, 3),
        free=MOUTH[1:],
        extra={"mouth_open": 0.6},
    ),
    "gender": Spec("gender", 0.0, f"strength 1 is {SD} (log odds), toward male", (-2, 2)),
    "yaw": Spec("yaw", 10.0, "strength 1 turns the head by 10 degrees toward the picture's right", (-2, 2), ("gaze",)),
    "pitch": Spec("pitch", 5.0, "strength 1 turns the head down by 5 degrees", (-2, 2), ("mouth_curve",)),
    "eyes_open": Spec("eyes_open", 0.0, f"strength 1 is {SD} (gap of the lids)", (-2, 2)),
    "mouth_open": Spec("mouth_open", 0.0, f"strength 1 is {SD} (gap of the inner lips)", (-1, 3), MOUTH[1:]),
}


@dataclass
class Lab:
    """What measuring needs: the generator, the readers, and people who were in no fit."""

    generator: Generator
    predictors: Predictors
    table: Table
    covariance: Floats
    folder: Path
    size: int | None
    check: int  # people on whom the result is measured

    def __post_init__(self) -> None:
        self.spread = self.table.spread
        self.readings = ridge(self.table.w, self.table.values / self.spread)
        self.identity = ridge(self.table.w, self.table.embeddings)
        self.people = draw_ws(self.generator, 200, [CHECK_SEED, 0])[: self.check].astype(np.float64)

    def read(self, count: int, step: Floats | None = None, strength: float = 0.0) -> tuple[Floats, Floats]:
        """Values [count, K] in SD and embeddings [count, 128] of the first people, moved by strength * step."""
        w = self.people[:count] + (0 if step is None else strength * step)
        if step is None:
            path = self.folder / f"people_{self.check}_{self.size or self.generator.resolution}.npz"
            if not path.exists():
                found = read_faces(render(self.generator, self.people.astype(np.float32), self.size), self.predictors)
                np.savez(path, names=np.array(NAMES), values=found.values, embeddings=found.embeddings)
            with np.load(path) as people:
                return people["values"][:count] / self.spread, people["embeddings"][:count].astype(np.float64)
        found = read_faces(render(self.generator, w.astype(np.float32), self.size), self.predictors)
        return found.values / self.spread, found.embeddings.astype(np.float64)


def calibrate(lab: Lab, name: str, spec: Spec, rounds: int, count: int) -> tuple[Floats, dict[str, object]]:
    """The direction [w_dim] and its report: asked, measured on people, asked again for what was missing."""
    target_index = NAMES.index(spec.attribute)
    held = [i for i, other in enumerate(NAMES) if other not in spec.free]
    goal = np.zeros(len(NAMES))
    for other, amount in spec.extra.items():
        goal[NAMES.index(other)] = amount
    goal[target_index] = spec.amount / lab.spread[target_index] if spec.amount else 1.0
    asked = goal.copy()
    rows = lab.readings.rows[held]

    def solve() -> Floats:
        return smallest_step(lab.covariance, rows, asked[held], lab.identity.rows, spec.softness)

    step = solve()
    for turn in range(rounds):
        up, down = 0.4 * spec.range[1], 0.3 * spec.range[0]
        change = (lab.read(count, step, up)[0] - lab.read(count, step, down)[0]) / (up - down)
        effect = change.mean(axis=0)  # not the median: a few who get glasses are to count
        effect[target_index] = np.median(change[:, target_index])
        print(f"{name} round {turn}: {_show(effect)}", file=sys.stderr, flush=True)
        asked += 0.8 * (goal - effect)
        step = solve()
    before, person = lab.read(len(lab.people))
    if spec.amount:  # a natural unit: what strength 1 does to the median face
        after, _ = lab.read(count, step, 1.0)
        step = step * float(np.clip(goal[target_index] / np.median((after - before[:count])[:, target_index]), 0.5, 2))
        after, other = lab.read(len(lab.people), step, 1.0)
        scale = float(goal[target_index] / np.median((after - before)[:, target_index]))
    else:  # a spread: the slope between both sides, as a face that smiles already cannot smile much more
        slope = (lab.read(count, step, 1.0)[0] - lab.read(count, step, -1.0)[0])[:, target_index] / 2
        step = step * float(np.clip(goal[target_index] / np.median(slope), 0.5, 2))
        after, other = lab.read(len(lab.people), step, 1.0)
        scale = 1.0
    step = step * scale
    effects = scale * np.median(after - before, axis=0)  # the last scale is within a few percent of one
    distances = np.linalg.norm(other - person, axis=1)
    report: dict[str, object] = {
        "name": name,
        "samples": len(lab.table.w),
        "checked_on": f"{len(lab.people)} people at {lab.size or lab.generator.resolution} px",
        "held_out_r": round(float(lab.readings.correlation[target_index]), 3),
        "effects": {other_name: round(float(v), 3) for other_name, v in zip(NAMES, effects, strict=True)},
        "scatter": {n: round(float(v), 3) for n, v in zip(NAMES, (after - before).std(axis=0), strict=True)},
        "identity_distance": round(float(np.median(distances)), 3),
        "change": round(float(effects[target_index] * lab.spread[target_index]), 3),
        "last_scale": round(scale, 3),
        "mahalanobis": round(float(np.sqrt(step @ np.linalg.solve(lab.covariance, step))), 3),
    }
    for strength in (-2.0, 2.0):
        moved, who = lab.read(count, step, strength)
        report[f"at{strength:+g}"] = {
            "change": round(float(np.median((moved - before[:count])[:, target_index]) * lab.spread[target_index]), 3),
            "identity_distance": round(float(np.median(np.linalg.norm(who - person[:count], axis=1))), 3),
            "effects": _show(np.median(moved - before[:count], axis=0)),
        }
    return step, report


def covariance_of(generator: Generator) -> Floats:
    """Of 20,000 mapped samples; nothing is drawn, so it costs seconds."""
    parts = [draw_ws(generator, 1000, [COVARIANCE_SEED, k], 1.0) for k in range(20)]
    return np.cov(np.concatenate(parts).astype(np.float64).T)


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
        read_chunk(tables[-1], source, predictors)
        print(f"samples {(index + 1) * CHUNK}/{options.samples}", file=sys.stderr, flush=True)
    lab = Lab(
        generator, predictors, load_table(tables), covariance_of(generator), options.folder, options.size, options.check
    )
    print("held-out r:", dict(zip(NAMES, lab.readings.correlation.round(3), strict=True)))

    for name in options.only:
        if name == "identity":
            write_identity(options.out, lab)
            continue
        step, report = calibrate(lab, name, SPECS[name], options.rounds, options.people)
        write_vector(options.out, name, SPECS[name], step, report)
        strip(options.folder / f"{name}.png", lab, step, SPECS[name].range)
        (options.folder / f"{name}.json").write_text(json.dumps(report, indent=1))
        print(json.dumps(report, indent=1), flush=True)


if __name__ == "__main__":
    main()
