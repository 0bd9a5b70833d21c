"""Axes without labels: where samples spread, and what weights amplify."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stitchedit.errors import ConfigError
from stitchedit.learning.unsupervised import affine_weights, factorise, pca, sample_w
from stitchedit.mobilestylegan import MobileStyleGAN
from stitchedit.stylegan2 import StyleGAN2


def test_components_are_those_of_the_spread() -> None:
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    w = rng.normal(size=(50_000, 6)) * [5, 3, 1, 0.5, 0.2, 0.1] @ turn.T
    steps, shares = pca(w, 2)
    np.testing.assert_allclose(np.abs(steps @ turn), [[5, 0, 0, 0, 0, 0], [0, 3, 0, 0, 0, 0]], atol=0.15)
    np.testing.assert_allclose(shares, np.array([25, 9]) / 35.3, rtol=0.03)
    assert (np.take_along_axis(steps, np.abs(steps).argmax(1)[:, None], 1) > 0).all()
    with pytest.raises(ConfigError, match="7 directions"):
        pca(w, 7)


def test_samples_depend_on_the_seed_alone(tiny_generator: StyleGAN2) -> None:
    w = sample_w(tiny_generator, count=1500)
    assert w.shape == (1500, 16)
    np.testing.assert_array_equal(w[:1000], sample_w(tiny_generator, count=1000))


def test_rows_that_layers_read(tiny_generator: StyleGAN2) -> None:
    rows = [row for row, _ in affine_weights(tiny_generator)]
    assert rows[:6] == [0, 1, 1, 2, 3, 3]  # the head of a size shares its row with the next layer
    assert set(rows) == set(range(tiny_generator.num_ws))
    torch.manual_seed(0)
    other = MobileStyleGAN("tiny", 8, 8, 2, (16, 16, 16), {16: "narrow", 32: "styled"})
    found = affine_weights(other)
    assert [row for row, _ in found] == [0, 1, 1, 2, 3, 3, 4, 5]
    assert found[0][1].shape == (16, 8)
    assert not any(module._forward_pre_hooks for module in other.modules())


def test_factors_are_what_the_chosen_layers_amplify(tiny_generator: StyleGAN2) -> None:
    w = sample_w(tiny_generator, count=1000)
    axis = np.zeros(16, np.float32)
    axis[5] = 1
    with torch.no_grad():
        for name, weight in tiny_generator.named_parameters():
            if name.endswith("conv1.affine.weight") and weight.shape[1] == 16:
                weight += 50 * torch.from_numpy(axis)
    steps, shares = factorise(tiny_generator, w, 3, (0, 1))  # b4.conv1 alone
    direction = steps[0] / np.linalg.norm(steps[0])
    assert direction[5] > 0.99
    assert np.linalg.norm(steps[0]) == pytest.approx(np.std(w @ direction), rel=1e-6)
    assert shares[0] > 0.9
    assert factorise(tiny_generator, w, 1, (1, 2))[1][0] < 0.5
