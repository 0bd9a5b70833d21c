"""Steps that a GPU has recorded give what steps called one by one give; and steps are fit to be recorded."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from stitchedit.config import StitchConfig, TuneConfig
from stitchedit.editing.stitching_tuning import Chain
from stitchedit.inversion.pivotal_tuning import _losses_and_picture
from stitchedit.models import loading
from stitchedit.models.perceptual import MobileNetPerceptual
from stitchedit.models.recorded import Recorded
from stitchedit.stylegan2 import StyleGAN2

WAITS = {"aten._local_scalar_dense", "aten.lift_fresh", "aten.nonzero", "aten.masked_select", "aten.index.Tensor"}


class OnTheCard(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses what cannot be recorded: what reads values, or brings them from the processor."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        assert not {str(func), str(func.overloadpacket)} & WAITS, func
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["default", "stylegan2"])
def test_steps_can_be_recorded(name: str, tiny_generator: StyleGAN2) -> None:
    size = 64 if name == "stylegan2" else 256
    generator = tiny_generator if name == "stylegan2" else loading.generator("default", torch.device("cpu"))[0]
    code = generator.w_avg[None].clone().requires_grad_()
    target, mask = torch.zeros(1, 3, size, size), torch.ones(1, 1, size, size)
    tuning = partial(_losses_and_picture, generator, size, MobileNetPerceptual(), TuneConfig(weighted=True))
    stitching = Chain(generator, StitchConfig())
    tuning(code, target, mask)  # the first time of all may prepare tables
    with OnTheCard():  # type: ignore[no-untyped-call]
        tuning(code, target, mask)[0][0].backward()  # type: ignore[no-untyped-call]
        stitching.losses_and_picture(size, code[None], target, target, mask, mask)[0][0].backward()  # type: ignore[no-untyped-call]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_recorded_step_is_the_step(tiny_generator: StyleGAN2) -> None:
    generator = tiny_generator.to("cuda").requires_grad_(True)
    parameters = list(generator.synthesis.parameters())

    def work(ws: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        image = generator.synthesis(ws, resolution=64)  # which leaves the last block without a gradient
        off = (image - target).square().mean()
        return torch.stack([off, off * 2]), image

    def called(ws: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Sequence[Tensor | None]]:
        values, picture = work(ws, target)
        return values.detach(), picture.detach(), torch.autograd.grad(values[0], [*parameters, ws], allow_unused=True)

    recorded = Recorded(work, parameters)
    random = torch.Generator("cuda").manual_seed(0)
    for _ in range(3):
        ws = torch.randn(1, 1, 16, device="cuda", generator=random).requires_grad_()
        target = torch.randn(1, 3, 64, 64, device="cuda", generator=random)
        values, image = recorded(ws, target)
        got = [tensor.grad for tensor in [*parameters, ws]]
        expected, picture, grads = called(ws, target)
        torch.testing.assert_close(values, expected)
        torch.testing.assert_close(image, picture)
        assert any(grad is None for grad in grads)
        for mine, grad in zip(got, grads, strict=True):
            assert (mine is None) == (grad is None)
            torch.testing.assert_close(mine, grad, rtol=1e-4, atol=1e-6)
        with torch.no_grad():
            for parameter in parameters:
                parameter.mul_(0.99)  # as an optimiser changes them
