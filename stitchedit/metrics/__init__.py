"""How good an edited clip is, one pure function a figure. Definitions: docs of each function; none touches a file.

Convention: frames are RGB uint8 [H, W, 3] in source pixels, before video encoding; masks are [H, W] in 0..1. A figure
that cannot be had (an empty mask, a curve that never moves) is NaN, for the caller to count and name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from stitchedit.errors import ConfigError
from stitchedit.metrics.identity import identity_distance, neighbour_similarity, tg_id, tl_id
from stitchedit.metrics.image import (
    border_mse,
    colour_step,
    edge_gradient,
    masked_psnr,
    masked_ssim,
    outside_difference,
    seam_gradient,
)
from stitchedit.metrics.retention import BANDS, Retention, outside_change
from stitchedit.metrics.temporal import (
    Flicker,
    attribute_change,
    expression_correlation,
    jitter,
    jitter_ratio,
    nearer_to_truth,
)
from stitchedit.registry import Registry
from stitchedit.types import ByteArray, FloatArray

__all__ = [
    "BANDS",
    "METRICS",
    "Flicker",
    "FrameMetric",
    "Metric",
    "Retention",
    "attribute_change",
    "border_mse",
    "colour_step",
    "edge_gradient",
    "expression_correlation",
    "frame_metrics",
    "identity_distance",
    "jitter",
    "jitter_ratio",
    "masked_psnr",
    "masked_ssim",
    "nearer_to_truth",
    "neighbour_similarity",
    "outside_change",
    "outside_difference",
    "seam_gradient",
    "tg_id",
    "tl_id",
]


class FrameMetric(Protocol):
    """Measures one frame of an edit beside its source: what a metric of another package is made of.

    A pure function: RGB uint8 [H, W, 3] of the edit before encoding and of the source, and the mask float32 [H, W] in
    0..1 (above 0.5 inside, 0 where nothing may change) -> the value, NaN where there is none. The figure of a clip is
    the mean over its edited frames.
    """

    def __call__(self, output: ByteArray, source: ByteArray, mask: FloatArray, /) -> float: ...


@dataclass(frozen=True, slots=True)
class Metric:
    """What a figure means, and, where a frame alone gives it, how it is measured."""

    group: str
    title: str
    unit: str
    better: Literal["higher", "lower", "near"]  # near: the closer to the target the better
    target: float | None = None  # what to reach; None: compare only
    within: float = 0.0  # of a target to be near: how far off still counts as reached
    noise: float | None = None  # a smaller difference means nothing; None: not known
    of_frame: FrameMetric | None = None  # what measures a frame; None: `stitchedit.evaluation` does, from more than one

    def reached(self, value: float) -> bool | None:
        """Whether a value is as good as the target; None where there is no target."""
        if self.target is None:
            return None
        if self.better == "near":
            return abs(value - self.target) <= self.within
        return value >= self.target if self.better == "higher" else value <= self.target


_OF_SOURCE = "times the source's own"

# What two seeds of `balanced` differ by: the most seen on the first 12 frames of a real and of a rendered clip (the
# three of what was asked and made: of `fast` on the real clip alone).
_NOISE = {
    "inversion_psnr": 0.22,
    "inversion_ssim": 0.0011,
    "inversion_perceptual": 0.0012,
    "identity_distance": 0.007,
    "tl_id": 0.0005,
    "tg_id": 0.0007,
    "border_mse": 0.0001,
    "seam_gradient": 0.01,
    "colour_step": 0.11,
    "flicker": 0.006,
    "flicker_excess": 0.012,
    "jitter": 0.14,
    "attribute_jitter": 0.9,
    "edit_delivered": 0.025,
    "edit_retention": 0.041,
    "outside_change": 0.16,
    "edit_spread": 0.34,
    "side_effect": 0.021,
    "expression_correlation": 0.15,
    "outside_max": 0.0,
    "outside_mean": 0.0,
    "encoded_outside_max": 8.0,
    "encoded_outside_mean": 0.05,
    "nearer_to_truth": 0.011,
    "truth_perceptual": 0.0034,
    "truth_psnr": 0.11,
    "truth_attribute": 2.3,
}

_OWN = {
    "inversion_psnr": Metric("inversion", "PSNR inside the mask", "dB", "higher", 32.0),
    "inversion_ssim": Metric("inversion", "SSIM inside the mask", "0..1", "higher"),
    "inversion_perceptual": Metric("inversion", "perceptual distance inside the mask", "mbv2-perceptual", "lower"),
    "identity_distance": Metric("identity", "distance to the source", "distance of embeddings", "lower", 0.35),
    "tl_id": Metric("identity", "TL-ID: neighbouring frames", _OF_SOURCE, "higher", 0.996),
    "tg_id": Metric("identity", "TG-ID: all pairs of frames", _OF_SOURCE, "higher", 0.985),
    "border_mse": Metric("seam", "border MSE of the stitched crop", "[-1, 1], channels summed", "lower", 0.002),
    "seam_gradient": Metric("seam", "gradient across the mask's edge", _OF_SOURCE, "near", 1.0, within=0.1),
    "colour_step": Metric("seam", "added colour step, inside to outside", "CIE Delta E", "lower"),
    "flicker": Metric("steadiness", "flow-warped difference of neighbours", _OF_SOURCE, "near", 1.0, within=0.05),
    "flicker_excess": Metric("steadiness", "the same, minus the source's", "grey levels", "lower"),
    "jitter": Metric("steadiness", "landmark motion above 3 Hz", _OF_SOURCE, "near", 1.0, within=0.1),
    "attribute_jitter": Metric("steadiness", "edited attribute above 3 Hz", _OF_SOURCE, "near", 1.0, within=0.1),
    "edit_delivered": Metric("edit", "change of what was asked for", "of what was asked", "near", 1.0, within=0.2),
    "edit_retention": Metric("edit", "the generator's change that arrives", "least of three bands", "higher", 0.7),
    "outside_change": Metric("edit", "change that has to be hidden", "grey levels, outside the mask", "lower"),
    "edit_spread": Metric("edit", "unevenness of the edit over time", "SD over frames / mean change", "lower"),
    "side_effect": Metric("edit", "largest change not asked for", "SD of generator samples", "lower"),
    "expression_correlation": Metric("expression", "mean of the curves", "Pearson's r over time", "higher", 0.95),
    "outside_max": Metric("untouched", "largest difference outside the mask", "grey levels", "lower", 0.0),
    "outside_mean": Metric("untouched", "mean difference outside the mask", "grey levels", "lower", 0.0),
    "encoded_outside_max": Metric("untouched", "largest, as the file was encoded", "grey levels", "lower"),
    "encoded_outside_mean": Metric("untouched", "mean, as the file was encoded", "grey levels", "lower"),
    "nearer_to_truth": Metric("truth", "perceptual distance to the true edit", "times doing nothing's", "lower", 0.9),
    "truth_perceptual": Metric("truth", "the distance itself", "mbv2-perceptual", "lower"),
    "truth_psnr": Metric("truth", "PSNR to the true edit inside the mask", "dB", "higher"),
    "truth_attribute": Metric("truth", "error of the asked attribute", "of the true change", "lower"),
}
METRICS: Registry[Metric] = Registry(
    "metric",
    "metrics",
    {name: replace(metric, noise=_NOISE[name]) for name, metric in _OWN.items()},
    holds="stitchedit.metrics:Metric",
)


def frame_metrics(names: Sequence[str]) -> dict[str, FrameMetric]:
    """What measures a frame, for names of metrics that are not measured anyway.

    Raises: ConfigError, for a name that cannot be had, or a metric that brings no function of a frame.
    """
    found: dict[str, FrameMetric] = {}
    for name in [*METRICS.own, *names]:  # a name that is brought twice is refused before the work
        function = METRICS[name].of_frame
        if function is None and name in METRICS.own:
            continue
        if function is None:
            raise ConfigError(
                f"metric '{name}' of package {METRICS.origin(name)} measures nothing", "it has no of_frame"
            )
        found[name] = METRICS.guarded(name, function)
    return found
