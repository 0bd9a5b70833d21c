"""What a direction does, to be looked at: a strip of faces, a table of effects, a calibration curve; PNG and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stitchedit.editing.direction import SIDE_EFFECT, CurvePoint, Direction
from stitchedit.editing.move_latents import check_made_for, load_step
from stitchedit.files.atomic import make_folder, write_file
from stitchedit.files.image_folder import save_png
from stitchedit.image.contact_sheet import BACKGROUND, INK, contact_sheet
from stitchedit.learning.effect_measurement import Meter, drawing_size, people
from stitchedit.learning.generator_samples import render
from stitchedit.models.generator import Generator
from stitchedit.types import ByteArray, FloatArray, Latents

IDENTITY = 0.35  # aim: the person's moves no more at strength 1
CELL_PX = 128
PERSONS = 6  # in the strip
ROW_PX, TEXT_PX, PANEL_PX = 22, 14, 520
LINE_LETTERS = 66  # that a panel is wide
GOOD, BAD, LINE = (86, 156, 214), (220, 120, 60), (90, 90, 90)


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
    Raises: OtherGenerator; NotFetched, when the predictors are missing; what loading the vector raises; NotWritable,
        DiskFull.
    """
    check_made_for(direction, generator, force)
    if count:
        steps = person_steps(direction, generator, people(generator, count))
        direction = measured(direction, generator, steps, tick)
    make_folder(stem.parent)
    return write_report(direction, generator, stem)


def write_report(direction: Direction, generator: Generator, stem: Path) -> dict[str, Any]:
    """STEM.png and STEM.json of what is known; gives what the latter holds. Raises NotWritable, DiskFull."""
    steps = person_steps(direction, generator, people(generator, PERSONS))
    save_png(draw(direction, strip(direction, generator, steps)), stem.with_name(f"{stem.name}.png"))
    facts = direction.as_json() | {"missed": missed(direction)}
    text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False)
    write_file(stem.with_name(f"{stem.name}.json"), lambda temp: temp.write_text(text, encoding="utf-8"))
    return facts


def person_steps(direction: Direction, generator: Generator, w: FloatArray) -> NDArray[np.float64]:
    """What strength 1 adds to each of the people w [N, w_dim]: [N, 1 or num_ws, w_dim].

    A function's step depends on the person; each has a seed of its own.
    """
    if direction.kind == "function":
        each = [load_step(direction, Latents(one[None, None]), generator, seed) for seed, one in enumerate(w)]
        return np.stack(each)
    step = load_step(direction, Latents(w[:1, None]), generator)
    return np.broadcast_to(step, (len(w), *step.shape))


def measured(
    direction: Direction, generator: Generator, steps: NDArray[np.float64], tick: Callable[[], None] | None = None
) -> Direction:
    """The direction with effects, curve and identity distance as found on len(steps) people of the fixed seed."""
    from stitchedit.learning.attribute_regressors import WReadings

    meter = Meter.of(generator, WReadings.load().spread, len(steps), tick=tick)
    after = meter.moved(steps, 1.0)
    points = {1.0: meter.point(1.0, after, direction.attribute)}
    for strength in curve_strengths(direction):
        if strength not in points:
            points[strength] = meter.point(strength, meter.moved(steps, strength), direction.attribute)
    return replace(
        direction,
        effects=meter.effects(after),
        identity_distance=points[1.0].identity_distance,
        curve=tuple(points[strength] for strength in sorted(points)),
        checked_on=f"{len(steps)} people at {meter.size} px",
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
        if name != direction.attribute and abs(value) > SIDE_EFFECT
    ]
    distance = direction.identity_distance
    if distance is not None and distance > IDENTITY and direction.name not in ("identity", "gender"):
        lines.append(f"identity distance {distance:.2f}")
    return lines


def strip(direction: Direction, generator: Generator, steps: NDArray[np.float64]) -> ByteArray:
    """Faces across the range, a person a row: [H, W, 3]."""
    low, high = direction.range or (-2.0, 2.0)
    strengths = sorted({low, low / 2, 0.0, high / 4, high / 2, 0.75 * high, high})
    cells = []
    for one, step in zip(people(generator, PERSONS), steps, strict=False):
        codes = one + np.array(strengths)[:, None, None] * step
        cells.append(list(render(generator, codes.astype(np.float32), drawing_size(generator))))
    captions = [f"{direction.name} {s:+.3g}" if s else "as they are" for s in strengths]
    return contact_sheet(cells, captions, [""] * len(cells), CELL_PX)


