"""filtered_lrelu on the processor, without zeros and without interleaving.

Of the enlarged picture every up-th sample of an axis is a phase: a picture as large as x, a short convolution of it.
The activation does not mind in which order samples lie, and the way down is a sum of short convolutions of the phases.
So the enlarged picture never exists; its phases are made, activated and used up one by one, over a band of rows at a
time that stays in cache. Features lie channels last, where the processor's depthwise convolution is fastest.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from stitchedit.cuda_ops._spec import FilteredLreluSpec
from stitchedit.cuda_ops.reference import padded

BAND_ELEMENTS = 1 << 20  # of one phase, worked on at a time

# (phase taken, phase given), of rows and of columns -> (first row, first column, taps [fh, fw]): sample j of the phase
# given is the sum of taps times the samples from j + first on of the phase taken.
Phase = tuple[int, int]
Taps = tuple[tuple[float, ...], ...]
Bank = Mapping[tuple[Phase, Phase], tuple[int, int, Taps]]


class Span(NamedTuple):
    """Samples from `start` to before `stop` of an axis; zeros where a picture has none."""

    start: int
    stop: int


@dataclass(frozen=True)
class Stage:
    """One resampling between phases: a bank, or one for rows and one for columns, to be run along x first or last."""

    full: Bank | None
    rows: Bank | None
    columns: Bank | None

    def reach(self, axis: int) -> tuple[int, int]:
        """First and last sample, from j on, that sample j of any phase is made of. axis: 0 of rows, 1 of columns."""
        bank = self.full or (self.rows, self.columns)[axis]
        assert bank is not None
        ends = [((y, x)[axis], (len(taps), len(taps[0]))[axis]) for y, x, taps in bank.values()]
        return min(first for first, _ in ends), max(first + count - 1 for first, count in ends)

    def transposed(self) -> Stage:
        """What carries a gradient back."""
        return Stage(*(None if bank is None else _transposed(bank) for bank in (self.full, self.rows, self.columns)))


def _transposed(bank: Bank) -> Bank:
    return {
        (given, taken): (-y - len(taps) + 1, -x - len(taps[0]) + 1, tuple(row[::-1] for row in taps[::-1]))
        for (taken, given), (y, x, taps) in bank.items()
    }


def fits(x: Tensor, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec) -> bool:
    """Whether this form can do it: the way up separable, the same whole factors in x and y."""
    (ux, uy), (dx, dy) = spec.up, spec.down
    return x.device.type == "cpu" and fu.ndim == 1 and ux == uy > 1 and dx == dy and ux % dx == 0


def run(
    x: Tensor, b: Tensor | None, fu: Tensor, fd: Tensor, spec: FilteredLreluSpec, s: Tensor | None, back: bool
) -> Tensor:
    """The op, or of a gradient s what comes of it: `back` that of the output -> that of x, else its own gradient.

    See `_filtered_lrelu.Runs`; x and s in float32 or float64.
    """
    up, down = _stages(tuple(fu.tolist()), _as_taps(fd), fd.ndim == 1, spec)
    given, out = (down.transposed(), up.transposed()) if back else (up, down)
    many = spec.up[0] // spec.down[0]
    size = x.shape[2:] if back else spec.sizes(x, fu, fd)[1]
    y = x.new_empty(*x.shape[:2], *size).contiguous(memory_format=torch.channels_last)
    steps = 1 if back else many  # phases of y
    last_row, last_column = (-(-n // steps) for n in size)
    low, high = out.reach(1)
    columns = Span(low, last_column + high)
    every = Span(out.reach(0)[0], last_row + out.reach(0)[1])  # rows of a phase, over all bands
    bias = x if b is None else x + b[:, None, None]
    pictures = _Padded(bias, 1, up, every, columns)
    gradient = None if s is None else _Padded(s, many if back else 1, given, every, columns)
    band = max(8, BAND_ELEMENTS // max(1, x.shape[0] * x.shape[1] * (columns.stop - columns.start)))
    for first in range(0, last_row, band):
        here = Span(first, min(last_row, first + band))
        rows = Span(here.start + every.start, here.stop + out.reach(0)[1])
        phases = _activated(pictures.phases(rows), None if gradient is None else gradient.phases(rows), spec)
        for (row, column), part in _gather(out, phases, rows, columns, here, Span(0, last_column)).items():
            to = y[:, :, here.start * steps + row : here.stop * steps : steps, column::steps]
            to.copy_(part[:, :, : to.shape[2], : to.shape[3]])
    return y


def _activated(
    phases: Iterator[tuple[Phase, Tensor]], gradient: Iterator[tuple[Phase, Tensor]] | None, spec: FilteredLreluSpec
) -> Iterator[tuple[Phase, Tensor]]:
    """Phases of up(x + b) times the gain -> activated; or of a gradient, times the activation's slopes."""
    clamp = spec.clamp
    for phase, v in phases:
        if gradient is None:
            v = F.leaky_relu_(v, spec.slope)
            yield phase, v if clamp is None else v.clamp_(-clamp, clamp)
            continue
        same, g = next(gradient)
        assert same == phase
        g = torch.ops.aten.leaky_relu_backward(g, v, spec.slope, False)  # the gain is in the taps
        if clamp is not None:
            low = -clamp / spec.slope if spec.slope else -float("inf")
            least, most = torch.aminmax(v)
            if float(most) >= clamp or float(least) <= low:  # hardly ever
                g.masked_fill_((v >= clamp) | (v <= low), 0)
        yield phase, g


