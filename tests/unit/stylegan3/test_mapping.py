"""The mapping network that StyleGAN2 and 3 share; what it gives is compared with the reference in tests/parity."""

import pytest
import torch

from stitchedit.stylegan3.mapping import FullyConnected, MappingNetwork


def test_a_layer_is_its_stored_numbers_times_the_gains() -> None:
    layer = FullyConnected(4, 3, lr_multiplier=0.5, bias_init=2.0)
    x = torch.randn(2, 4)
    torch.testing.assert_close(layer(x), x @ layer.weight.t() * 0.25 + 2.0)


def test_truncation_and_the_mean() -> None:
    network = MappingNetwork(4, 0, 6, 5, num_layers=2)
    network.w_avg.copy_(torch.randn(6))
    z = torch.randn(3, 4)
    whole = network(z)
    assert whole.shape == (3, 5, 6)
    torch.testing.assert_close(network(z * 7), whole, msg="the length of z does not count")
    cut = network(z, truncation_psi=0.5, truncation_cutoff=2)
    torch.testing.assert_close(cut[:, :2], (whole[:, :2] + network.w_avg) / 2)
    torch.testing.assert_close(cut[:, 2:], whole[:, 2:])


def test_labels_and_shapes_are_looked_at() -> None:
    network = MappingNetwork(4, 3, 6, 2, num_layers=1)
    assert network(torch.randn(2, 4), torch.eye(3)[:2]).shape == (2, 2, 6)
    with pytest.raises(ValueError, match="needs labels"):
        network(torch.randn(2, 4))
    with pytest.raises(ValueError, match=r"z must be \[B, 4\]"):
        network(torch.randn(2, 5))
