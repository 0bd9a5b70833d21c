"""The time line of a clip: thumbnails, a curve for each direction, and what of the clip an edit leaves alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stitchedit.image.contact_sheet import BACKGROUND, INK
from stitchedit.pipeline.inversion import Inversion
from stitchedit.studio.setting import Setting
from stitchedit.types import ByteArray

WIDTH, STRIP_PX, CURVES_PX, TEXT_PX = 1200, 72, 120, 30
COLOURS = ((90, 170, 255), (255, 170, 70), (120, 220, 120), (240, 120, 200), (200, 200, 90), (150, 140, 255))
NO_FACE, FADED, CUT, NOW = (70, 70, 70), (110, 75, 30), (230, 80, 80), (255, 255, 255)


class Curve(NamedTuple):
    """A direction over the clip."""

    label: str
    values: Sequence[float]  # [T] in its own units
    keys: Sequence[int]  # frames


def frame_at(x: float, count: int) -> int:
    """The frame under a place of the picture, in its pixels."""
    return int(np.clip(x / WIDTH * count, 0, count - 1))


def draw_timeline(clip: Inversion, setting: Setting, curves: Sequence[Curve]) -> ByteArray:
    """uint8 RGB [STRIP_PX + CURVES_PX + TEXT_PX, WIDTH, 3]."""
    count = len(clip.tracks.state)
    sheet = Image.new("RGB", (WIDTH, STRIP_PX + CURVES_PX + TEXT_PX), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    _strip(clip, sheet)
    top, bottom = STRIP_PX, STRIP_PX + CURVES_PX
    for run in clip.untouched:
        colour = NO_FACE if run.why == "no face" else FADED
        draw.rectangle((_x(run.first, count), top, _x(run.last + 1, count), bottom), fill=colour)
    for cut in clip.tracks.cuts:
        draw.line((_x(int(cut), count), 0, _x(int(cut), count), bottom), fill=CUT, width=2)
    font = ImageFont.load_default(size=TEXT_PX * 0.65)
    place = 6.0
    for number, curve in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        _draw_curve(draw, curve, colour, (top + 6, bottom - 6))
        draw.text((place, bottom + TEXT_PX / 2), curve.label, colour, font, anchor="lm")
        place += draw.textlength(curve.label, font) + 18
    now = _x(setting.frame + 0.5, count)
    draw.line((now, 0, now, bottom), fill=NOW, width=1)
    if not curves:
        draw.text((WIDTH / 2, (top + bottom) / 2), "no direction is set", INK, font, anchor="mm")
    return np.asarray(sheet)


def _strip(clip: Inversion, sheet: Image.Image) -> None:
    """Crops side by side, each at its time; gaps where no face is."""
    places = WIDTH // STRIP_PX
    for place in range(places):
        frame = int((place + 0.5) * len(clip.tracks.state) / places)
        index = clip.crops.of_frame(frame)
        if index is not None:
            picture = Image.fromarray(clip.crops.images[index])
            width = WIDTH / places
            sheet.paste(
                picture.resize((round(width) - 2, STRIP_PX - 2), Image.Resampling.BOX), (round(place * width), 0)
            )


def _draw_curve(
    draw: ImageDraw.ImageDraw, curve: Curve, colour: tuple[int, int, int], rows: tuple[float, float]
) -> None:
    """Scaled so that its largest value, or 0 and that, fill the rows."""
    values = np.asarray(curve.values, np.float64)
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    y = rows[1] - (values - low) / max(high - low, 1e-9) * (rows[1] - rows[0])
    points = [(_x(frame + 0.5, len(values)), float(y[frame])) for frame in range(len(values))]
    draw.line(points if len(points) > 1 else [(0, points[0][1]), (WIDTH, points[0][1])], fill=colour, width=2)
    for frame in (frame for frame in curve.keys if frame < len(values)):
        x, level = points[frame]
        draw.ellipse((x - 4, level - 4, x + 4, level + 4), fill=colour)


def _x(frame: float, count: int) -> float:
    return frame / count * WIDTH