def draw(direction: Direction, faces: ByteArray) -> ByteArray:
    """The strip, and below it the table of effects and the curve: [H, W, 3]."""
    parts = [Image.fromarray(faces), _table(direction), _curves(direction)]
    width = max(parts[0].width, parts[1].width + parts[2].width)
    sheet = Image.new("RGB", (width, parts[0].height + max(p.height for p in parts[1:])), BACKGROUND)
    sheet.paste(parts[0], (0, 0))
    sheet.paste(parts[1], (0, parts[0].height))
    sheet.paste(parts[2], (parts[1].width, parts[0].height))
    return np.asarray(sheet)


def _table(direction: Direction) -> Image.Image:
    """A bar an attribute, in SD; orange where a side effect is larger than the aim."""
    rows = [*direction.effects.items()]
    about = f"change in SD, {direction.checked_on}" if rows else "not measured"
    if direction.identity_distance is not None:
        about += f"; identity distance {direction.identity_distance:.2f}"
    unit = f"strength 1: {direction.unit.removeprefix('strength 1 is ')}"
    lines = [line for text in (unit, about) for line in wrap(text, LINE_LETTERS)]
    panel, pen, font = _panel(ROW_PX * (len(rows) + len(lines) + 2))
    for index, line in enumerate(lines):
        pen.text((8, 6 + ROW_PX * index), line, INK, font)
    top = 6 + ROW_PX * len(lines)
    middle, scale = 300, 130.0
    reach = max([1.0, *(abs(v) for _, v in rows)])
    for index, (name, value) in enumerate(rows):
        y = top + ROW_PX * index
        wrong = name != direction.attribute and abs(value) > SIDE_EFFECT
        end = middle + scale * value / reach
        pen.rectangle((min(middle, end), y + 3, max(middle, end), y + ROW_PX - 5), BAD if wrong else GOOD)
        pen.text((8, y), name, INK, font)
        pen.text((PANEL_PX - 62, y), f"{value:+.2f}", INK, font)
    if rows:
        pen.line((middle, top, middle, top + ROW_PX * len(rows)), LINE)
    return panel


def _curves(direction: Direction) -> Image.Image:
    """Change of the attribute, and identity distance, over strength; nothing where neither was measured."""
    panel, pen, font = _panel(340 if direction.curve else 1)
    if not direction.curve:
        return panel
    points = [*direction.curve, CurvePoint(0.0, 0.0, 0.0, None)]
    points.sort(key=lambda point: point.strength)
    changes = [(p.strength, p.change) for p in points if p.change is not None]
    away = [(p.strength, p.identity_distance) for p in points if p.identity_distance is not None]
    unit = direction.measured_in or "units"
    if len(changes) > 1:  # `identity` moves no attribute
        _plot(pen, font, (60, 34, PANEL_PX - 20, 170), changes, f"{direction.attribute or 'attribute'}, {unit}", GOOD)
    _plot(pen, font, (60, 210, PANEL_PX - 20, 310), away, "identity distance", BAD)
    return panel


def _plot(
    pen: ImageDraw.ImageDraw,
    font: Any,
    box: tuple[int, int, int, int],
    points: Sequence[tuple[float, float]],
    title: str,
    colour: tuple[int, int, int],
) -> None:
    left, top, right, bottom = box
    pen.text((left, top - 22), f"{title}, over strength", INK, font)
    pen.rectangle(box, outline=LINE)
    if len(points) < 2:
        return
    xs, ys = np.array(points, np.float64).T
    low, high = float(ys.min()), float(max(ys.max(), ys.min() + 1e-6))
    px = left + (xs - xs[0]) / (xs[-1] - xs[0]) * (right - left)
    py = bottom - (ys - low) / (high - low) * (bottom - top)
    pen.line([*zip(px.tolist(), py.tolist(), strict=True)], colour, 2)
    for x, y, strength in zip(px, py, xs, strict=True):
        pen.ellipse((x - 3, y - 3, x + 3, y + 3), colour)
        pen.text((x, bottom + 2), f"{strength:g}", INK, font, anchor="ma")
    pen.text((left - 6, bottom), f"{low:.3g}", INK, font, anchor="rs")
    pen.text((left - 6, top), f"{high:.3g}", INK, font, anchor="rt")


def _panel(height: int) -> tuple[Image.Image, ImageDraw.ImageDraw, Any]:
    panel = Image.new("RGB", (PANEL_PX, height), BACKGROUND)
    return panel, ImageDraw.Draw(panel), ImageFont.load_default(size=TEXT_PX)
