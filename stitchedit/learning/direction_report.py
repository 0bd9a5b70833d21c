"""What a direction does, to be looked at: a strip of faces, a table of effects, a calibration curve; PNG and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stitchedit.editing.direction import SIDE_EFFECT, CurvePoint, Direction
from stitchedit.editing.move_latents import check_made_for, in_style_space, load_direction, load_move, load_offset
from stitchedit.files.atomic import make_folder, write_file
from stitchedit.files.image_folder import save_png
from stitchedit.image.contact_sheet import BACKGROUND, INK, contact_sheet
from stitchedit.image.plots import drawing, pixels
from stitchedit.learning.effect_measurement import SAME, Faces, Meter, drawing_size, people
from stitchedit.learning.generator_samples import render
from stitchedit.models.generator import Generator
from stitchedit.types import ByteArray, FloatArray, Latents

if TYPE_CHECKING:
    from matplotlib.figure import SubFigure

IDENTITY = 0.35  # aim: the person's moves no more at strength 1
CELL_PX = 128
PERSONS = 6  # in the strip
LEAST_WIDTH = 1040  # pixels of a sheet
ROW_PX, HEAD_PX, CURVES_PX = 20, 90, 380  # height of an attribute's bar, of what stands around them, of the curves
LINE_LETTERS = 72  # of a panel's title
GOOD, BAD, LINE = "#569cd6", "#dc783c", "#5a5a5a"


def report_direction(
    direction: Direction,
    generator: Generator,
    stem: Path,
    *,
    count: int = 0,
    force: bool = False,
    tick: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Draw STEM.png and write STEM.json; gives what the latter holds.

    Args:
        count: on how many people to measure anew, 200 at most; 0: what the direction's TOML says is shown, the faces
            alone where it says nothing.
        force: also where the direction was made for another generator.
        tick: called after each face that is measured.
    Raises: DirectionError, for a part of an edit; OtherGenerator; NotFetched, when the predictors are missing; what
        loading the vector raises; NotWritable, DiskFull.
    """
    direction.require_whole()
    check_made_for(direction, generator, force)
    make_folder(stem.parent)  # before measuring, which takes minutes
    if count:
        direction = measured(load_direction(direction), generator, count, tick)
    return write_report(direction, generator, stem)


def write_report(direction: Direction, generator: Generator, stem: Path) -> dict[str, Any]:
    """STEM.png and STEM.json of what is known; gives what the latter holds. Raises NotWritable, DiskFull."""
    direction = load_direction(direction)
    save_png(draw(direction, strip(direction, generator)), stem.with_name(f"{stem.name}.png"))
    facts = direction.as_json() | {"missed": missed(direction)}
    text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False)
    write_file(stem.with_name(f"{stem.name}.json"), lambda temp: temp.write_text(text, encoding="utf-8"))
    return facts


class Steps(NamedTuple):
    """What a strength adds to each of N people."""

    w: NDArray[np.float64]  # [N, 1 or num_ws, w_dim]
    styles: FloatArray | None = None  # [1, S] to the styles; None: nothing


def person_steps(direction: Direction, generator: Generator, w: FloatArray, strength: float = 1.0) -> Steps:
    """Of the people w [N, w_dim], for a direction that was read.

    A function's step depends on the person; each has a seed of its own.
    """
    if direction.kind == "function":
        pairs = ((seed, Latents(one[None, None])) for seed, one in enumerate(w))
        return Steps(np.concatenate([load_move(direction, one, generator, strength, seed) for seed, one in pairs]))
    if in_style_space(direction, generator):
        offset = np.asarray(strength * load_offset(direction, generator)[None], np.float32)
        return Steps(np.zeros((len(w), 1, generator.w_dim)), offset)
    step = load_move(direction, Latents(w[:, None]), generator, strength)
    return Steps(np.broadcast_to(step, (len(w), *step.shape[-2:])))


def measured(
    direction: Direction,
    generator: Generator,
    count: int,
    tick: Callable[[], None] | None = None,
    strengths: Sequence[float] = (),
) -> Direction:
    """The direction, which was read, with effects, curve and identity distance as found on people of the fixed seed.

    Args: strengths: at which the curve is measured beside 1; none: see `curve_strengths`.
    """
    from stitchedit.learning.attribute_regressors import WReadings

    meter, w = Meter.of(generator, WReadings.load().spread, count, tick=tick), people(generator, count)

    def moved(strength: float) -> Faces:
        steps = person_steps(direction, generator, w, strength)
        return meter.moved(steps.w, 1.0, styles=steps.styles)

    after = moved(1.0)
    points = {1.0: meter.point(1.0, after, direction.attribute)}
    for strength in strengths or curve_strengths(direction):
        if strength not in points:
            points[strength] = meter.point(strength, moved(strength), direction.attribute)
    return replace(
        direction,
        effects=meter.effects(after),
        identity_distance=points[1.0].identity_distance,
        curve=tuple(points[strength] for strength in sorted(points)),
        checked_on=f"{count} people at {meter.size} px",
    )


