"""The synthesis network: turning, moving, gradients, arguments."""

from typing import Any

import pytest
import torch

from stitchedit.stylegan3.schedule import Schedule
from stitchedit.stylegan3.synthesis import SynthesisNetwork


def network(**changes: Any) -> SynthesisNetwork:
    torch.manual_seed(0)
    found = SynthesisNetwork(8, Schedule(32, num_layers=6, channel_base=512, channel_max=8), **changes)
    found.input.transform.copy_(torch.eye(3))
    return found.eval()


def quarter_turn() -> torch.Tensor:
    return torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


def test_configuration_r_turns_with_its_input() -> None:
    """By a quarter turn exactly, since the pixels fall onto each other; T with its 3x3 kernels does not."""
    ws = torch.randn(1, 8, 8)
    found = {}
    for name, options in {"R": {"conv_kernel": 1, "use_radial_filters": True}, "T": {}}.items():
        g = network(**options)
        with torch.no_grad():
            # The pose that w asks for comes after the user's transform: none here.
            g.input.affine.weight.zero_()
            straight, turned = g(ws), g(ws, transform=quarter_turn())
        found[name] = min(difference(turned, straight.rot90(k, (2, 3))) for k in (1, 3))
    assert found["R"] < 1e-4
    assert found["T"] > 0.1


def test_a_move_by_whole_pixels_moves_the_picture() -> None:
    g = network(conv_kernel=1, use_radial_filters=True)
    ws, move = torch.randn(1, 8, 8), torch.eye(3)
    move[0, 2] = 2 / 16  # two samples of the coarsest layer: four pixels
    with torch.no_grad():
        g.input.affine.weight.zero_()
        straight, moved = g(ws), g(ws, transform=move)
    assert difference(moved[..., 8:-8, 8:-12], straight[..., 8:-8, 12:-8]) < 0.02


def test_a_transform_of_the_network_is_that_of_a_call() -> None:
    g, ws = network(), torch.randn(2, 8, 8)
    with torch.no_grad():
        asked = g(ws, transform=quarter_turn())
        g.input.transform.copy_(quarter_turn())
        assert torch.equal(g(ws), asked)
        each = torch.stack([torch.eye(3), quarter_turn()])
        torch.testing.assert_close(g(ws, transform=each)[1], asked[1], rtol=1e-4, atol=1e-5)


def test_styles_are_the_picture() -> None:
    g, ws = network(), torch.randn(2, 1, 8)
    with torch.no_grad():
        styles = g.styles(ws)
        assert [s.shape[1] for s in styles] == [4, *(g.layer(name).weight.shape[1] for name in g.layer_names)]
        assert torch.equal(g.from_styles(styles), g(ws.expand(-1, 8, -1)))


def test_everything_gets_a_gradient() -> None:
    g, ws = network(conv_kernel=1, use_radial_filters=True), torch.randn(1, 8, 8, requires_grad=True)
    torch.nn.init.normal_(g.input.affine.weight)  # of a network that has seen no training they are 0
    g(ws).square().mean().backward()
    assert ws.grad is not None
    assert all(row.abs().sum() > 0 for row in ws.grad[0])
    for name, parameter in g.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    ("ws", "options", "message"),
    [
        (torch.zeros(1, 3, 8), {}, "ws must be"),
        (torch.zeros(1, 8, 9), {}, "ws must be"),
        (torch.zeros(1, 8, 8), {"resolution": 16}, "draws 32 px, not 16"),
    ],
)
def test_arguments_are_looked_at(ws: torch.Tensor, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network()(ws, **options)
    with pytest.raises(ValueError, match="1 or 3 px"):
        network(conv_kernel=5)
    with pytest.raises(ValueError, match="8 styles are needed"):
        network().from_styles([])
