"""An attribute's direction for any generator of faces, from its own samples: the least change that moves the attribute.

As `scripts/learn_directions.py` does it for the default generator, with fewer people: linear readings of all attributes
in W, the step that moves one, holds the others and changes little outside of the head, tried on people and asked again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from stitchedit.editing.direction import Direction
from stitchedit.errors import ConfigError
from stitchedit.learning.asked_step import Asked, asked_step
from stitchedit.learning.effect_measurement import PEOPLE_SEED, drawing_size
from stitchedit.learning.generator_samples import draw_ws, render
from stitchedit.learning.learn_direction import HARDLY, Output, finish_direction
from stitchedit.learning.linear_regression import ridge, smallest_step
from stitchedit.learning.own_samples import Reader, Samples, draw_samples, read_moved
from stitchedit.learning.picture_change import even, outside_sketch, parts_of, spread_within
from stitchedit.learning.targets import Target, target_of
from stitchedit.learning.unsupervised import sample_w
from stitchedit.models.generator import Generator

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]

TUTOR_SEED = [PEOPLE_SEED, 1]  # people on whom steps are tried
CHANGE_SEED = 2027
FEWEST = 60  # samples
PART_OF = 0.5  # correlation from which a reading counts as part of an attribute of which nothing else is known
FEWEST_STEP = 0.02  # SD: what moves the attribute by less is no direction


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work to put into it."""

    samples: int = 1000  # people who teach
    people: int = 12  # on whom steps are tried
    rounds: int = 1  # of asking again
    changed: int = 8  # people whose pictures' change outside of the head is worked out; 0: not


def learn_attribute(
    name: str,
    reader: Reader,
    generator: Generator,
    output: Output,
    effort: Effort,
    tick: Callable[[], None] = lambda: None,
) -> Direction:
    """Draw people, read them, find the step, bring it to its unit, and write it as a direction.

    Args:
        reader: what is read, and which attribute is to be moved.
        tick: called after each sample.
    Raises: ConfigError, for too few samples, a generator without faces, or an attribute that no step moves.
    """
    if effort.samples < FEWEST:
        raise ConfigError(f"--samples is {effort.samples}", f"give at least {FEWEST}; a good direction takes 1000")
    drawn = draw_samples(generator, reader, effort.samples, tick)
    target = target_of(reader.attribute)
    asked, rows, r = _asked(drawn, reader.attribute, target)
    if r < HARDLY:
        log.warning("'%s' is hardly to be read off w (held-out correlation %.2f)", reader.attribute, r)
    spread = _spread(generator, effort.changed, target.likely)
    tutors = draw_ws(generator, effort.people, TUTOR_SEED)[:, None]

    def step_of(wanted: Floats) -> Floats:
        own = rows[list(asked.taught)].mean(axis=0)
        return smallest_step(spread, np.concatenate([own[None], rows[list(asked.held)]]), wanted)

    def effect_of(step: Floats) -> Floats:
        up, down = (read_moved(generator, reader, (tutors + sign * step).astype(np.float32)) for sign in (1, -1))
        return np.asarray(np.median((up - down) / 2, axis=0) / drawn.spread, np.float64)

    step = asked_step(asked, step_of, effect_of, effort.rounds, _told(drawn.names))
    effect = effect_of(step)
    column = drawn.names.index(reader.attribute)
    amount = float(target.amount or drawn.spread[column])
    goal = amount / float(drawn.spread[column])
    if effect[column] < FEWEST_STEP:
        raise ConfigError(
            f"no step in this generator's W moves '{reader.attribute}' (by {effect[column]:+.2f} SD)",
            "give more --samples, or another attribute",
        )
    scale = goal / effect[column]
    direction = Direction(
        name=name,
        file=output.folder / f"{name}.safetensors",
        made_for=generator.made_for,
        unit=f"strength 1 is {amount:.4g} {target.measured_in or 'of ' + reader.attribute}, half of what lies between "
        "-1 and 1",
        region=target.region,
        source=f"learned by stitchedit from {effort.samples} samples of the generator itself",
        attribute=reader.attribute if reader.label is None else "",
        amount=amount if reader.label is None else 0.0,
        measured_in=target.measured_in if reader.label is None else "",
        held_out_r=round(r, 3),
        effects={other: round(float(scale * value), 3) for other, value in zip(drawn.names, effect, strict=True)},
        checked_on=f"{effort.people} people at {drawing_size(generator)} px, SD over its own samples",
    )
    return finish_direction(direction, scale * step, generator, output)


def _asked(drawn: Samples, attribute: str, target: Target) -> tuple[Asked, Floats, float]:
    """What to ask, the linear readings [K, w_dim] in SD, and the correlation of what is taught."""
    fit = ridge(drawn.w, drawn.values / drawn.spread)
    labels = [name for name in target.labels if name in drawn.names] or [attribute]
    taught = [drawn.names.index(name) for name in labels]
    free = {*target.free, *labels, attribute}
    if target == Target():  # nothing is known of what belongs to it: what goes with it closely
        every = np.atleast_2d(np.corrcoef(drawn.values.T))
        together = every[drawn.names.index(attribute)]
        free |= {name for name, other in zip(drawn.names, together, strict=True) if abs(other) > PART_OF}
    held = [k for k, name in enumerate(drawn.names) if name not in free]
    asked = Asked(taught, held, np.zeros(len(held)), np.clip(fit.correlation[held], 0, 1))
    return asked, fit.rows, float(fit.correlation[taught].mean())


def _spread(generator: Generator, people: int, likely: float) -> Floats:
    """The metric in which a step is least: of W's own covariance, and of what it changes outside of the head."""
    covariance = np.cov(sample_w(generator).T)
    if not people:
        return np.asarray(covariance, np.float64)
    w = draw_ws(generator, people, [CHANGE_SEED])
    parts = [parts_of(picture)["outside"] for picture in render(generator, w, drawing_size(generator))]
    change = outside_sketch(generator, torch.from_numpy(w), parts)
    return spread_within(covariance, even(change), likely) if change.any() else np.asarray(covariance, np.float64)


def _told(names: Sequence[str]) -> Callable[[int, Floats], None]:
    def tell(turn: int, effect: Floats) -> None:
        shown = " ".join(f"{name}{value:+.2f}" for name, value in zip(names, effect, strict=True))
        log.info("round %d: %s", turn, shown)

    return tell
