from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import crops_of

from stitchedit.batches import Batches
from stitchedit.config import EncodeConfig
from stitchedit.data import Crops
from stitchedit.encode import ENCODERS, optimize, w_prior
from stitchedit.losses import MobileNetPerceptual
from stitchedit.stylegan2 import StyleGAN2

CONFIG = EncodeConfig(steps=60, size=128, prior_weight=1e-3, offset_pull=1.0)


def from_known_codes(generator: StyleGAN2) -> Crops:
    torch.manual_seed(5)
    base = generator.mapping(torch.randn(1, 16))[:, :1]
    w = base + 0.1 * (generator.mapping(torch.randn(4, 16))[:, :1] - base)
    with torch.no_grad():
        images = generator.synthesis(w)
    stack = ((images.permute(0, 2, 3, 1).numpy() + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    return crops_of(list(stack))


def test_the_prior_is_the_distribution_of_w(tiny_generator: StyleGAN2) -> None:
    prior = w_prior(tiny_generator)
    torch.manual_seed(9)
    with torch.no_grad():
        w = tiny_generator.mapping(torch.randn(20000, 16))[:, 0]
    torch.testing.assert_close(prior.mean, w.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(prior.color @ prior.color, w.T.cov(), atol=0.05, rtol=0.1)


@pytest.mark.parametrize("space", ["W", "W+"])
def test_optimize_comes_nearer_than_the_mean_face(tiny_generator: StyleGAN2, space: str) -> None:
    crops = from_known_codes(tiny_generator)
    batches, perceptual = Batches(crops), MobileNetPerceptual()
    tiny_generator.requires_grad_(False)
    latents = optimize(batches, tiny_generator, perceptual, replace(CONFIG, space=space))
    assert latents.ws.shape == (4, 1 if space == "W" else tiny_generator.num_ws, 16)
    assert latents.in_w == (space == "W")
    target = batches.images(range(4), 128)
    with torch.no_grad():
        found = tiny_generator.synthesis(torch.from_numpy(latents.ws))
        mean = tiny_generator.synthesis(tiny_generator.w_avg[None, None].expand(4, 1, -1))
    assert (found - target).square().mean() < 0.3 * (mean - target).square().mean()


def test_optimize_repeats_itself_and_takes_one_frame(tiny_generator: StyleGAN2, tiny_crops: Crops) -> None:
    tiny_generator.requires_grad_(False)
    one = Crops(tiny_crops.frames[:1], tiny_crops.quads[:1], tiny_crops.images[:1], 128)  # type: ignore[index]
    config = replace(CONFIG, steps=3)
    first, second = (ENCODERS["optimize"](Batches(one), tiny_generator, MobileNetPerceptual(), config) for _ in "ab")
    np.testing.assert_array_equal(first.ws, second.ws)
    assert first.ws.shape == (1, tiny_generator.num_ws, 16)
