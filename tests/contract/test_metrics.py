"""What every metric keeps; a newcomer in `METRICS`, a plug-in too, is tested by itself. Figures open no file."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from stitchedit import metrics
from stitchedit.metrics import METRICS, Metric

RNG = np.random.default_rng(0)
SOURCE = RNG.integers(0, 256, (64, 64, 3), np.uint8)
OUTPUT = np.clip(SOURCE.astype(int) + RNG.integers(-9, 10, SOURCE.shape), 0, 255).astype(np.uint8)
MASK = np.zeros((64, 64), np.float32)
MASK[16:48, 16:48] = 1
MASK[15, 16:48] = 0.5
SIGNED = SOURCE.astype(np.float32) / 127.5 - 1
EMBEDDINGS = RNG.normal(size=(6, 8)).astype(np.float32)
POINTS = RNG.uniform(0, 64, (24, 68, 2)).astype(np.float32)
CURVE = np.sin(np.arange(24)).astype(np.float32)

# The functions that figures are made of, with something to work on.
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "attribute_change": (CURVE + 1, CURVE),
    "border_mse": (SIGNED, -SIGNED, MASK),
    "colour_step": (OUTPUT, SOURCE, MASK, 4.0),
    "edge_gradient": (SOURCE, MASK),
    "expression_correlation": ({"gaze": CURVE}, {"gaze": CURVE}),
    "identity_distance": (EMBEDDINGS, EMBEDDINGS[::-1]),
    "jitter": (POINTS, 24.0),
    "jitter_ratio": (POINTS, POINTS[::-1], 24.0),
    "masked_psnr": (OUTPUT, SOURCE, MASK),
    "masked_ssim": (OUTPUT, SOURCE, MASK),
    "nearer_to_truth": (CURVE + 2, CURVE + 3),
    "neighbour_similarity": (EMBEDDINGS,),
    "outside_change": (SIGNED, MASK),
    "outside_difference": (OUTPUT, SOURCE, MASK),
    "seam_gradient": (OUTPUT, SOURCE, MASK),
    "tg_id": (EMBEDDINGS, EMBEDDINGS[::-1]),
    "tl_id": (EMBEDDINGS, EMBEDDINGS[::-1]),
}
_opened: list[str] | None = None


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened.append(str(arguments[0]))


sys.addaudithook(_listen)


@contextmanager
def no_file_opened() -> Iterator[None]:
    global _opened
    _opened = []
    try:
        yield
        assert _opened == []
    finally:
        _opened = None


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Twice, with the same result, the arguments left alone, and no file opened the second time (imports are over)."""
    copies = [np.copy(a) if isinstance(a, np.ndarray) else a for a in arguments]
    first = function(*arguments)
    with no_file_opened():
        again = function(*arguments)
    np.testing.assert_equal(again, first)
    for argument, copy in zip(arguments, copies, strict=True):
        np.testing.assert_equal(argument, copy)
    return first


@pytest.mark.parametrize("name", METRICS)
class TestMetrics:
    def test_declares_unit_better_way_target_and_noise(self, name: str) -> None:
        metric = METRICS[name]
        assert isinstance(metric, Metric)
        assert metric.group
        assert metric.title
        assert metric.unit
        assert metric.better in ("higher", "lower", "near")
        assert metric.target is None or math.isfinite(metric.target)
        if metric.better == "near":
            assert metric.target is not None, "near what?"
            assert metric.within > 0
            assert metric.reached(metric.target)
        assert metric.noise is None or metric.noise >= 0
        if name in METRICS.own:
            assert metric.noise is not None, "how far two runs differ is measured before a figure is shown"

    def test_of_a_frame_is_a_pure_function(self, name: str) -> None:
        measure = METRICS[name].of_frame
        if measure is not None:
            assert math.isfinite(float(call(measure, OUTPUT, SOURCE, MASK)))
            assert isinstance(float(call(measure, OUTPUT, SOURCE, np.zeros_like(MASK))), float), "an empty mask may be"


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_figures_are_pure_functions(name: str) -> None:
    call(getattr(metrics, name), *FUNCTIONS[name])


def test_every_figure_is_looked_at() -> None:
    functions = {n for n in metrics.__all__ if callable(getattr(metrics, n)) and n[0].islower()}
    assert functions - {"frame_metrics"} == set(FUNCTIONS)
