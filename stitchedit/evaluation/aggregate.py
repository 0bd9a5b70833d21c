"""Measurements of a clip -> figures, each with its worst frame and with what could not be had. No pictures here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stitchedit import metrics
from stitchedit.evaluation.face_readings import Readings
from stitchedit.evaluation.report import Attribute, Figure, Gap, frame_ranges
from stitchedit.faces.appearance import APPEARANCE
from stitchedit.faces.attributes import AGES, PREDICTED, SAMPLE_SD
from stitchedit.faces.expression import EXPRESSION
from stitchedit.faces.landmark_geometry import GEOMETRY
from stitchedit.faces.rulers import readings_of
from stitchedit.metrics import METRICS, Flicker
from stitchedit.types import AskedChange, FloatArray, IntArray

UNITS = {**PREDICTED, **EXPRESSION, **GEOMETRY, **APPEARANCE}
# Least correlation of a curve with itself after H.264. One that moves no more than its reading trembles (a gaze that
# rests, say) has less of it, and says nothing of an edit.
READABLE = 0.9
# What stands beside the mean of the curves: its ceiling, and both over those alone that can be read.
CEILING = ("ceiling", "readable curves", "their ceiling")
# What a direction is meant to change; every other attribute's change is a side effect.
ASKED: Mapping[str, tuple[str, ...]] = {
    "age": AGES,
    "smile": ("smile", "smile_rated", "happy", "mouth_width", "mouth_curve", "mouth_open", "jaw_open"),
    "mouth_open": ("jaw_open", "mouth_open"),
    "eyes_open": ("lids_open", "eyes_open"),
    "yaw": ("yaw", "gaze", "gaze_across"),
    "pitch": ("pitch", "gaze_up"),
    "identity": (),  # another person, who shows just what this one does
}
NO_FACE = "the detector finds no face there"
NO_NUMBER = "the metric gives no number there"
NO_MASK = "the mask holds no pixel or has no edge there"


@dataclass
class Measured:
    """What was measured on one edited clip."""

    frames: IntArray  # [N] source frames that are edited
    rate: float  # frames a second
    starts: IntArray  # [R] rows that follow no neighbour: the first of each run
    directions: tuple[str, ...]
    source: Readings
    edit: Readings
    flicker: Flicker
    truth: Readings | None = None
    ceiling: Readings | None = None  # the source, encoded again
    asked_changes: tuple[AskedChange, ...] = ()  # by how much, where that is known
    retention: Mapping[str, float] = field(default_factory=dict)  # by band, where the edit's codes are there
    rows: dict[str, FloatArray] = field(default_factory=dict)  # a value a row, named as in METRICS
    beside: dict[str, tuple[str, FloatArray]] = field(default_factory=dict)  # the same for what to compare with
    whole: dict[str, float] = field(default_factory=dict)  # figures that are of the clip as a whole already
    why: dict[str, str] = field(default_factory=dict)  # METRICS or attribute -> why there is none

    @property
    def asked(self) -> tuple[str, ...]:
        """Attributes that the edit is meant to change, the one it is named after first."""
        named = [ASKED.get(name, (name,)) for name in self.directions]
        return tuple(dict.fromkeys(a for group in named for a in group if a in UNITS))


def make_figures(measured: Measured) -> tuple[list[Figure], list[Attribute], dict[str, dict[str, FloatArray]]]:
    """All figures of METRICS' own, in its order, and of others that were measured; the attributes; curves to plot."""
    attributes = [_attribute(measured, name) for name in UNITS]
    found = [*_over_time(measured), *_of_attributes(measured, attributes), *_a_frame(measured)]
    by_name = {figure.name: figure for figure in found}
    wanted = [name for name in METRICS.own if METRICS[name].group != "truth" or measured.truth is not None]
    wanted += [name for name in measured.rows if name not in METRICS.own]
    figures = [by_name.get(name) or Figure(name, np.nan, gap=Gap(measured.why[name])) for name in wanted]
    return figures, attributes, _curves(measured)


def _a_frame(measured: Measured) -> list[Figure]:
    """Those that are the mean of a value a frame, or the largest."""
    figures = []
    for name, values in measured.rows.items():
        why = {"identity_distance": NO_FACE}.get(name, NO_MASK if name in METRICS.own else NO_NUMBER)
        known = np.flatnonzero(np.isfinite(values))
        if not len(known):
            figures.append(Figure(name, np.nan, gap=Gap(why)))
            continue
        metric = METRICS[name]
        bad = {"higher": -values, "lower": values, "near": np.abs(values - (metric.target or 0.0))}[metric.better]
        worst = int(known[np.argmax(bad[known])])
        mean = values[known].max() if name.endswith("_max") else values[known].mean()
        beside = {}
        if name in measured.beside:
            label, others = measured.beside[name]
            beside[label] = _mean(others)
        figures.append(
            Figure(
                name,
                measured.whole.get(name, float(mean)),
                (float(values[worst]), int(measured.frames[worst])),
                beside,
                _left_out(measured, np.flatnonzero(~np.isfinite(values)), why),
            )
        )
    return figures


