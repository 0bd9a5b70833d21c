"""A generator of one class draws what the one with labels draws for that class."""

from __future__ import annotations

import pytest
import torch
from checkpoint_files import CONFIG, make_state

from stitchedit.errors import ConfigError
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.stylegan2.checkpoints import Checkpoint, Kind
from stitchedit.stylegan2.one_class import one_class

LABELLED = Checkpoint(Kind.NVIDIA, "generator", {**CONFIG, "c_dim": 3}, make_state(c_dim=3))


def network(checkpoint: Checkpoint) -> StyleGAN2:
    built = StyleGAN2(**checkpoint.config)
    built.load_state_dict(checkpoint.state)
    return built.eval()


@pytest.mark.parametrize("label", [0, 2])
def test_codes_are_those_of_the_class(label: int) -> None:
    z = torch.randn(5, CONFIG["z_dim"], generator=torch.Generator().manual_seed(1))
    c = torch.nn.functional.one_hot(torch.full((5,), label), 3).float()
    found = one_class(LABELLED, label)
    torch.testing.assert_close(network(found).mapping(z), network(LABELLED).mapping(z, c), atol=1e-5, rtol=1e-4)
    assert f"class {label} of 3" in found.notes[0]
    many = torch.randn(10_000, CONFIG["z_dim"], generator=torch.Generator().manual_seed(2))
    mean = network(found).mapping(many)[:, 0].mean(0).detach()
    torch.testing.assert_close(found.state["mapping.w_avg"], mean, atol=0.05 * float(mean.norm()), rtol=0)


def test_the_first_class_is_taken_where_none_is_asked_for_and_told() -> None:
    found = one_class(LABELLED)
    assert torch.equal(found.state["mapping.fc0.bias"], one_class(LABELLED, 0).state["mapping.fc0.bias"])
    assert "--class N takes another" in found.notes[0]
    assert one_class(found) is found, "there are no classes any more"


@pytest.mark.parametrize("label", [-1, 3])
def test_a_class_that_is_not_there_is_refused(label: int) -> None:
    with pytest.raises(ConfigError, match="the generator has 3"):
        one_class(LABELLED, label)
    with pytest.raises(ConfigError, match="no generator with classes"):
        one_class(Checkpoint(Kind.NVIDIA, "generator", dict(CONFIG), make_state()), 0)
