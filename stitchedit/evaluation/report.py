"""The result of `stitchedit evaluate`, for people and for machines."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from stitchedit.metrics import METRICS, Metric
from stitchedit.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames, or a whole figure, that could not be had."""

    why: str
    frames: tuple[int, ...] = ()  # source frames that are left out; empty: the figure as a whole

    def __str__(self) -> str:
        if not self.frames:
            return self.why
        count = len(self.frames)
        return f"{count} {'frame' if count == 1 else 'frames'} left out ({frame_ranges(self.frames)}): {self.why}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of `METRICS`."""

    name: str
    value: float  # NaN: could not be had; `gap` says why
    worst: tuple[float, int] | None = None  # value and source frame, where there is one a frame
    beside: Mapping[str, float] = field(default_factory=dict)  # what to compare it with
    gap: Gap | None = None

    def __float__(self) -> float:
        return self.value

    @property
    def metric(self) -> Metric:
        return METRICS[self.name]

    @property
    def reached(self) -> bool | None:
        return None if math.isnan(self.value) else self.metric.reached(self.value)


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a face shows, mean over the frames in which every clip shows a face."""

    name: str
    unit: str
    asked: bool
    source: float
    edit: float
    spread: float  # SD over frames of the change
    in_sd: float  # the change in SD of generator samples; NaN: no spread is known
    truth: float = math.nan

    @property
    def change(self) -> float:
        return self.edit - self.source


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All figures of an edited clip."""

    name: str
    edit: Path | None  # None: a project's inversion
    source: Path
    project: Path | None
    truth: Path | None
    asked: tuple[str, ...]  # directions
    embedding: str
    rate: float  # frames a second
    total: int  # frames of the clip
    frames: IntArray  # [N] those that were edited
    figures: Mapping[str, Figure]  # by name, in the order of `METRICS`
    attributes: Sequence[Attribute]
    curves: Mapping[str, Mapping[str, FloatArray]]  # plot -> line -> [N], NaN where there is none
    streams: Mapping[str, Any]  # times and sound of the file beside the source's
    gaps: Sequence[str]  # what could not be had, one line each
    notes: Sequence[str]

    def figure(self, name: str) -> Figure:
        return self.figures[name]

    def worst_frames(self, most: int = 4) -> dict[int, str]:
        """The frames at which the picture is at its worst, with the names of the figures that say so."""
        named: dict[int, list[str]] = {}
        for figure in self.figures.values():
            if figure.worst is not None and figure.metric.group != "untouched":
                named.setdefault(figure.worst[1], []).append(figure.name)
        ranked = sorted(named.items(), key=lambda item: (-len(item[1]), item[0]))[:most]
        return {frame: ", ".join(names) for frame, names in sorted(ranked)}

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "name": self.name,
            "edit": None if self.edit is None else str(self.edit),
            "source": str(self.source),
            "project": None if self.project is None else str(self.project),
            "truth": None if self.truth is None else str(self.truth),
            "asked": list(self.asked),
            "embedding": self.embedding,
            "rate": self.rate,
            "frames": self.total,
            "edited_frames": len(self.frames),
            "figures": {name: _figure_json(figure) for name, figure in self.figures.items()},
            "attributes": {a.name: _attribute_json(a) for a in self.attributes},
            "streams": dict(self.streams),
            "gaps": list(self.gaps),
            "notes": list(self.notes),
            "curve_frames": self.frames.tolist(),
            "curves": {
                plot: {line: [plain(v) for v in values] for line, values in lines.items()}
                for plot, lines in self.curves.items()
            },
        }

    def lines(self) -> list[str]:
        said = [f"{self.name}: {len(self.frames)} of {self.total} frames edited; source {self.source}"]
        for figure in self.figures.values():
            said.append(_row(figure.name, shown(figure.value), _explained(figure)))
        said += [_edit_done(attribute) for attribute in self.attributes if attribute.asked]
        return said + [f"gap: {gap}" for gap in self.gaps] + [f"note: {note}" for note in self.notes]

    def _repr_html_(self) -> str:
        """For notebooks: the figures as a table."""
        rows = [(figure.name, shown(figure.value), _explained(figure)) for figure in self.figures.values()]
        cells = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows)
        head = "<tr><th>figure</th><th>value</th><th>unit, target, worst frame</th></tr>"
        return f"<p>{escape(self.lines()[0])}</p><table>{head}{cells}</table>"


def shown(value: float) -> str:
    """A number to four digits, '-' for NaN."""
    return "-" if math.isnan(value) else f"{value:.4g}"


def frame_ranges(frames: Sequence[int]) -> str:
    """Such as `3-5, 9`."""
    ordered = np.array(sorted(frames), np.int64)
    runs = np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1)
    return ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs if len(r))


def plain(value: float) -> float | None:
    """Five digits, and null for NaN, for JSON."""
    return None if math.isnan(value) else float(f"{value:.5g}")


def _row(name: str, value: str, explained: str) -> str:
    return f"{name:<24}{value:>9}  {explained}"


def _edit_done(attribute: Attribute) -> str:
    """What changed; the range of what is read, such as 0..80, says nothing of a change."""
    unit = re.sub(r",? \(?0\.\.\d+\)?(?=,|$)", "", attribute.unit)
    if math.isnan(attribute.change):
        return _row(f"edit done: {attribute.name}", "-", unit)
    change = f"{attribute.change:+.3g}"
    return _row(f"edit done: {attribute.name}", change, f"{unit}; SD over time {shown(attribute.spread)}")


def _explained(figure: Figure) -> str:
    metric = figure.metric
    parts = [metric.unit]
    if metric.target is not None:
        verdict = {True: "reached", False: "missed", None: "not measured"}[figure.reached]
        parts.append(f"target {goal(metric)}: {verdict}")
    parts += [f"{name} {shown(value)}" for name, value in figure.beside.items()]
    if figure.worst is not None:
        parts.append(f"worst {shown(figure.worst[0])} at frame {figure.worst[1]}")
    return "; ".join(parts)


def goal(metric: Metric) -> str:
    """The target in words; empty where there is none."""
    if metric.target is None:
        return ""
    if metric.better == "near":
        return f"{metric.target:g} ± {metric.within:g}"
    return f"{'at least' if metric.better == 'higher' else 'at most'} {metric.target:g}"


def _figure_json(figure: Figure) -> dict[str, Any]:
    metric = figure.metric
    found: dict[str, Any] = {
        "value": plain(figure.value),
        "unit": metric.unit,
        "better": metric.better,
        "target": metric.target,
        "within": metric.within,
        "noise": metric.noise,
        "reached": figure.reached,
    }
    if figure.worst is not None:
        found["worst"] = {"value": plain(figure.worst[0]), "frame": figure.worst[1]}
    if figure.beside:
        found["beside"] = {name: plain(value) for name, value in figure.beside.items()}
    if figure.gap is not None:
        frames = figure.gap.frames
        found["gap"] = {"why": figure.gap.why, "count": len(frames), "frames": list(frames)}
    return found


def _attribute_json(attribute: Attribute) -> dict[str, Any]:
    return {
        "unit": attribute.unit,
        "asked": attribute.asked,
        "source": plain(attribute.source),
        "edit": plain(attribute.edit),
        "change": plain(attribute.change),
        "spread": plain(attribute.spread),
        "change_in_sd": plain(attribute.in_sd),
        "truth": plain(attribute.truth),
        "error_to_truth": plain(attribute.edit - attribute.truth),
        "error_of_doing_nothing": plain(attribute.source - attribute.truth),
    }
