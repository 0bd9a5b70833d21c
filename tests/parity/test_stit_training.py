"""Tuning, locality and stitching with the reference's constants go the reference's way (golden/stit_losses.npz)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_fill import fill
from torch import Tensor

from stitchedit.config import StitchConfig, TuneConfig
from stitchedit.editing.stitching_tuning import Chain, stitch_frame
from stitchedit.inversion.pivotal_tuning import locality_loss, step_toward, tune
from stitchedit.models.perceptual import Lpips
from stitchedit.models.weights import load_generator
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.types import Latents

GOLDEN = Path(__file__).parents[1] / "golden"
CURVES, IMAGES = 1e-3, 1e-2  # tolerances of golden/README.md


class Pictures:
    """Two float pictures as the batches of a clip, in the fixed order of the reference."""

    def __init__(self, images: Tensor) -> None:
        self.all = images

    def __len__(self) -> int:
        return len(self.all)

    def images(self, indices: Sequence[int], size: int) -> Tensor:
        return self.all[list(indices)]

    def weights(self, indices: Sequence[int], size: int) -> None:
        return None


@pytest.fixture(scope="module")
def golden(device: torch.device) -> dict[str, Tensor]:
    with np.load(GOLDEN / "stit_losses.npz") as z:
        return {k: torch.from_numpy(z[k]).to(device) for k in z.files}


@pytest.fixture
def generator(device: torch.device) -> StyleGAN2:
    found = load_generator(GOLDEN / "nv_r64_w64_m4.weights.safetensors", device)
    assert isinstance(found, StyleGAN2)
    return found.requires_grad_(True)


@pytest.fixture(scope="module")
def lpips(golden: dict[str, Tensor]) -> Lpips:
    trunk = {}
    shapes = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
    for stage, (index, (out, inp, k)) in enumerate(shapes.items(), 1):
        name = f"net.slice{stage}.{index}"
        weight = fill(f"{name}.weight", (out, inp, k, k), std=float(np.sqrt(2 / (inp * k * k))))
        trunk[f"features.{index}.weight"] = torch.from_numpy(weight)
        trunk[f"features.{index}.bias"] = torch.from_numpy(fill(f"{name}.bias", (out,), std=0.05))
    heads = {f"lin{i}.model.1.weight": golden[f"lpips.lin{i}.model.1.weight"].cpu() for i in range(5)}
    return Lpips(trunk, heads).to(golden["pti.in.w0"].device)


def close(a: Tensor, b: Tensor, tolerance: float) -> None:
    a, b = a.cpu(), b.cpu()
    assert a.shape == b.shape
    error = (a - b).abs().max() / max(1.0, float(b.abs().max()))
    assert error < tolerance, f"error {error:.2e}"


@pytest.mark.parametrize(("name", "lr"), [("lr3e-5", 3e-5), ("lr3e-3", 3e-3)])
def test_pivotal_tuning(golden: dict[str, Tensor], generator: StyleGAN2, lpips: Lpips, name: str, lr: float) -> None:
    config = TuneConfig(
        steps=8,
        shuffle=False,
        lr=lr,
        lr_codes=0,
        anchor=0,
        ramp_down=0,
        coarse_part=0,
        l2_weight=10.0,
        perceptual_weight=1.0,
        plateau=0,
    )
    images = torch.stack([golden["pti.in.img0"], golden["pti.in.img1"]])
    ws = torch.cat([golden["pti.in.w0"], golden["pti.in.w1"]])
    mapping = {k: v.clone() for k, v in generator.state_dict().items() if k.startswith("mapping")}
    report = tune(generator, Latents(ws.cpu().numpy()), Pictures(images), lpips, config, size=64)  # type: ignore[arg-type]
    expected = golden[f"pti.{name}.curve_total_l2_lpips"]
    expected = expected.cpu()
    close(report.curve / expected, torch.ones_like(expected), CURVES)
    with torch.no_grad():
        close(generator.synthesis(ws), golden[f"pti.{name}.final"], IMAGES)
    assert all(torch.equal(generator.state_dict()[k], v) for k, v in mapping.items())
    if name == "lr3e-3":
        state = generator.state_dict()
        close(state["synthesis.b64.conv1.weight"], golden["pti.lr3e-3.final.b64.conv1.weight"], IMAGES)
        after = golden["pti.lr3e-3.noise_strength_b64conv1_before_after"][1]
        close(state["synthesis.b64.conv1.noise_strength"], after, IMAGES)


def test_locality(golden: dict[str, Tensor], generator: StyleGAN2, lpips: Lpips) -> None:
    frozen = load_generator(GOLDEN / "nv_r64_w64_m4.weights.safetensors", generator.w_avg.device).requires_grad_(False)
    there = frozen.mapping(golden["loc.in.z"], truncation_psi=0.5)
    close(there, golden["loc.out.w"], 1e-4)
    close(step_toward(golden["pti.in.w0"], there, 30.0), golden["loc.out.morphed_w"], 1e-4)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.startswith("synthesis"):
                parameter.mul_(1.01)
    loss = locality_loss(generator, frozen, golden["pti.in.w0"], golden["loc.in.z"], lpips)
    expected = golden["loc.out.loss_when_synthesis_params_x1.01"]
    close(loss.detach() / expected, torch.ones(()), CURVES)


@pytest.mark.parametrize(
    ("name", "norm", "steps"),
    [("steps1_l2", "l2", 1), ("steps3_l2", "l2", 3), ("steps10_l2", "l2", 10), ("steps5_l1", "l1", 5)],
)
def test_stitching_tuning(golden: dict[str, Tensor], generator: StyleGAN2, name: str, norm: str, steps: int) -> None:
    image, curve = stitched(golden, generator, golden["stitch.in.w"], norm, steps)
    close(image, golden[f"stitch.out.{name}"], IMAGES)
    if name == "steps10_l2":
        expected = golden["stitch.curve_total_border_content"].cpu()
        close(torch.tensor(curve[:steps]) / expected, torch.ones_like(expected), CURVES)
        close(image, golden["stitch.check_final"], IMAGES)


def test_stitching_that_moves_the_codes(golden: dict[str, Tensor], generator: StyleGAN2) -> None:
    """The reference's other way, which the product does not take: its W+ codes are tuned, the generator stays."""
    w = golden["stitch.in.w"].clone().requires_grad_()
    chain = chain_of(generator.requires_grad_(False), "l2")
    chain.optimizer = torch.optim.Adam([w], lr=chain.config.lr)
    image, _ = stitch_frame(chain, w, *pictures(golden), steps=5)
    close(image, golden["stitch.out.steps5_wplus"], 1e-4)  # a step more or less is an error of 2.6e-3


def stitched(
    golden: dict[str, Tensor], generator: StyleGAN2, w: Tensor, norm: str, steps: int
) -> tuple[Tensor, list[tuple[float, float, float]]]:
    return stitch_frame(chain_of(generator, norm), w, *pictures(golden), steps=steps)


def chain_of(generator: StyleGAN2, norm: str) -> Chain:
    return Chain(generator, StitchConfig(lr=3e-4, norm=norm, content_weight=0.01, border_threshold=0.0, held_px=0))


def pictures(golden: dict[str, Tensor]) -> list[Tensor]:
    return [golden[f"stitch.in.{n}"] for n in ("border_image", "content_image", "border_mask", "content_mask")]


def test_stitching_starts_from_the_generators_own_picture(golden: dict[str, Tensor], generator: StyleGAN2) -> None:
    image, curve = stitched(golden, generator, golden["stitch.in.w"], "l2", 0)
    close(image, golden["stitch.out.step0"], IMAGES)
    assert len(curve) == 1