def _over_time(measured: Measured) -> list[Figure]:
    source, edit, flicker = measured.source, measured.edit, measured.flicker
    faceless = _left_out(measured, _faceless(measured), NO_FACE)
    mean, each = _expression(measured, edit)
    ceiling = _ceiling(measured, each)
    landmarks = metrics.jitter_ratio(edit.landmarks, source.landmarks, measured.rate)
    smoothness = "too few frames in a row, or too few a second, to tell motion above 3 Hz"

    def figure(name: str, value: float, gap: Gap | None, why: str, **beside: float) -> Figure:
        return Figure(name, value, None, beside, gap if np.isfinite(value) else Gap(why))

    few = "fewer than two frames show a face"
    return [
        figure("tl_id", metrics.tl_id(edit.embeddings, source.embeddings), faceless, few),
        figure("tg_id", metrics.tg_id(edit.embeddings, source.embeddings), faceless, few),
        _flicker(measured, "flicker", flicker.ratio()),
        _flicker(measured, "flicker_excess", flicker.excess()),
        figure("jitter", landmarks, faceless, smoothness),
        _attribute_jitter(measured, smoothness),
        figure("expression_correlation", mean, faceless, "no curve moves", **ceiling, **each),
    ]


def _ceiling(measured: Measured, each: Mapping[str, float]) -> dict[str, float]:
    """The values of CEILING; without a curve that can be read the first alone."""
    if measured.ceiling is None:
        return {}
    most, at_best = _expression(measured, measured.ceiling)
    read = [name for name, r in at_best.items() if r >= READABLE and np.isfinite(each.get(name, np.nan))]
    of_these = [float(np.mean([found[name] for name in read])) for found in (each, at_best)] if read else []
    return dict(zip(CEILING, [most, *of_these], strict=False))


def _flicker(measured: Measured, name: str, value: float) -> Figure:
    """With the frame that differs from the one before by most more than the source does."""
    if not np.isfinite(value):
        return Figure(name, value, gap=Gap("no two frames follow each other"))
    of_edit, of_source = np.array(measured.flicker.output), np.array(measured.flicker.source)
    known = np.flatnonzero(np.isfinite(of_edit))
    worst = int(known[np.argmax(of_edit[known] - of_source[known])])
    at = of_edit[worst] / of_source[worst] if name == "flicker" else of_edit[worst] - of_source[worst]
    empty = np.setdiff1d(np.flatnonzero(~np.isfinite(of_edit)), measured.starts)
    gap = _left_out(measured, empty, NO_MASK)
    return Figure(name, value, (float(at), int(measured.frames[worst])), gap=gap)


def _attribute_jitter(measured: Measured, why: str) -> Figure:
    """Of the first asked attribute that can be had."""
    for name in measured.asked:
        if name in measured.edit.values:
            value = metrics.jitter_ratio(measured.edit.values[name], measured.source.values[name], measured.rate)
            return Figure("attribute_jitter", value, gap=None if np.isfinite(value) else Gap(why))
    return Figure("attribute_jitter", np.nan, gap=Gap(_no_attribute(measured)))


def _delivered(measured: Measured) -> Figure:
    """Of the first direction that says by how much: the mean over its rulers, and beside it what each of them reads.

    By least squares over the frames: a strength may rise and fall.
    """
    why = measured.why.get("edit_delivered", "no direction of the edit says by how much it moves what it is about")
    for change in measured.asked_changes:
        readings = [name for name in readings_of(change.attribute) if name in measured.edit.values]
        moved = {name: measured.edit.values[name] - measured.source.values[name] for name in readings}
        known = np.isfinite(np.sum(list(moved.values()), axis=0)) if moved else np.zeros(len(change.amounts), bool)
        asked = change.amounts[known].astype(np.float64)
        if not known.any() or not asked.any():
            why = NO_FACE if moved else f"nothing here reads '{change.attribute}'"
            continue
        parts = {name: float((by[known] * asked).sum() / (asked * asked).sum()) for name, by in moved.items()}
        peak = float(asked[np.abs(asked).argmax()])
        beside = {f"asked {change.attribute}, {change.unit}": peak}
        beside |= {f"by {name}": part * peak for name, part in parts.items()}
        gap = _left_out(measured, np.flatnonzero(~known), NO_FACE)
        return Figure("edit_delivered", float(np.mean(list(parts.values()))), None, beside, gap)
    return Figure("edit_delivered", np.nan, gap=Gap(why))


def _retention(measured: Measured) -> Figure:
    known = {name: value for name, value in measured.retention.items() if np.isfinite(value)}
    if not known:
        return Figure("edit_retention", np.nan, gap=Gap(measured.why.get("edit_retention", "nothing changed")))
    return Figure("edit_retention", min(known.values()), None, known)


