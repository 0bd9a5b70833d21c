import numpy as np
import pytest

from stitchedit.editing.direction import Direction
from stitchedit.pipeline import inversion
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.types import Crops, Latents


def opened(generator: StyleGAN2) -> inversion.Inversion:
    """Two crops, of the frames 3 and 5."""
    crops = Crops(np.array([3, 5]), np.zeros((2, 4, 2), np.float32), [], 128)
    latents = Latents(np.zeros((2, 1, generator.w_dim), np.float32))
    return inversion.Inversion(None, None, None, crops, None, latents, generator)  # type: ignore[arg-type]


def test_the_deviations_of_channels_are_found_once_for_a_clip(
    monkeypatch: pytest.MonkeyPatch, tiny_generator: StyleGAN2
) -> None:
    asked, real = [], inversion.own_statistics
    monkeypatch.setattr(inversion, "own_statistics", lambda space: asked.append(space) or real(space))
    clip = opened(tiny_generator)
    one, two = (clip.moved(((Direction(channels=((2, 3, sd),)), 1.0),)).offsets for sd in (1.0, 2.0))
    assert one is not None
    assert two is not None
    assert one.any()
    np.testing.assert_allclose(two, 2 * one, rtol=1e-6)
    assert asked == [tiny_generator]


def test_the_crop_of_a_frame(tiny_generator: StyleGAN2) -> None:
    assert [opened(tiny_generator).crops.of_frame(frame) for frame in (3, 4, 5)] == [0, None, 1]
