import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from stitchedit.image.arrays import resize
from stitchedit.inversion.crop_batches import Batches, shuffled
from stitchedit.types import Crops


@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 5))
def test_every_crop_is_drawn_once_before_any_twice(count: int, per_step: int, seed: int) -> None:
    steps = -(-3 * count // per_step)
    drawn = [i for step in range(steps) for i in shuffled(count, per_step, step, seed)]
    for epoch in range(len(drawn) // count):
        assert sorted(drawn[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_the_order_depends_on_the_seed_alone() -> None:
    assert shuffled(30, 2, 7, 3) == shuffled(30, 2, 7, 3)
    orders = {tuple(shuffled(30, 30, 0, seed)) for seed in range(5)}
    assert len(orders) == 5


def test_images_and_weights(tiny_crops: Crops) -> None:
    ramp = np.linspace(0, 1, 128, dtype=np.float32)[None].repeat(128, 0)
    batches = Batches(tiny_crops, lambda index, size: resize(ramp, size))
    images = batches.images([3, 1], 128)
    assert images.shape == (2, 3, 128, 128)
    assert images.min() >= -1
    assert images.max() <= 1
    expected = torch.from_numpy(tiny_crops.images[3]).permute(2, 0, 1).float() / 127.5 - 1
    torch.testing.assert_close(images[0], expected)
    small = batches.images([3], 64)
    torch.testing.assert_close(small, torch.nn.functional.avg_pool2d(images[:1], 2), atol=0.01, rtol=0)
    weights = batches.weights([0, 1], 64)
    assert weights is not None
    torch.testing.assert_close(weights.mean((1, 2, 3)), torch.ones(2))
    assert Batches(tiny_crops).weights([0], 64) is None
