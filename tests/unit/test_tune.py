import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from stitchedit.batches import Batches
from stitchedit.config import TuneConfig
from stitchedit.data import Crops, FloatArray, Latents
from stitchedit.losses import MobileNetPerceptual
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.tune import tune

CONFIG = TuneConfig(steps=40, lr=1e-2, coarse_size=64, checkpoint_every=10, plateau=0)


@pytest.fixture
def latents(tiny_generator: StyleGAN2) -> Latents:
    torch.manual_seed(2)
    with torch.no_grad():
        return Latents(tiny_generator.mapping(torch.randn(5, 16))[:, :1].numpy().copy())


def error(generator: StyleGAN2, latents: Latents, batches: Batches) -> float:
    with torch.no_grad():
        images = generator.synthesis(torch.from_numpy(latents.ws))
    return float((images - batches.images(range(5), 128)).square().mean())


def test_tuning_reproduces_the_clip_and_leaves_the_mapping(
    tiny_generator: StyleGAN2, tiny_crops: Crops, latents: Latents
) -> None:
    batches, before = Batches(tiny_crops), copy.deepcopy(tiny_generator.state_dict())
    start = error(tiny_generator, latents, batches)
    report = tune(tiny_generator, latents, batches, MobileNetPerceptual(), CONFIG, size=128)
    assert error(tiny_generator, latents, batches) < 0.5 * start
    assert report.curve.shape == (40, 3)
    assert report.ended == "budget"
    after = tiny_generator.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert not any(name.startswith("mapping") or name == "w_avg" for name in changed)


def test_a_run_taken_up_at_a_checkpoint_ends_bit_for_bit_alike(
    tiny_generator: StyleGAN2, tiny_crops: Crops, latents: Latents
) -> None:
    batches, perceptual = Batches(tiny_crops), MobileNetPerceptual()
    saved: list[dict[str, Tensor]] = []
    whole = copy.deepcopy(tiny_generator)
    curve = tune(
        whole,
        latents,
        batches,
        perceptual,
        CONFIG,
        size=128,
        save=lambda state: saved.append({k: v.clone() for k, v in state.items()}),
    ).curve
    for state in (saved[0], saved[2]):  # before and after the change from coarse to fine
        again = copy.deepcopy(tiny_generator)
        report = tune(again, latents, batches, perceptual, CONFIG, size=128, resume=state)
        assert torch.equal(report.curve, curve)
        for name, value in whole.state_dict().items():
            assert torch.equal(again.state_dict()[name], value), name


def test_a_plateau_ends_the_level_part(
    tiny_generator: StyleGAN2, tiny_crops: Crops, latents: Latents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stitchedit.tune.PLATEAU_WINDOW", 5)
    config = replace(CONFIG, steps=30, lr=0.0, coarse_part=0.0, plateau=0.01, frames_per_step=5)
    report = tune(tiny_generator, latents, Batches(tiny_crops), MobileNetPerceptual(), config, size=128)
    assert report.ended == "plateau at step 10"
    assert len(report.curve) == 10 + round(0.4 * 30)


def test_weights_say_where_it_must_be_right(tiny_generator: StyleGAN2, tiny_crops: Crops, latents: Latents) -> None:
    def left(index: int, size: int) -> FloatArray:
        mask = np.zeros((size, size), np.float32)
        mask[:, : size // 2] = 1
        return mask

    batches = Batches(tiny_crops, left)
    tune(tiny_generator, latents, batches, MobileNetPerceptual(), CONFIG, size=128)
    with torch.no_grad():
        off = (tiny_generator.synthesis(torch.from_numpy(latents.ws)) - batches.images(range(5), 128)).square()
    assert off[..., :64].mean() < 0.7 * off[..., 64:].mean()
