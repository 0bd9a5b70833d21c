"""Plots by matplotlib: SVG for the page of an evaluation, pixels for sheets of pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stitchedit.types import ByteArray, FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100
COLOURS = {
    "source": "#8a8a8a",
    "edit": "#1668b8",
    "inversion": "#1668b8",
    "truth": "#2b8a3e",
    "doing nothing": "#c2621b",
}
OTHER, TARGET = "#7048a8", "#b3261e"
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 8,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "stitchedit",  # the same plot has the same bytes
    "text.parse_math": False,  # names of files and directions may hold a $
}
INK = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")


@contextmanager
def drawing(
    size: tuple[int, int], *, ink: str = "#666666", ground: str = "white", grid: str = "#e6e6e6"
) -> Iterator[Figure]:
    """An empty figure of (width, height) pixels; it is to be drawn and rendered inside of the `with`."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # that its fonts are listed, once, is nobody's concern
    import matplotlib
    from matplotlib.figure import Figure

    colours = {**dict.fromkeys(INK, ink), "figure.facecolor": ground, "axes.facecolor": ground, "grid.color": grid}
    with matplotlib.rc_context({**STYLE, **colours}):
        yield Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI, layout="constrained")


def pixels(figure: Figure) -> ByteArray:
    """The figure as a picture [H, W, 3]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba(), np.uint8)[..., :3])


def line_chart(frames: IntArray, lines: Mapping[str, FloatArray], target: float | None = None) -> str:
    """An SVG of values over frames.

    Args:
        frames: [N] source frames, ascending.
        lines: name -> [N]; a line is broken where it is NaN.
        target: a dashed line across, where the values come near it.
    """
    from matplotlib.ticker import MaxNLocator

    with drawing((460, 210)) as figure:
        axes = figure.subplots()
        for name, line in lines.items():
            values, colour = np.asarray(line, np.float64), COLOURS.get(name, OTHER)
            axes.plot(frames, values, color=colour, label=name)
            alone = _alone(values)
            axes.plot(frames[alone], values[alone], ".", color=colour)
        if target is not None and _near(target, lines):
            axes.axhline(target, color=TARGET, linestyle="--", linewidth=1, alpha=0.7)
        if not any(np.isfinite(line).any() for line in lines.values()):
            axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid(visible=False, axis="x")
        axes.legend(
            *axes.get_legend_handles_labels(), loc="lower right", bbox_to_anchor=(1, 1), ncols=4, labelcolor="linecolor"
        )
        file = StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return file.getvalue()[file.getvalue().index("<svg") :]


def _alone(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[N] where a value has none before and none after it, so that no line shows it."""
    known: NDArray[np.bool_] = np.pad(np.isfinite(values), 1)
    return known[1:-1] & ~known[:-2] & ~known[2:]


def _near(target: float, lines: Mapping[str, FloatArray]) -> bool:
    """Whether a target is not so far off that it would flatten the lines."""
    values = np.concatenate([np.asarray(line, np.float64) for line in lines.values()])
    values = values[np.isfinite(values)]
    if not len(values):
        return True
    low, high = float(values.min()), float(values.max())
    reach = high - low or 0.5 * max(abs(high), 1.0)
    return low - 2 * reach <= target <= high + 2 * reach
