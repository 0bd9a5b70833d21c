"""Figures of one picture against another: what `stitchedit.metrics` gives. Import them from there."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stitchedit.types import ByteArray, FloatArray

Floats = NDArray[np.float64]

MOST_DB = 100.0  # stands for equal pictures, whose ratio has no end


def masked_psnr(output: ByteArray, source: ByteArray, mask: FloatArray) -> float:
    """Peak signal-to-noise ratio in dB over the pixels with mask > 0.5: 10 log10(255^2 / MSE), at most 100.

    NaN: empty mask.
    """
    chosen = mask > 0.5
    if not chosen.any():
        return float("nan")
    error = np.mean((output[chosen].astype(np.float64) - source[chosen]) ** 2)
    return MOST_DB if error == 0 else min(MOST_DB, float(10 * np.log10(255**2 / error)))


def masked_ssim(output: ByteArray, source: ByteArray, mask: FloatArray) -> float:
    """Structural similarity of the luma, mean over the pixels with mask > 0.5; 1 for equal pictures. NaN: empty mask.

    Gaussian window of sigma 1.5 px, constants 0.01 and 0.03.
    Source: Wang et al. 2004, doi:10.1109/TIP.2003.819861.
    """
    chosen = mask > 0.5
    if not chosen.any():
        return float("nan")
    a, b = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(np.float64) for p in (output, source))

    def local(values: Floats) -> Floats:
        mean: Floats = cv2.GaussianBlur(values, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT)
        return mean

    mean_a, mean_b = local(a), local(b)
    var_a, var_b = local(a * a) - mean_a**2, local(b * b) - mean_b**2
    both = local(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    index = (2 * mean_a * mean_b + c1) * (2 * both + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return float(index[chosen].mean())


def outside_difference(output: ByteArray, source: ByteArray, mask: FloatArray) -> tuple[float, float]:
    """Largest and mean absolute difference in grey levels where the mask is exactly 0. NaN: nothing is outside."""
    outside = mask <= 0
    if not outside.any():
        return float("nan"), float("nan")
    step = np.abs(output[outside].astype(np.int16) - source[outside])
    return float(step.max()), float(step.mean())


def border_mse(output: FloatArray, source: FloatArray, ring: FloatArray) -> float:
    """How far a tuned crop is from the source crop in the border ring; the stitching loss's own form.

    Args:
        output, source: crops [H, W, 3] in [-1, 1].
        ring: [H, W] in 0..1.
    Returns: sum of ((output - source) ring)^2 over pixels and channels / sum of ring: three times the mean a channel.
        NaN: empty ring.
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
    at, normal = _contour(mask)
    if not len(at):
        return float("nan")
    values = picture.astype(np.float32)
    return float(np.abs(_sample(values, at + 0.5 * normal) - _sample(values, at - 0.5 * normal)).mean())


def seam_gradient(output: ByteArray, source: ByteArray, mask: FloatArray) -> float:
    """`edge_gradient` of the output divided by that of the source: 1 is a seam that cannot be told from the source.

    NaN: no contour, or a source without any structure there.
    """
    own = edge_gradient(source, mask)
    return edge_gradient(output, mask) / own if own > 0 else float("nan")


def colour_step(output: ByteArray, source: ByteArray, mask: FloatArray, width: float) -> float:
    """What the edit adds to the step of colour between both sides of the border, in CIE Delta E (1976).

    The difference of output and source in L*a*b*, under a Gaussian of half the border's width, is read `width` inside
    and `width` outside of the mask's 0.5 contour; the mean length of the step between them. An edit that is meant to
    change the skin has a step of its own: compare with that of the true edit where there is one. NaN: no contour.

    Args:
        width: of the border in pixels.
    """
    at, normal = _contour(mask)
    if not len(at):
        return float("nan")
    lab = [cv2.cvtColor(p.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for p in (output, source)]
    change = cv2.GaussianBlur(lab[0] - lab[1], (0, 0), max(width / 2, 0.5))
    step = _sample(change, at + width * normal) - _sample(change, at - width * normal)
    return float(np.linalg.norm(step, axis=-1).mean())


def _contour(mask: FloatArray) -> tuple[Floats, Floats]:
    """Points [K, 2] on the mask's 0.5 contour, in whole-pixel indices, and unit normals that point inside."""
    soft = cv2.GaussianBlur(np.asarray(mask, np.float32), (0, 0), 1.0)
    contours, _ = cv2.findContours((mask > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    height, width = mask.shape
    points = np.concatenate([c[:, 0] for c in contours]) if contours else np.zeros((0, 2), np.int32)
    x, y = points[:, 0], points[:, 1]
    inner = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    x, y = x[inner], y[inner]
    slope = np.stack([cv2.Sobel(soft, cv2.CV_32F, 1, 0)[y, x], cv2.Sobel(soft, cv2.CV_32F, 0, 1)[y, x]], 1)
    normal = slope.astype(np.float64) / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    # A contour pixel is the last one inside; the edge lies half a pixel further out, against the mask's slope.
    return np.stack([x, y], 1) - 0.5 * normal, normal


def _sample(values: FloatArray, where: Floats) -> FloatArray:
    """values [H, W, 3] at positions [K, 2] in whole-pixel indices, linearly: [1, K, 3]."""
    xs, ys = where[None].astype(np.float32).transpose(2, 0, 1)
    taken: FloatArray = cv2.remap(values, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return taken
