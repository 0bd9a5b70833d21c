"""What every encoder keeps; a newcomer in `ENCODERS`, a plug-in too, is tested by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stitchedit.config import SPACES, EncodeConfig
from stitchedit.errors import ConfigError
from stitchedit.inversion.crop_batches import Batches
from stitchedit.inversion.encoder import Encoder
from stitchedit.inversion.encoder_registry import ENCODERS, encoder
from stitchedit.mobilestylegan import MobileStyleGAN
from stitchedit.models.generator import Generator
from stitchedit.models.perceptual import MobileNetPerceptual
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.types import Crops

CPU = torch.device("cpu")


def default_like() -> MobileStyleGAN:
    """Small, with the W of the default generator, which a bundled network may ask for."""
    torch.manual_seed(0)
    return MobileStyleGAN("ffhq-1024", 512, 512, 2, channels=(8, 8, 8, 8), heads={64: "styled"}).eval()


def accepted(name: str, space: str, tiny: Generator) -> tuple[Generator, Encoder]:
    """The encoder for the tiny generator, or for one that is like the default where the tiny one is refused."""
    try:
        generator, (encode, mark) = tiny, encoder(name, CPU, tiny, space)
    except ConfigError:  # before any work
        generator = default_like()
        encode, mark = encoder(name, CPU, generator, space)
    assert isinstance(mark, str)
    assert mark, "what the results depend on"
    return generator, encode


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("space", SPACES)
class TestEncoders:
    def test_gives_codes_of_every_crop_and_leaves_the_generator_alone(
        self, name: str, space: str, tiny_generator: StyleGAN2, tiny_crops: Crops
    ) -> None:
        config = EncodeConfig(steps=1, most_steps=1, size=64, space=space)
        generator, encode = accepted(name, space, tiny_generator)
        generator.requires_grad_(False)
        before = {key: value.clone() for key, value in generator.state_dict().items()}
        crops = Crops(tiny_crops.frames[:3], tiny_crops.quads[:3], tiny_crops.images[:3], 128)  # type: ignore[index]
        first, again = (encode(Batches(crops), generator, MobileNetPerceptual(), config, seed=3).ws for _ in "ab")
        assert first.dtype == np.float32
        assert first.shape in {(3, 1, generator.w_dim), (3, generator.num_ws, generator.w_dim)}
        assert space == "W+" or first.shape[1] == 1
        assert np.isfinite(first).all()
        np.testing.assert_array_equal(first, again, err_msg="the same seed, the same codes")
        for key, value in generator.state_dict().items():
            assert torch.equal(value, before[key]), key


def test_default_is_the_first_choice() -> None:
    assert next(iter(ENCODERS)) == "default"
