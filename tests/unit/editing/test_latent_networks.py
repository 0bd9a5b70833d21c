"""Mappers and transformers against their definitions, written here with torch's own layers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from edit_files import ROWS, WIDTH, mapper, numbers, transformer

from stitchedit.editing.latent_networks import find_mapper, find_transformer

WS = numbers(3, ROWS, WIDTH, seed=7)


def defined(x: torch.Tensor, state: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    """StyleCLIP's Mapper: the norm over dimension 1, four layers with multiplier 0.01, fused leaky ReLU."""
    x = x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)
    for layer in range(1, 5):
        weight, bias = state[f"{name}.mapping.{layer}.weight"], state[f"{name}.mapping.{layer}.bias"]
        x = F.leaky_relu(F.linear(x, weight * 0.01 / WIDTH**0.5) + 0.01 * bias, 0.2) * 2**0.5
    return x


@pytest.mark.parametrize("levels", [("course", "medium", "fine"), ("course", "medium"), ("fine",)])
def test_a_mapper_moves_each_level_by_its_own_network(levels: tuple[str, ...]) -> None:
    state = mapper(levels)
    found = find_mapper({name: part.numpy() for name, part in state.items()}, ROWS)
    assert found is not None
    x, step = torch.from_numpy(WS), found.step(WS)
    for level, rows in (("course", slice(0, 4)), ("medium", slice(4, 8)), ("fine", slice(8, None))):
        wanted = 0.1 * defined(x[:, rows], state, f"mapper.{level}_mapping") if level in levels else 0 * x[:, rows]
        np.testing.assert_allclose(step[:, rows], wanted.numpy(), rtol=1e-4, atol=1e-6)
    assert (found.w_dim, found.num_ws) == (WIDTH, ROWS)


def test_one_mapper_for_all_rows() -> None:
    state = mapper(())
    found = find_mapper({name: part.numpy() for name, part in state.items()})
    assert found is not None
    assert found.num_ws == 0, "any generator's"
    wanted = 0.1 * defined(torch.from_numpy(WS), state, "mapper.mapping")
    np.testing.assert_allclose(found.step(WS), wanted.numpy(), rtol=1e-4, atol=1e-6)


def test_a_transformer_has_a_linear_layer_for_each_row() -> None:
    state = transformer()
    found = find_transformer({name: part.numpy() for name, part in state.items()})
    assert found is not None
    rows = [
        F.linear(torch.from_numpy(WS[:, k]), state[f"dense.{k}.weight"] / WIDTH**0.5, state[f"dense.{k}.bias"])
        for k in range(ROWS)
    ]
    np.testing.assert_allclose(found.step(WS), torch.stack(rows, dim=1).numpy(), rtol=1e-4, atol=1e-5)
    assert (found.w_dim, found.num_ws) == (WIDTH, ROWS)


def test_other_tensors_are_neither() -> None:
    assert find_mapper({"encoder.weight": WS}) is None
    assert find_transformer({"encoder.weight": WS}) is None