class _Padded:
    """A picture's phases, with the zeros around them that a stage looks at, and what the stage gives of them."""

    def __init__(self, picture: Tensor, many: int, stage: Stage, rows: Span, columns: Span) -> None:
        (above, below), (left, right) = stage.reach(0), stage.reach(1)
        self.stage, self.top, self.columns = stage, rows.start + above, columns
        self.left = columns.start + left
        bottom, end = rows.stop + below, columns.stop + right
        self.parts: dict[Phase, Tensor] = {}
        for row in range(many):
            for column in range(many):
                part = picture[:, :, row::many, column::many].contiguous(memory_format=torch.channels_last)
                pad = (-self.left, end - part.shape[3], -self.top, bottom - part.shape[2])
                self.parts[row, column] = padded(part, pad).contiguous(memory_format=torch.channels_last)

    def phases(self, rows: Span) -> Iterator[tuple[Phase, Tensor]]:
        """What the stage gives of these rows: phase by phase, the rows' phases one after the other."""
        stage = self.stage
        taken = Span(rows.start + stage.reach(0)[0], rows.stop + stage.reach(0)[1])
        parts = {phase: _rows(part, self.top, taken) for phase, part in self.parts.items()}
        if stage.full is not None:
            for given in sorted({given for _, given in stage.full}, key=lambda phase: phase[::-1]):
                yield given, _sum(stage.full, parts, given, taken.start, rows, self.left, self.columns)
            return
        assert stage.rows is not None
        assert stage.columns is not None
        for column in sorted({given[1] for _, given in stage.columns}):
            across = {}
            for row in {phase[0] for phase in parts}:
                line = {(0, phase[1]): part for phase, part in parts.items() if phase[0] == row}
                found = _sum(stage.columns, line, (0, column), taken.start, taken, self.left, self.columns)
                across[row, 0] = found
            for row in sorted({given[0] for _, given in stage.rows}):
                given = (row, 0)
                start = self.columns.start
                yield (row, column), _sum(stage.rows, across, given, taken.start, rows, start, self.columns)


def _gather(
    stage: Stage, phases: Iterator[tuple[Phase, Tensor]], rows: Span, columns: Span, to_rows: Span, to_columns: Span
) -> dict[Phase, Tensor]:
    """Phases of the enlarged picture over rows and columns -> those of the output, as each comes."""
    out: dict[Phase, Tensor] = {}
    if stage.full is not None:
        for phase, v in phases:
            for taken, given in stage.full:
                if taken == phase:
                    one = {(taken, given): stage.full[taken, given]}
                    found = _sum(one, {taken: v}, given, rows.start, to_rows, columns.start, to_columns)
                    out[given] = found if given not in out else out[given].add_(found)
        return out
    assert stage.rows is not None
    assert stage.columns is not None
    last = max(taken[0] for taken, _ in stage.rows)
    down: dict[int, Tensor] = {}  # of one column's phase, by the row's phase given
    for (row, column), v in phases:
        for taken, given in stage.rows:
            if taken[0] == row:
                one = {(taken, given): stage.rows[taken, given]}
                found = _sum(one, {taken: v}, given, rows.start, to_rows, columns.start, columns)
                down[given[0]] = found if given[0] not in down else down[given[0]].add_(found)
        if row < last:
            continue
        for taken, given in stage.columns:
            if taken[1] == column:
                one = {(taken, given): stage.columns[taken, given]}
                for to_row, part in down.items():
                    found = _sum(one, {taken: part}, given, to_rows.start, to_rows, columns.start, to_columns)
                    key = (to_row, given[1])
                    out[key] = found if key not in out else out[key].add_(found)
        down = {}
    return out


