"""Looking on while a generator is tuned."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from stitchedit.config import TuneConfig
from stitchedit.inversion.crop_batches import Batches
from stitchedit.inversion.pivotal_tuning import TuneReport, tune
from stitchedit.models.perceptual import MobileNetPerceptual
from stitchedit.pipeline.tuning_view import VIEW_PX, tuning_view
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.types import ByteArray, Crops, Latents

CONFIG = TuneConfig(steps=8, lr=3e-2, coarse_size=64, coarse_part=0.5, checkpoint_every=4, plateau=0)


def test_who_looks_on_changes_no_bit_also_of_a_run_that_is_taken_up_again(
    tiny_generator: StyleGAN2, tiny_crops: Crops, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(2)
    with torch.no_grad():
        latents = Latents(tiny_generator.mapping(torch.randn(5, 16))[:, :1].numpy().copy())
    batches, perceptual = Batches(tiny_crops), MobileNetPerceptual()
    shown: list[ByteArray] = []
    saved: list[dict[str, Tensor]] = []

    def run(looked_at: bool, resume: dict[str, Tensor] | None = None) -> tuple[TuneReport, StyleGAN2]:
        generator = copy.deepcopy(tiny_generator)
        watch = tuning_view(generator, tiny_crops, shown.append, every=0) if looked_at else None
        monkeypatch.setattr("stitchedit.pipeline.tuning_view.PART", torch.inf)  # at every step
        report = tune(
            generator,
            latents,
            batches,
            perceptual,
            CONFIG,
            size=128,
            watch=watch,
            resume=resume,
            save=lambda state: saved.append({k: v.clone() for k, v in state.items()}),
        )
        return report, generator

    alone, tuned = run(False)
    for report, generator in (run(True), run(True, saved[0])):
        assert torch.equal(report.curve, alone.curve)
        np.testing.assert_array_equal(report.pivots.ws, alone.pivots.ws)
        for name, value in tuned.state_dict().items():
            assert torch.equal(generator.state_dict()[name], value), name
    assert len(shown) == 8 + 4
    source, drawn = shown[7][-VIEW_PX - 4 : -4, 4 : 4 + VIEW_PX], shown[7][-VIEW_PX - 4 : -4, -VIEW_PX - 4 : -4]
    first = shown[0][-VIEW_PX - 4 : -4, -VIEW_PX - 4 : -4]
    rows = slice(40, None)  # below what is written on the source
    assert (
        np.abs(source[rows] - drawn[rows].astype(float)).mean()
        < np.abs(source[rows] - first[rows].astype(float)).mean()
    )
    np.testing.assert_array_equal(shown[-1], shown[7])


def test_a_picture_comes_at_the_first_step_and_then_now_and_then(tiny_generator: StyleGAN2, tiny_crops: Crops) -> None:
    shown: list[ByteArray] = []
    watch = tuning_view(tiny_generator, tiny_crops, shown.append)
    codes = list(torch.zeros(5, 1, 16))
    for step in range(1, 4):
        watch(step, codes)
    assert len(shown) == 1
