"""Directions of the user's own: learned from labelled faces or found without labels, written as files that edits take.

Each is NAME.safetensors (the vector), NAME.toml (what it does, for which generator), NAME.png and NAME.json (its
report), and works as `--direction NAME.toml`.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tomli_w
import torch
from numpy.typing import NDArray

from stitchedit.editing.direction import Direction
from stitchedit.editing.direction_catalogue import own_folder
from stitchedit.editing.identity_change import read_arrays
from stitchedit.errors import ConfigError
from stitchedit.files.array_files import save_tensors
from stitchedit.files.atomic import make_folder, write_file
from stitchedit.learning.attribute_regressors import MADE_FOR, WReadings
from stitchedit.learning.direction_report import measured, write_report
from stitchedit.learning.labelled_faces import Labelled
from stitchedit.learning.linear_regression import ridge, smallest_step
from stitchedit.learning.picture_change import outside_change, spread_within
from stitchedit.learning.unsupervised import factorise, pca, sample_w
from stitchedit.models.generator import Generator
from stitchedit.types import FloatArray

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]

IDENTITY = "identity"  # may be held too, softly
SOFTNESS = 300.0  # weight of the identity embedding's change, where it is held
HARDLY = 0.3  # correlation below which a label is hardly to be read off w
WIDE = (-3.0, 3.0)  # strengths at which a direction is measured
FACES_LEFT = 0.9  # share of faces that must stay faces within the range


@dataclass(frozen=True, slots=True)
class Output:
    """Where results go and what is done to them."""

    folder: Path
    layers: tuple[int, int] | None = None  # half-open range of W+ rows that move
    count: int = 0  # people on whom directions are measured; 0: not at all
    tick: Callable[[], None] | None = None  # called after each face that is measured


def learn_labelled(
    name: str,
    labelled: Labelled,
    w: FloatArray,
    generator: Generator,
    output: Output,
    *,
    hold: Sequence[str] = (),
    amount: float | None = None,
    measured_in: str = "",
) -> Direction:
    """The step that moves the label by `amount`, and neither its table's held columns nor `hold`.

    Args:
        w: [N, w_dim] codes of the labelled faces, see `labelled_faces.codes`.
        hold: attributes of `samples.NAMES`, or "identity", for generators with FFHQ's own W.
        amount: change of the label at strength 1; default: one standard deviation of it over these faces.
    Raises: ConfigError, for attributes that cannot be held; NotWritable, DiskFull; and what measuring raises.
    """
    values, label = labelled.values, labelled.names[0]
    scale = np.maximum(values.std(axis=0), 1e-12)
    fit = ridge(w.astype(np.float64), values / scale)
    unit = amount if amount is not None else float(scale[0])
    rows, soft = _held(hold, generator)
    rows = np.concatenate([fit.rows, rows])
    wanted = np.zeros(len(rows))
    wanted[0] = unit / scale[0]
    spread = np.cov(sample_w(generator).T)
    if generator.made_for == MADE_FOR:
        spread = spread_within(spread, outside_change())
    step = smallest_step(spread, rows, wanted, soft, SOFTNESS)
    r = round(float(fit.correlation[0]), 3)
    if r < HARDLY:
        log.warning("'%s' is hardly to be read off w (held-out correlation %.2f): the direction may be noise", label, r)
    words = "half the way from the negative to the positive set" if label == "set" else f"{unit:.4g} of '{label}'"
    if label != "set" and amount is None:
        words = f"one standard deviation of '{label}' over the labelled faces ({unit:.4g})"
    direction = Direction(
        name=name,
        file=output.folder / f"{name}.safetensors",
        made_for=generator.made_for,
        unit=f"strength 1 is {words}, by its linear reading",
        source=f"learned by stitchedit from {len(w)} labelled faces{_held_words([*labelled.names[1:], *hold])}",
        attribute=label,
        amount=unit,
        measured_in=measured_in,
        held_out_r=r,
    )
    return finish_direction(direction, step, generator, output)


def learn_axes(
    name: str, generator: Generator, output: Output, *, components: int = 0, factors: int = 0
) -> list[Direction]:
    """NAME1, NAME2 ..: principal components of W, or closed-form factors of the affine weights.

    Raises: ConfigError, when there are not so many; NotWritable, DiskFull; and what measuring raises.
    """
    w = sample_w(generator)
    if components:
        steps, shares = pca(w, components)
        what, of = "principal component of W", "the variance of W"
    else:
        steps, shares = factorise(generator, w, factors, output.layers or (0, generator.num_ws))
        what, of = "closed-form factor of the affine weights (SeFa)", "their squared weight"
    found = []
    for index, (step, share) in enumerate(zip(steps, shares, strict=True), 1):
        direction = Direction(
            name=f"{name}{index}",
            file=output.folder / f"{name}{index}.safetensors",
            made_for=generator.made_for,
            unit="strength 1 is one standard deviation of w along it",
            source=f"{what} number {index}, {100 * share:.1f} % of {of}",
        )
        found.append(finish_direction(direction, step, generator, output))
    return found


def checked_layers(text: str | None, generator: Generator) -> tuple[int, int] | None:
    """ "0:4" -> (0, 4). Raises ConfigError, when the generator has no such rows."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,3}):(\d{1,3})", text)
    if found is None or not 0 <= int(found[1]) < int(found[2]) <= generator.num_ws:
        raise ConfigError(
            f"--layers {text} are no rows of this generator", f"give FIRST:END between 0:1 and 0:{generator.num_ws}"
        )
    return int(found[1]), int(found[2])


