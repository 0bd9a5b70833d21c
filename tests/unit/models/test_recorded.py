"""Steps that a GPU has recorded give what steps called one by one give."""

import pytest
import torch
from torch import Tensor

from stitchedit.models.recorded import Recorded
from stitchedit.stylegan2 import StyleGAN2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_recorded_step_is_the_step(tiny_generator: StyleGAN2) -> None:
    generator = tiny_generator.to("cuda").requires_grad_(True)
    parameters = list(generator.synthesis.parameters())

    def work(ws: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        image = generator.synthesis(ws, resolution=64)  # which leaves the last block without a gradient
        off = (image - target).square().mean()
        return torch.stack([off, off * 2]), image

    recorded = Recorded(work, parameters)
    random = torch.Generator("cuda").manual_seed(0)
    for _ in range(3):
        ws = torch.randn(1, 1, 16, device="cuda", generator=random).requires_grad_()
        target = torch.randn(1, 3, 64, 64, device="cuda", generator=random)
        expected, picture = work(ws, target)
        grads = torch.autograd.grad(expected[0], [*parameters, ws], allow_unused=True)
        values, image = recorded(ws, target)
        torch.testing.assert_close(values, expected.detach())
        torch.testing.assert_close(image, picture.detach())
        assert any(grad is None for grad in grads)
        for tensor, grad in zip([*parameters, ws], grads, strict=True):
            assert (tensor.grad is None) == (grad is None)
            torch.testing.assert_close(tensor.grad, grad, rtol=1e-4, atol=1e-6)
        with torch.no_grad():
            for parameter in parameters:
                parameter.mul_(0.99)  # as an optimiser changes them
