"""How good an edited clip is, one pure function a figure. Definitions: docs of each function; none touches a file.

Convention: frames are RGB uint8 [H, W, 3] in source pixels, before video encoding; masks are [H, W] in 0..1. A figure
that cannot be had (an empty mask, a curve that never moves) is NaN, for the caller to count and name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from stitchedit.data import ByteArray, FloatArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a figure means."""

    unit: str
    better: Literal["higher", "lower", "near"]  # near: the closer to the target the better
    target: float | None  # what to reach; None: compare only


METRICS: dict[str, Metric] = {
    "inversion_psnr": Metric("dB inside the mask", "higher", 32.0),
    "identity_distance": Metric("distance of dlib embeddings, output to source", "lower", 0.35),
    "tl_id": Metric("similarity of neighbours, relative to the source's own", "higher", 0.996),
    "tg_id": Metric("similarity of all pairs, relative to the source's own", "higher", 0.985),
    "border_mse": Metric("squared difference of crops in [-1, 1], 3 channels summed", "lower", 0.002),
    "seam_gradient": Metric("step across the mask's edge, relative to the source's own", "near", 1.0),
    "flicker": Metric("flow-warped difference of neighbours, relative to the source's own", "near", 1.0),
    "jitter": Metric("landmark motion above 3 Hz, relative to the source's own", "near", 1.0),
    "expression_correlation": Metric("Pearson's r over time, mean of the curves", "higher", 0.95),
    "nearer_to_truth": Metric("distance to the true edit, relative to doing nothing's", "lower", 0.9),
    "outside_max": Metric("largest grey-level difference outside the mask", "lower", 0.0),
}


