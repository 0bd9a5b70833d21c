"""Line charts as SVG text: what the page of an evaluation shows. Nothing but the standard library and numpy."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

from stitchedit.types import FloatArray, IntArray

WIDTH, HEIGHT = 460, 190
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 10, 24  # margins of the plotted area
COLOURS = {
    "source": "#8a8a8a",
    "edit": "#1668b8",
    "inversion": "#1668b8",
    "truth": "#2b8a3e",
    "doing nothing": "#c2621b",
}


def line_chart(frames: IntArray, lines: Mapping[str, FloatArray], target: float | None = None) -> str:
    """An SVG of values over frames.

    Args:
        frames: [N] source frames, ascending.
        lines: name -> [N]; a line is broken where it is NaN.
        target: a dashed line across, where the values come near it.
    """
    values = np.concatenate([np.asarray(v, np.float64)[np.isfinite(v)] for v in lines.values()])
    if not len(values):
        return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}"><text x="{WIDTH / 2}" y="{HEIGHT / 2}">no values</text></svg>'
    low, high = _span(values, target)
    first, last = int(frames[0]), max(int(frames[-1]), int(frames[0]) + 1)

    def x(frame: float) -> float:
        return LEFT + (frame - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for tick in _ticks(low, high):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 5}" y="{y(tick) + 3.5:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in dict.fromkeys(round(t) for t in np.linspace(first, last, 5)):
        parts.append(f'<text class="tick" x="{x(tick):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{tick}</text>')
    if target is not None and low <= target <= high:
        height = f"{y(target):.1f}"
        parts.append(f'<line class="target" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height}" y2="{height}"/>')
    for name, line in lines.items():
        colour = COLOURS.get(name, "#7048a8")
        for run in _runs(np.asarray(line, np.float64)):
            points = " ".join(f"{x(frames[k]):.1f},{y(line[k]):.1f}" for k in run)
            if len(run) == 1:
                at = points.split(",")
                parts.append(f'<circle cx="{at[0]}" cy="{at[1]}" r="2" fill="{colour}"/>')
            else:
                parts.append(f'<polyline points="{points}" stroke="{colour}"><title>{escape(name)}</title></polyline>')
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(parts)}</svg>'


def legend(lines: Mapping[str, FloatArray]) -> str:
    """The names of the lines in their colours, as HTML."""
    return " ".join(f'<b style="color:{COLOURS.get(n, "#7048a8")}">{escape(n)}</b>' for n in lines)


def _span(values: FloatArray, target: float | None) -> tuple[float, float]:
    """Lowest and highest value to show: all of them, and the target where it is not far off."""
    low, high = float(values.min()), float(values.max())
    reach = high - low or 0.5 * max(abs(high), 1.0)  # a flat line stands in the middle
    if target is not None and low - 2 * reach <= target <= high + 2 * reach:
        low, high = min(low, target), max(high, target)
    margin = 0.06 * (high - low) or reach
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    """Some three to six round numbers."""
    rough = (high - low) / 4
    step = 10.0 ** np.floor(np.log10(rough))
    step *= next(m for m in (1, 2, 5, 10) if m * step >= rough)
    return [float(f"{k * step:.6g}") for k in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def _runs(values: FloatArray) -> list[list[int]]:
    """Stretches of rows without NaN."""
    known = np.flatnonzero(np.isfinite(values))
    return [run.tolist() for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1) if len(run)]
