"""Figures of a clip over time: what `stitchedit.metrics` gives. Import them from there."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from stitchedit.image.optical_flow import dense_flow, places_along, sample
from stitchedit.types import ByteArray, FloatArray

Floats = NDArray[np.float64]


class Flicker:
    """Change from frame to frame that motion does not explain, of a clip and of its source; frame by frame.

    Optical flow (OpenCV DIS, medium preset) is computed on the source and used for both clips: frame t is compared
    with frame t-1 warped onto it, inside the mask of frame t (> 0.5). Mean absolute difference in grey levels.
    """

    def __init__(self) -> None:
        self.output: list[float] = []  # a frame each; NaN for the first of a stretch and where the mask is empty
        self.source: list[float] = []
        self._before: tuple[ByteArray, ByteArray, ByteArray] | None = None

    def cut(self) -> None:
        """The next frame does not follow the last one: it is not compared."""
        self._before = None

    def add(self, output: ByteArray, source: ByteArray, mask: FloatArray) -> None:
        """The next frame [H, W, 3] of both, and its mask [H, W]."""
        grey = cv2.cvtColor(source, cv2.COLOR_RGB2GRAY)
        of_output = of_source = float("nan")
        if self._before is not None:
            places = places_along(dense_flow(grey, self._before[2]))  # where each pixel of t was at t-1
            of_output = _warp_difference(output, self._before[0], places, mask)
            of_source = _warp_difference(source, self._before[1], places, mask)
        self.output.append(of_output)
        self.source.append(of_source)
        self._before = (output, source, grey)

    def ratio(self) -> float:
        """The output's mean over the source's: 1 is as steady as the source. NaN: nothing to compare."""
        outs, srcs = self._pairs()
        return float(outs.mean() / srcs.mean()) if len(srcs) and srcs.mean() > 0 else float("nan")

    def excess(self) -> float:
        """The output's mean minus the source's, in grey levels. NaN: nothing to compare."""
        outs, srcs = self._pairs()
        return float(outs.mean() - srcs.mean()) if len(srcs) else float("nan")

    def _pairs(self) -> tuple[Floats, Floats]:
        outs, srcs = np.array(self.output, np.float64), np.array(self.source, np.float64)
        good = np.isfinite(outs) & np.isfinite(srcs)
        return outs[good], srcs[good]


def jitter(values: FloatArray, rate: float) -> float:
    """RMS of what moves above 3 Hz: the values minus their own low-pass.

    The low-pass is a fourth-order Butterworth run both ways, over each stretch of frames without NaN that is at least
    8 frames long. NaN: there is none, or the rate is not above 6 Hz.

    Args:
        values: landmarks [T, P, 2] in pixels (result: pixels, mean over points), or a curve [T] in any unit.
        rate: frames a second.
    """
    points = np.asarray(values, np.float64)
    points = points.reshape(len(points), -1, points.shape[-1] if points.ndim > 1 else 1)
    if rate <= 6:
        return float("nan")
    from scipy.signal import butter, sosfiltfilt  # a second and a half to load

    sections = butter(4, 3.0, fs=rate, output="sos")
    seen = np.isfinite(points).all((1, 2))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], seen.astype(np.int8), [0]])))
    rests = []
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        if end - first >= 8:
            part = points[first:end]
            rests.append(part - sosfiltfilt(sections, part, axis=0, padlen=min(15, end - first - 1)))
    return float(np.sqrt((np.concatenate(rests) ** 2).sum(-1).mean())) if rests else float("nan")


def jitter_ratio(output: FloatArray, source: FloatArray, rate: float) -> float:
    """`jitter` of the output divided by that of the source, over the frames in which both have values.

    NaN: as `jitter`, or for a source that does not move.
    """
    output, source = np.array(output, np.float64), np.array(source, np.float64)
    missing = ~(np.isfinite(output) & np.isfinite(source)).reshape(len(output), -1).all(1)
    output[missing] = source[missing] = np.nan
    own = jitter(source, rate)
    rounding = 1e-6 * float(np.nanmax(np.abs(source), initial=0.0))
    return jitter(output, rate) / own if own > rounding else float("nan")


def expression_correlation(
    output: Mapping[str, FloatArray], source: Mapping[str, FloatArray]
) -> tuple[float, dict[str, float]]:
    """Pearson's r over time between curves of the same name [N] (mouth opening, gaze, smile score, ...).

    Returns: the mean over the curves that have one, and r of each; NaN for a curve that never moves. Frames in which
        either curve is NaN do not count.
    """
    each: dict[str, float] = {}
    for name in source:
        a, b = np.asarray(output[name], np.float64), np.asarray(source[name], np.float64)
        good = np.isfinite(a) & np.isfinite(b)
        a, b = a[good], b[good]
        moves = len(a) > 2 and a.std() > 1e-9 and b.std() > 1e-9
        each[name] = float(np.corrcoef(a, b)[0, 1]) if moves else float("nan")
    known = [r for r in each.values() if np.isfinite(r)]
    return (float(np.mean(known)) if known else float("nan")), each


def attribute_change(output: FloatArray, source: FloatArray) -> tuple[float, float]:
    """Mean and standard deviation over time of what an attribute [N] changed by; NaN frames do not count.

    The first is the edit that was done (or its side effect), the second how unevenly it was done.
    """
    change = np.asarray(output, np.float64) - source
    change = change[np.isfinite(change)]
    return (float(change.mean()), float(change.std())) if len(change) else (float("nan"), float("nan"))


def nearer_to_truth(edit_to_truth: FloatArray, source_to_truth: FloatArray) -> float:
    """Mean distance of the edit to the true edit over that of the source: below 1 is better than doing nothing."""
    own = float(np.nanmean(source_to_truth))
    return float(np.nanmean(edit_to_truth)) / own if own > 0 else float("nan")


def _warp_difference(frame: ByteArray, before: ByteArray, places: FloatArray, mask: FloatArray) -> float:
    height, width = places.shape[:2]
    warped = sample(before, places, "repeat")
    last = np.array([width - 1, height - 1], np.float32)
    inside = (mask > 0.5) & ((places >= 0) & (places <= last)).all(-1)
    if not inside.any():
        return float("nan")
    return float(np.abs(frame[inside].astype(np.float32) - warped[inside].astype(np.float32)).mean())