def masked_psnr(output: ByteArray, source: ByteArray, mask: FloatArray) -> float:
    """Peak signal-to-noise ratio in dB over the pixels with mask > 0.5: 10 log10(255^2 / MSE). NaN: empty mask."""
    chosen = mask > 0.5
    if not chosen.any():
        return float("nan")
    error = np.mean((output[chosen].astype(np.float64) - source[chosen]) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def outside_difference(output: ByteArray, source: ByteArray, mask: FloatArray) -> tuple[float, float]:
    """Largest and mean absolute difference in grey levels where the mask is exactly 0. NaN: nothing is outside."""
    outside = mask <= 0
    if not outside.any():
        return float("nan"), float("nan")
    step = np.abs(output[outside].astype(np.int16) - source[outside])
    return float(step.max()), float(step.mean())


def identity_distance(output: FloatArray, source: FloatArray) -> Floats:
    """Euclidean distances [N] of the frames' face embeddings [N, 128], frame by frame.

    dlib's embedding: the same person in video stays below 0.42; 0.6 is its authors' line between two persons.
    """
    gaps: Floats = np.linalg.norm(np.asarray(output, np.float64) - np.asarray(source, np.float64), axis=1)
    return gaps


def tl_id(output: FloatArray, source: FloatArray) -> float:
    """Identity kept from frame to frame, relative to the source (1: as steady as the source; higher is better).

    Args: embeddings [N, E] of output and source frames, N >= 2.
    Source: TL-ID of "Stitch it in Time", Tzaban et al. 2022, arXiv:2201.08361: with R = S_output / S_source, S the
        cosine similarities of all pairs, the mean of R's first super-diagonal.
    """
    ratio = _similarity_ratio(output, source)
    return float(np.diagonal(ratio, 1).mean()) if len(ratio) > 1 else float("nan")


def tg_id(output: FloatArray, source: FloatArray) -> float:
    """Identity kept over the whole clip, relative to the source: as `tl_id`, the mean of all off-diagonal entries."""
    ratio = _similarity_ratio(output, source)
    return float(ratio[~np.eye(len(ratio), dtype=bool)].mean()) if len(ratio) > 1 else float("nan")


def border_mse(output: FloatArray, source: FloatArray, ring: FloatArray) -> float:
    """How far a tuned crop is from the source crop in the border ring; the stitching loss's own form.

    Args:
        output, source: crops [H, W, 3] in [-1, 1].
        ring: [H, W] in 0..1.
    Returns: sum of ((output - source) ring)^2 over pixels and channels / sum of ring: three times the mean a channel.
    Source: `masked` of the stitching tuning loss, arXiv:2201.08361.
    """
    area = float(ring.sum())
    if area <= 0:
        return float("nan")
    return float((((output.astype(np.float64) - source) * ring[..., None]) ** 2).sum() / area)


def edge_gradient(picture: ByteArray, mask: FloatArray) -> float:
    """Mean absolute derivative along the normal of the mask's 0.5 contour, in grey levels a pixel. NaN: no contour.

    Points where the contour runs along the picture's own edge do not count.
    """
    soft = cv2.GaussianBlur(np.asarray(mask, np.float32), (0, 0), 1.0)
    contours, _ = cv2.findContours((mask > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    height, width = mask.shape
    points = np.concatenate([c[:, 0] for c in contours]) if contours else np.zeros((0, 2), np.int32)
    x, y = points[:, 0], points[:, 1]
    inner = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    x, y = x[inner], y[inner]
    if not len(x):
        return float("nan")
    normal = np.stack([cv2.Sobel(soft, cv2.CV_32F, 1, 0)[y, x], cv2.Sobel(soft, cv2.CV_32F, 0, 1)[y, x]], 1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    # A contour pixel is the last one inside; the edge lies half a pixel further out, against the mask's slope.
    at = np.stack([x, y], 1) - 0.5 * normal.astype(np.float64)
    values = picture.astype(np.float32)

    def sample(where: Floats) -> FloatArray:
        xs, ys = where[None].astype(np.float32).transpose(2, 0, 1)
        taken: FloatArray = cv2.remap(values, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return taken

    return float(np.abs(sample(at + 0.5 * normal) - sample(at - 0.5 * normal)).mean())


def seam_gradient(output: ByteArray, source: ByteArray, mask: FloatArray) -> float:
    """`edge_gradient` of the output divided by that of the source: 1 is a seam that cannot be told from the source.

    NaN: no contour, or a source without any structure there.
    """
    own = edge_gradient(source, mask)
    return edge_gradient(output, mask) / own if own > 0 else float("nan")


def flicker(
    output: Iterable[ByteArray], source: Iterable[ByteArray], masks: Iterable[FloatArray]
) -> tuple[float, Floats, Floats]:
    """Change from frame to frame that motion does not explain.

    Optical flow (OpenCV DIS, medium preset) is computed on the source and used for both clips: frame t is compared
    with frame t-1 warped onto it, inside the mask of frame t (> 0.5).

    Returns: the output's mean absolute difference divided by the source's (lower is better, 1: as steady as the
        source), and both curves [N - 1] in grey levels; NaN in a curve: the mask of that frame is empty.
    """
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    before: tuple[ByteArray, ByteArray, ByteArray] | None = None
    outputs, sources = [], []
    for out, src, mask in zip(output, source, masks, strict=True):
        grey = cv2.cvtColor(src, cv2.COLOR_RGB2GRAY)
        if before is not None:
            flow = dis.calc(grey, before[2], None)  # where each pixel of t was at t-1
            outputs.append(_warp_difference(out, before[0], flow, mask))
            sources.append(_warp_difference(src, before[1], flow, mask))
        before = (out, src, grey)
    outs, srcs = np.array(outputs, np.float64), np.array(sources, np.float64)
    good = np.isfinite(outs) & np.isfinite(srcs)
    own = float(srcs[good].mean()) if good.any() else 0.0
    return (float(outs[good].mean()) / own if own > 0 else float("nan")), outs, srcs


def jitter(landmarks: FloatArray, rate: float) -> float:
    """RMS in pixels of what landmarks [T, P, 2] move above 3 Hz: themselves minus their own low-pass.

    The low-pass is a fourth-order Butterworth run both ways, over each stretch of frames without NaN that is at least
    8 frames long. NaN: there is none, or the rate is not above 6 Hz.
    """
    points = np.asarray(landmarks, np.float64)
    if rate <= 6:
        return float("nan")
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
    """`jitter` of the output divided by that of the source, over the frames in which both have landmarks."""
    missing = ~(np.isfinite(output) & np.isfinite(source)).all((1, 2))
    output, source = output.copy(), source.copy()
    output[missing] = source[missing] = np.nan
    own = jitter(source, rate)
    return jitter(output, rate) / own if own > 0 else float("nan")


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


def nearer_to_truth(edit_to_truth: FloatArray, source_to_truth: FloatArray) -> float:
    """Mean distance of the edit to the true edit over that of the source: below 1 is better than doing nothing."""
    own = float(np.mean(source_to_truth))
    return float(np.mean(edit_to_truth)) / own if own > 0 else float("nan")


def side_effect(before: FloatArray, after: FloatArray, spread: FloatArray | float) -> Floats | float:
    """Median over samples [N] or [N, K] of an attribute's signed change, in standard deviations `spread` [K].

    The spread is that of the attribute over 2,000 samples of the generator at psi 0.7.
    """
    change = (np.median(np.asarray(after, np.float64) - before, axis=0)) / spread
    return float(change) if np.ndim(change) == 0 else change


def _similarity_ratio(output: FloatArray, source: FloatArray) -> Floats:
    def similarity(embeddings: FloatArray) -> Floats:
        unit = np.asarray(embeddings, np.float64)
        unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
        product: Floats = unit @ unit.T
        return product

    return similarity(output) / similarity(source)


def _warp_difference(frame: ByteArray, before: ByteArray, flow: FloatArray, mask: FloatArray) -> float:
    height, width = flow.shape[:2]
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    at_x, at_y = xs + flow[..., 0], ys + flow[..., 1]
    warped = cv2.remap(before, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = (mask > 0.5) & (at_x >= 0) & (at_x <= width - 1) & (at_y >= 0) & (at_y <= height - 1)
    if not inside.any():
        return float("nan")
    return float(np.abs(frame[inside].astype(np.float32) - warped[inside].astype(np.float32)).mean())
