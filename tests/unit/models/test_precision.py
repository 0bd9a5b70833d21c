"""Passes in bfloat16: what they draw, whose gradients they give, and when they are taken."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from stitchedit.mobilestylegan import MobileStyleGAN
from stitchedit.models import precision
from stitchedit.models.precision import HasPrecision, at_precision, try_precisions


@pytest.fixture(scope="module")
def generator() -> MobileStyleGAN:
    torch.manual_seed(0)
    return MobileStyleGAN(w_dim=64, z_dim=64, channels=(64, 64, 32), heads={16: "narrow", 32: "styled"}).eval()


@pytest.fixture(scope="module")
def ws(generator: MobileStyleGAN) -> Tensor:
    return generator.mapping(torch.randn(1, 64)).detach()


def gradients(generator: MobileStyleGAN, ws: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """The picture, and the gradient of its squares by all weights, in one vector."""
    generator.zero_grad()
    with at_precision(generator, name):
        picture = generator.synthesis(ws, resolution=16)
    picture.square().mean().backward()
    found = [p.grad.flatten() for p in generator.synthesis_network.parameters() if p.grad is not None]
    return picture.detach(), torch.cat(found)


def test_a_picture_in_bfloat16_is_nearly_the_same_and_weights_stay_as_they_are(
    generator: MobileStyleGAN, ws: Tensor
) -> None:
    (full, by_full), (low, by_low) = (gradients(generator, ws, name) for name in ("float32", "bfloat16"))
    assert full.dtype == low.dtype == by_low.dtype == torch.float32
    assert not torch.equal(full, low)
    assert (full - low).norm() / full.norm() < 0.02
    assert torch.nn.functional.cosine_similarity(by_full, by_low, dim=0) > 0.999
    assert isinstance(generator, HasPrecision)
    assert generator.precision == torch.float32
    window = (4, 4, 12, 12)
    with at_precision(generator, "bfloat16"):
        part = generator.synthesis_window(ws, window, resolution=16)
    assert (part - low[..., 4:12, 4:12]).abs().max() < 0.05


def test_what_is_faster_is_taken(generator: MobileStyleGAN, ws: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    def takes(**seconds: float) -> None:
        """Products of matrices and passes take so long."""

        def timed(work: Any) -> float:
            low = any(a == "bfloat16" or getattr(a, "dtype", None) == torch.bfloat16 for a in work.args)
            return seconds["bfloat16" if low else "float32"]

        monkeypatch.setattr(precision, "_fastest", timed)

    takes(bfloat16=1.0, float32=1.1)
    assert try_precisions(generator, ws) == "float32", "hardly faster does not count"
    takes(bfloat16=1.0, float32=1.5)
    assert try_precisions(generator, ws) == "bfloat16"
    assert try_precisions(torch.nn.Linear(2, 2), ws) == "float32", "it knows one type alone"  # type: ignore[arg-type]
    monkeypatch.undo()
    assert try_precisions(generator, ws) in precision.PRECISIONS
    assert all(p.grad is None for p in generator.parameters())


def test_tf32_is_for_as_long_as_it_is_asked_for(generator: MobileStyleGAN, ws: Tensor) -> None:
    def flags() -> tuple[bool, bool]:
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    before = flags()
    with at_precision(generator, "tf32"):
        assert flags() == (True, True)
        picture = generator.synthesis(ws, resolution=16)
    assert flags() == before
    assert torch.equal(picture, gradients(generator, ws, "float32")[0]), "on a processor it is float32"
