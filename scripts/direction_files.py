"""Files that `learn_directions.py` writes: TOML and vector of each direction, strips of faces to look at."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import tomli_w

from stitchedit.editing.direction import CurvePoint, Direction
from stitchedit.editing.direction_catalogue import find_direction
from stitchedit.learning.direction_report import curve_strengths, person_steps
from stitchedit.learning.generator_samples import NAMES, render
from stitchedit.learning.linear_regression import Floats, likeness, smallest_step

if TYPE_CHECKING:
    from learn_directions import Lab, Spec

SOURCE = (
    "learned by scripts/learn_directions.py from {samples} samples of the default generator, read by faceres of "
    "@vladmandic/human 3.3.6 (MIT), MediaPipe's face landmarker (Apache-2.0), landmark geometry, and a fit to the "
    "human ratings of One Million Impressions (Peterson et al. 2022, doi:10.1073/pnas.2115228119)"
)
LICENCE = (
    "CC BY-NC-SA 4.0, that of One Million Impressions; the generator that it moves was distilled from StyleGAN2-FFHQ, "
    "whose terms are non-commercial"
)
CURVE_PEOPLE = 40  # those on whom all strengths but 1 are measured
ASIDE = {"glasses": -0.3}  # SD that identity adds: strangers tend to have more
RATED = ("weight", "hair_colour")  # read by a fit to human ratings, of another licence than the rest
ENOUGH = 0.46  # change of the linear reading of the embedding; the embedding itself changes half as much again
KEPT_FREE = ("brow_height", "mouth_width")  # a face's own build more than its expression


def write_vector(
    out: Path,
    name: str,
    lab: Lab,
    spec: Spec,
    step: Floats,
    effects: dict[str, float],
    one: CurvePoint,
    known: Direction | None = None,
) -> Direction:
    """NAME.npy and NAME.toml, with what the step does to people: effects [SD] and its curve at strength 1.

    known: the same direction as it was, when it was only measured: where it comes from stays as it is told there.
    """
    np.save(out / f"{name}.npy", step.astype(np.float32))
    target = NAMES.index(spec.attribute)
    direction = Direction(
        name=name,
        file=out / f"{name}.npy",
        space="W",
        region=spec.region,
        sha256=_sha256(out / f"{name}.npy"),
        unit=spec.says,
        range=(float(spec.range[0]), float(spec.range[1])),
        made_for=lab.generator.made_for,
        source=SOURCE.format(samples=len(lab.table.w)),
        licence=LICENCE,
        attribute=spec.attribute,
        amount=spec.amount or round(float(lab.readings.spread[target]), 4),
        measured_in=spec.measured_in,
        held_out_r=round(float(lab.readings.correlation[target]), 3),
        checked_on=lab.checked_on,
        identity_distance=one.identity_distance,
        effects=effects,
        curve=(one,),
    )
    if known:
        told = {key: getattr(known, key) for key in ("source", "licence", "held_out_r")}
        direction = replace(direction, **told)
    direction = with_curve(lab, direction, lab.meter.masked(step, None))
    (out / f"{name}.toml").write_text(tomli_w.dumps(direction.as_toml()))
    return direction


def with_curve(lab: Lab, direction: Direction, moved: Floats) -> Direction:
    """The direction with the ends and halves of its range measured; moved: as of `Meter.moved`."""
    points = {point.strength: point for point in direction.curve}
    for strength in curve_strengths(direction):
        if strength not in points:
            after = lab.meter.moved(moved, strength, CURVE_PEOPLE)
            points[strength] = lab.meter.point(strength, after, direction.attribute)
    return replace(direction, curve=tuple(points[strength] for strength in sorted(points)))


def strip(path: Path, lab: Lab, step: Floats, span: tuple[float, float], people: int = 4) -> None:
    """A sheet of faces at strengths across the range, one person a row; step [num_ws, w_dim]."""
    strengths = np.array([span[0], span[0] / 2, 0.0, span[1] / 4, span[1] / 2, 0.75 * span[1], span[1]])
    sheet = []
    for person in lab.meter.w[:people]:
        sheet.append(np.hstack(render(lab.generator, person + strengths[:, None, None] * step, lab.size)))
    cv2.imwrite(str(path), np.vstack(sheet)[..., ::-1])


def write_identity(out: Path, lab: Lab, persons: int = 256) -> None:
    """identity.npz (people to become, what to keep, what tells people apart) and identity.toml."""
    table = lab.table
    index = {name: NAMES.index(name) for name in NAMES}
    near = np.abs(table.psi - 0.7) < 1e-3
    age = table.values[:, index["age"]]
    glasses = table.values[:, index["glasses"]] / lab.readings.spread[index["glasses"]]
    frontal = np.abs(table.values[:, index["yaw"]]) < 20
    good = near & (age > 16) & (age < 75) & (glasses < np.median(glasses) + 0.7) & frontal
    chosen = np.flatnonzero(good)[:persons]
    held = [i for name, i in index.items() if name not in KEPT_FREE]
    rows = lab.readings.rows[held]
    unrated = [name for name in NAMES if name not in RATED]
    aside = np.array([ASIDE.get(name, 0.0) for name in unrated])
    spread = lab.spread({})
    lead = likeness(spread, rows, lab.embed)
    arrays = {
        "persons": table.w[chosen].astype(np.float16),
        "mean": table.w.mean(axis=0).astype(np.float32),
        "keep": rows.astype(np.float16),
        "embed": lab.embed.astype(np.float16),
        "lead": lead.astype(np.float32),
        "cost": (lead.T @ np.linalg.solve(spread, lead)).astype(np.float32),
        "aside": smallest_step(spread, lab.readings.rows[[index[n] for n in unrated]], aside).astype(np.float32),
        "enough": np.float32(ENOUGH),
    }
    np.savez(out / "identity.npz", **arrays)  # type: ignore[arg-type]
    toml = {
        "name": "identity",
        "kind": "function",
        "space": "W",
        "region": "head",
        "file": "identity.npz",
        "sha256": _sha256(out / "identity.npz"),
        "unit": "strength 1 goes all the way to a person who does not exist, chosen by --seed",
        "range": [-0.5, 1.0],  # at 1.5 one in six is no face any more
        "fidelity": 0.1,  # tuning holds on to the clip's person
        "made_for": "ffhq-1024",
        "source": SOURCE.format(samples=len(table.w)),
        "licence": LICENCE,
    }
    (out / "identity.toml").write_text(tomli_w.dumps(toml))


def measure_identity(out: Path, lab: Lab) -> None:
    """What identity.npz does to people, each toward a person of their own seed, into identity.toml."""
    path = out / "identity.toml"
    table = tomllib.loads(path.read_text())
    told = {key: table[key] for key in ("sha256", "source", "licence")}
    direction = replace(find_direction("identity"), file=out / table["file"], **told)
    steps = person_steps(direction, lab.generator, lab.meter.w[:, 0]).w
    after = lab.meter.moved(steps, 1.0)
    one = lab.meter.point(1.0, after, direction.attribute)
    found = replace(
        direction,
        effects=lab.meter.effects(after),
        identity_distance=one.identity_distance,
        checked_on=lab.checked_on,
        curve=(one,),
    )
    path.write_text(tomli_w.dumps(with_curve(lab, found, steps).as_toml()))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