def _of_attributes(measured: Measured, attributes: Sequence[Attribute]) -> list[Figure]:
    figures = [_delivered(measured), _retention(measured)]
    asked = next((a for a in attributes if a.name in measured.asked[:1] and np.isfinite(a.change)), None)
    if asked is None:
        figures.append(Figure("edit_spread", np.nan, gap=Gap(_no_attribute(measured))))
    else:
        relative = asked.spread / abs(asked.change) if asked.change else np.nan
        gap = None if np.isfinite(relative) else Gap("nothing changed")
        figures.append(Figure("edit_spread", relative, None, {f"change of {asked.name}": asked.change}, gap))
    aside = [a for a in attributes if not a.asked and np.isfinite(a.in_sd)]
    worst = max(aside, key=lambda a: abs(a.in_sd), default=None)
    missing = [f"{name} ({measured.why[name]})" for name in PREDICTED if name in measured.why]
    gap = Gap("left out: " + "; ".join(missing)) if missing else None
    if worst is None:
        figures.append(Figure("side_effect", np.nan, gap=Gap("every attribute that can be had was asked for")))
    else:
        figures.append(Figure("side_effect", abs(worst.in_sd), None, {f"change of {worst.name}": worst.change}, gap))
    if measured.truth is not None:
        figures.append(_to_truth(measured, asked))
    return figures


def _to_truth(measured: Measured, asked: Attribute | None) -> Figure:
    if asked is None or not np.isfinite(asked.truth):
        return Figure("truth_attribute", np.nan, gap=Gap(_no_attribute(measured)))
    whole = abs(asked.truth - asked.source)
    value = abs(asked.edit - asked.truth) / whole if whole > 0 else np.nan
    gap = None if np.isfinite(value) else Gap("the truth clip changes nothing in it")
    beside = {"doing nothing": 1.0, f"{asked.name} of the edit": asked.edit, "of the truth": asked.truth}
    return Figure("truth_attribute", value, None, beside, gap)


def _attribute(measured: Measured, name: str) -> Attribute:
    nothing = np.full(len(measured.frames), np.nan, np.float32)
    source, edit = measured.source.values.get(name, nothing), measured.edit.values.get(name, nothing)
    truth = nothing if measured.truth is None else measured.truth.values.get(name, nothing)
    both = np.isfinite(source) & np.isfinite(edit)
    if np.isfinite(truth).any():
        both &= np.isfinite(truth)
    change, spread = metrics.attribute_change(edit, source)
    return Attribute(
        name,
        UNITS[name],
        name in measured.asked,
        _mean(source[both]),
        _mean(edit[both]),
        spread,
        change / SAMPLE_SD[name],
        _mean(truth[both]),
    )


def _expression(measured: Measured, readings: Readings) -> tuple[float, dict[str, float]]:
    names = [name for name in EXPRESSION if name in readings.values and name in measured.source.values]
    return metrics.expression_correlation(
        {name: readings.values[name] for name in names}, {name: measured.source.values[name] for name in names}
    )


def _curves(measured: Measured) -> dict[str, dict[str, FloatArray]]:
    """Lines over the edited frames, by plot."""
    curves: dict[str, dict[str, FloatArray]] = {
        name: {"inversion" if name.startswith("inversion") else "edit": values}
        for name, values in measured.rows.items()
    }
    for name, (label, values) in measured.beside.items():
        curves[name][label] = values
    curves["flicker"] = {
        "source": np.array(measured.flicker.source, np.float32),
        "edit": np.array(measured.flicker.output, np.float32),
    }
    curves["neighbour_similarity"] = {
        line: metrics.neighbour_similarity(readings.embeddings).astype(np.float32)
        for line, readings in (("source", measured.source), ("edit", measured.edit))
    }
    for name in UNITS:
        lines = {"source": measured.source, "edit": measured.edit, "truth": measured.truth}
        shown_lines = {line: r.values[name] for line, r in lines.items() if r is not None and name in r.values}
        if shown_lines:
            curves[name] = shown_lines
    return curves


def gap_lines(measured: Measured, figures: Sequence[Figure], passed: Sequence[int]) -> list[str]:
    """Every gap once, with the figures that it touches."""
    said: dict[str, list[str]] = {}
    for figure in figures:
        if figure.gap is not None:
            said.setdefault(str(figure.gap), []).append(figure.name)
    for name in PREDICTED:
        if name in measured.why:
            said.setdefault(measured.why[name], []).append(name)
    lines = [f"{', '.join(names)}: {why}" for why, names in said.items()]
    if passed:
        lines.insert(0, f"{len(passed)} frames without a face pass through, not measured: {frame_ranges(passed)}")
    return lines


def _faceless(measured: Measured) -> IntArray:
    return np.union1d(measured.source.missing, measured.edit.missing)


def _left_out(measured: Measured, rows: IntArray, why: str) -> Gap | None:
    return Gap(why, tuple(int(f) for f in measured.frames[rows])) if len(rows) else None


def _no_attribute(measured: Measured) -> str:
    if not measured.asked:
        return "it is not known that the edit is meant to change any attribute"
    first = measured.asked[0]
    return f"{first}: {measured.why.get(first, NO_FACE)}"


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