def curve_strengths(direction: Direction) -> tuple[float, ...]:
    """Both ends of the range, and half of each; without a range -2 to 2."""
    low, high = direction.range or (-2.0, 2.0)
    return tuple(s for s in (low, low / 2, high / 2, high) if s)


def missed(direction: Direction) -> list[str]:
    """Aims that the direction misses at strength 1, a line each."""
    lines = [
        f"{name} {value:+.2f} SD"
        for name, value in direction.effects.items()
        if name not in (direction.attribute, *SAME.get(direction.attribute, ())) and abs(value) > SIDE_EFFECT
    ]
    distance = direction.identity_distance
    if distance is not None and distance > IDENTITY and direction.name not in ("identity", "gender"):
        lines.append(f"identity distance {distance:.2f}")
    return lines


def strip(direction: Direction, generator: Generator) -> ByteArray:
    """Faces across the range of a direction that was read, a person a row: [H, W, 3]."""
    low, high = direction.range or (-2.0, 2.0)
    strengths = sorted({low, low / 2, 0.0, high / 4, high / 2, 0.75 * high, high})
    w = people(generator, PERSONS)
    moves = [person_steps(direction, generator, w, strength) for strength in strengths]
    offsets = [move.styles for move in moves if move.styles is not None]
    styles = np.concatenate(offsets) if offsets else None
    cells = []
    for person, one in enumerate(w):
        codes = np.stack([one + move.w[person] for move in moves]).astype(np.float32)
        cells.append(list(render(generator, codes, drawing_size(generator), styles)))
    captions = [f"{direction.name} {s:+.3g}" if s else "as they are" for s in strengths]
    return contact_sheet(cells, captions, [""] * len(cells), CELL_PX)


def draw(direction: Direction, faces: ByteArray) -> ByteArray:
    """The strip, and below it the effects and the curves: [H, W, 3]."""
    width = max(faces.shape[1], LEAST_WIDTH)
    padded = np.full((faces.shape[0], width, 3), BACKGROUND, np.uint8)
    padded[:, : faces.shape[1]] = faces
    height = max(CURVES_PX if direction.curve else 0, HEAD_PX + ROW_PX * len(direction.effects))
    ink, ground = (f"#{r:02x}{g:02x}{b:02x}" for r, g, b in (INK, BACKGROUND))
    with drawing((width, height), ink=ink, ground=ground, grid="#3a3a3a") as figure:
        left, right = figure.subfigures(1, 2, squeeze=False)[0]
        _draw_effects(direction, left)
        if direction.curve:
            _draw_curves(direction, right)
        return np.vstack([padded, pixels(figure)])


def _draw_effects(direction: Direction, figure: SubFigure) -> None:
    """A bar an attribute, in SD; orange where a side effect is larger than the aim."""
    about = f"change in SD, {direction.checked_on}" if direction.effects else "not measured"
    if direction.identity_distance is not None:
        about += f"; identity distance {direction.identity_distance:.2f}"
    unit = f"strength 1: {direction.unit.removeprefix('strength 1 is ')}"
    figure.suptitle("\n".join([*wrap(unit, LINE_LETTERS), *wrap(about, LINE_LETTERS)]), x=0.02, ha="left", size=9)
    if not direction.effects:
        return
    axes, names = figure.subplots(), list(direction.effects)
    values = [direction.effects[name] for name in names]
    wrong = [name != direction.attribute and abs(value) > SIDE_EFFECT for name, value in direction.effects.items()]
    bars = axes.barh(names, values, 0.7, color=[BAD if bad else GOOD for bad in wrong])
    axes.bar_label(bars, [f"{value:+.2f}" for value in values], padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.15, y=0.01)
    axes.grid(visible=False, axis="y")
    axes.axvline(0, color=LINE, linewidth=1)


def _draw_curves(direction: Direction, figure: SubFigure) -> None:
    """Change of the attribute, and identity distance, over strength; what was not measured is left out."""
    points = sorted([*direction.curve, CurvePoint(0.0, 0.0, 0.0, None)], key=lambda point: point.strength)
    changes = [(p.strength, p.change) for p in points if p.change is not None]
    away = [(p.strength, p.identity_distance) for p in points if p.identity_distance is not None]
    title = f"{direction.attribute or 'attribute'}, {direction.measured_in or 'units'}"
    plots = [(title, changes, GOOD), ("identity distance", away, BAD)]
    shown = [plot for plot in plots if len(plot[1]) > 1]  # `identity` moves no attribute
    for axes, (name, measured_points, colour) in zip(
        figure.subplots(max(1, len(shown)), squeeze=False)[:, 0], shown, strict=False
    ):
        axes.plot(*zip(*measured_points, strict=True), "o-", color=colour)
        axes.set_title(f"{name}, over strength")
        axes.set_xticks([strength for strength, _ in measured_points])