def check_hold(hold: Sequence[str], generator: Generator) -> None:
    """Raises ConfigError, when one of these cannot be held in the generator."""
    _held(hold, generator)


def _held(hold: Sequence[str], generator: Generator) -> tuple[Floats, Floats | None]:
    """Rows [K, w_dim] of the attributes that are held, and those of the identity embedding where it is."""
    empty = np.zeros((0, generator.w_dim))
    if not hold:
        return empty, None
    if generator.made_for != MADE_FOR:
        raise ConfigError(
            f"nothing is known of how w shows {hold[0]} in generator '{generator.made_for}'",
            "hold columns of your own table, which --hold takes too",
        )
    readings = WReadings.load()
    unknown = [name for name in hold if name not in (*readings.names, IDENTITY)]
    if unknown:
        raise ConfigError(
            f"'{unknown[0]}' cannot be held", f"known are columns of the table, {', '.join(readings.names)}, {IDENTITY}"
        )
    rows = [readings.rows[readings.names.index(name)] for name in hold if name != IDENTITY]
    soft = read_arrays(own_folder() / "identity.npz")["embed"].astype(np.float64) if IDENTITY in hold else None
    return np.stack(rows) if rows else empty, soft


def finish_direction(direction: Direction, step: Floats, generator: Generator, output: Output) -> Direction:
    """Writes the vector, measures what it does where that is asked for, writes TOML and report; the direction."""
    make_folder(output.folder)
    tensor = {"direction": torch.from_numpy(step.astype(np.float32))}
    header = {"made_for": generator.made_for, "unit": direction.unit}
    save_tensors(direction.file, tensor, header)
    sha256 = hashlib.sha256(direction.file.read_bytes()).hexdigest()
    space = "W" if output.layers is None else "W+"
    direction = replace(direction, sha256=sha256, space=space, layers=output.layers)
    if output.count:
        direction = _ranged(measured(replace(direction, range=WIDE), generator, output.count, output.tick))
    text = tomli_w.dumps(direction.as_toml())
    toml = direction.file.with_suffix(".toml")
    write_file(toml, lambda temp: temp.write_text(text, encoding="utf-8"))
    write_report(direction, generator, toml.with_suffix(""))
    return direction


def _ranged(direction: Direction) -> Direction:
    """With the widest measured range about zero in which faces stay faces."""
    ends = [0.0, 0.0]
    for side, sign in enumerate((-1, 1)):
        for point in sorted(direction.curve, key=lambda p: abs(p.strength)):
            if sign * point.strength > 0:
                if (point.faces or 0.0) < FACES_LEFT:
                    break
                ends[side] = point.strength
    return replace(direction, range=(ends[0], ends[1]) if ends[0] < ends[1] else None)


def _held_words(names: Sequence[str]) -> str:
    return f"; held: {', '.join(names)}" if names else ""
