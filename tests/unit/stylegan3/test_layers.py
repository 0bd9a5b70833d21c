"""StyleGAN3's layers against their definition."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from stitchedit.cuda_ops import reference
from stitchedit.cuda_ops._spec import Resampling
from stitchedit.stylegan3.layers import SynthesisInput, SynthesisLayer, modulated_conv2d
from stitchedit.stylegan3.schedule import Schedule, plan_layers

SCHEDULE = Schedule(32, num_layers=6, channel_base=256, channel_max=6)
LAYERS = SCHEDULE.layers()


def plain_layer(layer: SynthesisLayer, x: Tensor, style: Tensor) -> Tensor:
    """A layer by the book, sample by sample: filters as one 2-D convolution of the picture with zeros inserted."""
    out = []
    for one, own in zip(x, style, strict=True):
        w = layer.weight * own[None, :, None, None]
        w = w / math.sqrt(w[0].numel()) if layer.is_rgb else w / w.square().sum([1, 2, 3], keepdim=True).sqrt()
        y = F.conv2d(one[None] / layer.magnitude_ema.sqrt(), w, padding=w.shape[2] - 1)
        y = y + layer.bias[:, None, None]
        if layer.up_filter is not None and layer.down_filter is not None:
            up = Resampling((layer.up,) * 2, (1, 1), layer.padding, False, layer.up**2)
            y = reference.upfirdn2d_by_definition(y, layer.up_filter, up)
            y = F.leaky_relu(y, 0.2) * math.sqrt(2)
            down = Resampling((1, 1), (layer.down,) * 2, (0, 0, 0, 0), False, 1.0)
            y = reference.upfirdn2d_by_definition(y, layer.down_filter, down)
        out.append(y)
    return torch.cat(out)


def test_layers_equal_their_definition() -> None:
    """Both kernels, both kinds of filters, an enlarging, a critical and the last layer."""
    torch.manual_seed(0)
    for radial, kernel in ((True, 1), (False, 3)):
        for index in (0, 2, 5, 6):
            plan = plan_layers(SCHEDULE, kernel, radial)[index]
            layer, here, there = SynthesisLayer(8, plan), plan.here, plan.there
            layer.magnitude_ema.fill_(1.7)
            x, style = torch.randn(2, here.channels, here.size, here.size), torch.rand(2, here.channels) + 0.5
            with torch.no_grad():
                layer.bias.normal_()
                found, expected = layer(x, style), plain_layer(layer, x, style)
            assert found.shape == (2, there.channels, there.size, there.size)
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_activations_are_clamped() -> None:
    plan = plan_layers(SCHEDULE, 1, True)[0]
    layer, here = SynthesisLayer(8, plan), plan.here
    with torch.no_grad():
        y = layer(torch.full((1, here.channels, here.size, here.size), 1e4), torch.ones(1, here.channels))
    assert float(y.abs().max()) < 256 * 1.5  # the filter overshoots a little


def test_samples_do_not_touch_each_other() -> None:
    torch.manual_seed(0)
    x, weight, style = torch.randn(2, 3, 5, 5), torch.randn(4, 3, 3, 3), torch.rand(2, 3) + 0.5
    gain = torch.tensor(0.7)
    both = modulated_conv2d(x, weight, style, demodulate=True, input_gain=gain)
    for i in range(2):
        one = modulated_conv2d(x[i : i + 1], weight, style[i : i + 1], demodulate=True, input_gain=gain)
        torch.testing.assert_close(both[i : i + 1], one)


def test_a_move_of_the_input_moves_its_picture() -> None:
    """By whole pixels, up to those that come in at the edge; and by the pose of w as by the user's transform."""
    torch.manual_seed(0)
    first = LAYERS[0][1]
    network = SynthesisInput(8, first)
    straight = torch.tensor([[1.0, 0, 0, 0]])
    x = network(straight)
    assert x.shape == (1, first.channels, first.size, first.size)
    move = torch.eye(3)
    move[0, 2], move[1, 2] = 3 / first.rate, 5 / first.rate
    moved = network(straight, move)
    torch.testing.assert_close(moved[..., :-5, :-3], x[..., 5:, 3:], rtol=1e-4, atol=1e-4)
    by_pose = network(torch.tensor([[2.0, 0, -2 * 3 / first.rate, -2 * 5 / first.rate]]))
    torch.testing.assert_close(by_pose, moved, rtol=1e-4, atol=1e-4)


def test_frequencies_lie_below_the_cutoff_or_little_above() -> None:
    network = SynthesisInput(8, Schedule(64).layers()[0][1])
    assert float(network.freqs.norm(dim=1).max()) < 2.5