def _sum(
    bank: Bank, parts: Mapping[Phase, Tensor], given: Phase, top: int, rows: Span, left: int, columns: Span
) -> Tensor:
    """One phase that a bank gives, over rows and columns, of parts whose first sample is (top, left)."""
    total: Tensor | None = None
    for taken, part in parts.items():
        if (taken, given) not in bank:
            continue
        y, x, taps = bank[taken, given]
        wide = columns.stop - columns.start + len(taps[0]) - 1
        view = _rows(part, top, Span(rows.start + y, rows.stop + y + len(taps) - 1))
        view = view.narrow(3, columns.start + x - left, wide)
        kernel = _kernel(taps, part.dtype).expand(part.shape[1], 1, -1, -1)
        found = F.conv2d(view, kernel, groups=part.shape[1])
        total = found if total is None else total.add_(found)
    assert total is not None
    return total


def _rows(part: Tensor, top: int, rows: Span) -> Tensor:
    return part.narrow(2, rows.start - top, rows.stop - rows.start)


@functools.lru_cache(maxsize=256)
def _kernel(taps: Taps, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):  # kept for callers of both modes
        return torch.tensor(taps, dtype=dtype)


@functools.lru_cache(maxsize=64)
def _stages(fu: tuple[float, ...], fd: Taps, separable: bool, spec: FilteredLreluSpec) -> tuple[Stage, Stage]:
    """From a picture to the phases of the enlarged one, times the gain, and from those to the output's."""
    up, down = spec.up[0], spec.down[0]
    many = up // down
    taps = fu if spec.flip_filter else fu[::-1]
    columns: dict[tuple[Phase, Phase], tuple[int, int, Taps]] = {}
    rows: dict[tuple[Phase, Phase], tuple[int, int, Taps]] = {}
    for phase in range(up):
        for bank, before, is_row in ((columns, spec.pad[0], False), (rows, spec.pad[2], True)):
            k = (before - phase) % up
            own = taps[k::up]
            first = (phase + k - before) // up
            if is_row:
                bank[(0, 0), (phase, 0)] = (first, 0, tuple((tap,) for tap in own) or ((0.0,),))
            else:
                own = tuple(tap * up * up * spec.gain for tap in own)
                bank[(0, 0), (0, phase)] = (0, first, (own or (0.0,),))
    enlarge = Stage(None, rows, columns)
    lines = fd if spec.flip_filter else tuple(line[::-1] for line in fd[::-1])
    pairs = [(p, q, (p - down * q) % up) for p in range(up) for q in range(many)]  # taken, given, first tap
    if separable:
        line = lines[0]
        shrink_columns = {((0, p), (0, q)): (0, (down * q + k - p) // up, _some((line[k::up],))) for p, q, k in pairs}
        shrink_rows = {
            ((p, 0), (q, 0)): ((down * q + k - p) // up, 0, _some(tuple((tap,) for tap in line[k::up])))
            for p, q, k in pairs
        }
        return enlarge, Stage(None, shrink_rows, shrink_columns)
    full = {
        ((py, px), (qy, qx)): (
            (down * qy + ky - py) // up,
            (down * qx + kx - px) // up,
            _some(tuple(line[kx::up] for line in lines[ky::up])),
        )
        for py, qy, ky in pairs
        for px, qx, kx in pairs
    }
    return enlarge, Stage(full, None, None)


def _some(taps: Taps) -> Taps:
    """A filter shorter than the factor has no taps in some phases: one that is 0 in their place."""
    return taps if taps and taps[0] else ((0.0,),)


def _as_taps(f: Tensor) -> Taps:
    return tuple(map(tuple, (f[None] if f.ndim == 1 else f).tolist()))
