import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from stitchedit.config import TuneConfig
from stitchedit.image.arrays import shrink
from stitchedit.inversion import pivotal_tuning
from stitchedit.inversion.crop_batches import Batches
from stitchedit.inversion.pivotal_tuning import _Looks, _Run, tune
from stitchedit.mobilestylegan import MobileStyleGAN
from stitchedit.models.perceptual import MobileNetPerceptual
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.types import Crops, FloatArray, Latents

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
    assert error(tiny_generator, report.pivots, batches) < 0.5 * start
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
    done = tune(
        whole,
        latents,
        batches,
        perceptual,
        CONFIG,
        size=128,
        save=lambda state: saved.append({k: v.clone() for k, v in state.items()}),
    )
    for state in (saved[0], saved[2]):  # before and after the change from coarse to fine
        again = copy.deepcopy(tiny_generator)
        report = tune(again, latents, batches, perceptual, CONFIG, size=128, resume=state)
        assert torch.equal(report.curve, done.curve)
        np.testing.assert_array_equal(report.pivots.ws, done.pivots.ws)
        for name, value in whole.state_dict().items():
            assert torch.equal(again.state_dict()[name], value), name


def test_target_features_that_are_kept_are_those_found_anew(tiny_crops: Crops, monkeypatch: pytest.MonkeyPatch) -> None:
    perceptual, config = MobileNetPerceptual(), TuneConfig(perceptual_size=64)
    targets = [Batches(tiny_crops).images([index], 128) for index in range(3)]
    fresh = [perceptual.features(shrink(target, 64)) for target in targets]
    looked_at: list[int] = []
    monkeypatch.setattr(pivotal_tuning, "KEPT_LOOKS", 2 * sum(map.nbytes // 2 for map in fresh[0]))  # of two frames
    monkeypatch.setattr(
        perceptual,
        "features",
        lambda image: looked_at.append(image.shape[-1]) or type(perceptual).features(perceptual, image),
    )
    looks = _Looks(perceptual, config)
    for _ in range(2):
        for index in (0, 1):
            for kept, found in zip(looks(index, targets[index]), fresh[index], strict=True):
                torch.testing.assert_close(kept, found, rtol=1e-3, atol=1e-6)
    assert looked_at == [64, 64]
    looks(2, targets[2])
    looks(0, targets[0])  # it had to make room
    assert len(looked_at) == 4


def test_pivots_that_move_serve_the_clip_better_and_stay_where_they_are_told_to(
    tiny_generator: StyleGAN2, tiny_crops: Crops, latents: Latents
) -> None:
    batches, still = Batches(tiny_crops), copy.deepcopy(tiny_generator)
    before = latents.ws.copy()
    moved = tune(tiny_generator, latents, batches, MobileNetPerceptual(), replace(CONFIG, lr_codes=0.03), size=128)
    kept = tune(still, latents, batches, MobileNetPerceptual(), replace(CONFIG, lr_codes=0), size=128)
    np.testing.assert_array_equal(kept.pivots.ws, before)
    np.testing.assert_array_equal(latents.ws, before)  # what was handed in is not touched
    assert error(tiny_generator, moved.pivots, batches) < error(still, kept.pivots, batches)


def test_codes_of_frames_that_are_drawn_rarely_hardly_move(
    tiny_generator: StyleGAN2, tiny_crops: Crops, latents: Latents
) -> None:
    config = replace(CONFIG, steps=5, ramp_down=0, lr_codes=0.04)  # each of five frames once
    pivots = tune(tiny_generator, latents, Batches(tiny_crops), MobileNetPerceptual(), config, size=128).pivots
    assert 0 < np.abs(pivots.ws - latents.ws).max() <= 1.01 * 0.04 / 8


def test_frames_that_come_out_badly_are_drawn_more_often_and_no_frame_is_left_out() -> None:
    run = _Run(10)
    drawn = []
    for step in range(210):
        run.step = step
        drawn.append(run.pick(CONFIG, 0))
        run.frame_loss[drawn[-1]] = 1.0 if drawn[-1] == 3 else 0.1
    assert sorted(drawn[:10]) == list(range(10))
    often = np.bincount(drawn[10:], minlength=10)
    assert often[3] > 80
    assert often.min() >= 9


def test_a_plateau_ends_the_level_part(
    tiny_generator: StyleGAN2, tiny_crops: Crops, latents: Latents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stitchedit.inversion.pivotal_tuning.PLATEAU_WINDOW", 5)
    config = replace(CONFIG, steps=30, lr=0.0, lr_codes=0.0, coarse_part=0.0, plateau=0.01)
    report = tune(tiny_generator, latents, Batches(tiny_crops), MobileNetPerceptual(), config, size=128)
    assert report.ended == "plateau at step 10"
    assert len(report.curve) == 10 + round(0.4 * 30)


def test_weights_say_where_it_must_be_right(tiny_generator: StyleGAN2, tiny_crops: Crops, latents: Latents) -> None:
    def left(index: int, size: int) -> FloatArray:
        mask = np.zeros((size, size), np.float32)
        mask[:, : size // 2] = 1
        return mask

    batches = Batches(tiny_crops, left)
    pivots = tune(tiny_generator, latents, batches, MobileNetPerceptual(), CONFIG, size=128).pivots
    with torch.no_grad():
        off = (tiny_generator.synthesis(torch.from_numpy(pivots.ws)) - batches.images(range(5), 128)).square()
    assert off[..., :64].mean() < 0.7 * off[..., 64:].mean()


def test_tuning_in_bfloat16_learns_alike_and_goes_on_bit_for_bit(tiny_crops: Crops) -> None:
    torch.manual_seed(0)
    start = MobileStyleGAN(w_dim=32, z_dim=32, channels=(32, 32, 32, 32, 16), heads={64: "narrow", 128: "styled"})
    ws = start.mapping(torch.randn(5, 32)).detach()[:, :1].numpy().copy()
    config = replace(CONFIG, steps=4, coarse_part=1.0, checkpoint_every=2)
    saved: list[dict[str, torch.Tensor]] = []

    def curve(precision: str, resume: dict[str, torch.Tensor] | None = None) -> torch.Tensor:
        kept = (Latents(ws), Batches(tiny_crops), MobileNetPerceptual(), config)
        told = {"size": 128, "precision": precision, "resume": resume}
        report = tune(
            copy.deepcopy(start), *kept, **told, save=lambda s: saved.append({k: v.clone() for k, v in s.items()})
        )
        return report.curve[:, 0]

    full, low = curve("float32"), curve("bfloat16")
    assert not torch.equal(full, low)
    assert low.tolist() == pytest.approx(full.tolist(), rel=0.02)
    assert torch.equal(curve("bfloat16", saved[2]), low)
