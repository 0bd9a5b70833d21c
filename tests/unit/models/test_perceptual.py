from pathlib import Path

import numpy as np
import pytest
import torch
from golden_fill import fill
from safetensors.torch import save_file
from torch import Tensor

from stitchedit.editing.stitching_tuning import masked_l1, masked_l2
from stitchedit.errors import HashMismatch, NotFetched, UnknownCheckpoint
from stitchedit.models import weights
from stitchedit.models.perceptual import Lpips, MobileNetPerceptual, load_lpips

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    with np.load(GOLDEN / "stit_losses.npz") as z:
        return {k: torch.from_numpy(z[k]) for k in z.files if k.startswith(("loss.", "lpips."))}


@pytest.fixture(scope="module")
def alex_files() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    shapes = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
    trunk = {}
    for stage, (index, (out, inp, k)) in enumerate(shapes.items(), 1):
        name = f"net.slice{stage}.{index}"
        trunk[f"features.{index}.weight"] = torch.from_numpy(
            fill(f"{name}.weight", (out, inp, k, k), std=float(np.sqrt(2 / (inp * k * k))))
        )
        trunk[f"features.{index}.bias"] = torch.from_numpy(fill(f"{name}.bias", (out,), std=0.05))
    with np.load(GOLDEN / "stit_losses.npz") as z:
        heads = {f"lin{i}.model.1.weight": torch.from_numpy(z[f"lpips.lin{i}.model.1.weight"]) for i in range(5)}
    return trunk, heads


def test_masked_losses_equal_the_reference(golden: dict[str, Tensor]) -> None:
    x, y, mask = (golden[f"loss.{k}"] for k in ("x", "y", "mask"))
    torch.testing.assert_close(masked_l2(x, y, mask), golden["loss.masked_l2"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(masked_l1(x, y, mask), golden["loss.masked_l1"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close((x - y).square().mean(), golden["loss.l2"], rtol=1e-5, atol=1e-6)


def test_lpips_equals_the_reference_with_gradient(golden: dict[str, Tensor], alex_files) -> None:
    a, b = golden["lpips.in.a"].clone().requires_grad_(), golden["lpips.in.b"]
    lpips = Lpips(*alex_files)
    out = lpips(a, b)
    torch.testing.assert_close(out, golden["lpips.out"].flatten(), rtol=1e-5, atol=1e-5)
    for weight in (1.0, out.shape[0]):  # the record may be of the mean or of the sum: the shape must match one
        (grad,) = torch.autograd.grad(out.mean() * weight, a, retain_graph=True)
        if torch.allclose(grad, golden["lpips.grad_a"], rtol=1e-3, atol=1e-6):
            return
    pytest.fail("gradient differs from the record")


def test_lpips_reads_the_users_files_and_refuses_others(
    tmp_path: Path, alex_files, golden: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STITCHEDIT_HOME", str(tmp_path / "home"))
    a, b = golden["lpips.in.a"], golden["lpips.in.b"]
    files = {}
    for name, state in zip(("alexnet-owt", "alex"), alex_files, strict=True):
        state = {**state, "classifier.1.weight": torch.ones(2, 2)} if name == "alexnet-owt" else state
        files[name] = tmp_path / f"{name}.pth", tmp_path / f"{name}.safetensors"
        torch.save(state, files[name][0])
        save_file(state, files[name][1])
        weights.import_file(files[name][0])
    pairs = [*zip(*files.values(), strict=True), ("alexnet-owt", "alex")]
    for trunk, heads in pairs:
        torch.testing.assert_close(load_lpips(trunk, heads)(a, b), golden["lpips.out"].flatten(), rtol=1e-5, atol=1e-5)
    with pytest.raises(NotFetched):
        load_lpips(tmp_path / "missing.pth", heads)
    with pytest.raises(NotFetched):
        load_lpips(trunk, "missing")
    with pytest.raises(UnknownCheckpoint, match="holds lpips, where alexnet"):
        load_lpips(heads, trunk)
    for part, name, shape in ((0, "features.3.weight", (2, 64, 5, 5)), (1, "lin1.model.1.weight", (1, 7, 1, 1))):
        for state in (
            {**alex_files[part], name: torch.ones(shape)},
            {k: v for k, v in alex_files[part].items() if k != name},
        ):
            bad = tmp_path / "bad.safetensors"
            save_file(state, bad)
            with pytest.raises(UnknownCheckpoint, match="no LPIPS"):
                load_lpips(*((bad, heads), (trunk, bad))[part])


def test_perceptual_distance_grows_with_blur_and_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    base = torch.nn.functional.interpolate(
        torch.rand(1, 3, 16, 16, generator=generator) * 2 - 1, size=128, mode="bicubic"
    )
    noise = torch.randn(base.shape, generator=generator)
    loss = MobileNetPerceptual()
    by_noise = [loss(base + s * noise, base).item() for s in (0.0, 0.05, 0.1, 0.2)]
    assert by_noise[0] == 0
    assert by_noise == sorted(by_noise)
    assert not list(loss.parameters())


def test_perceptual_weight_selects_where_it_looks() -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.rand(1, 3, 128, 128, generator=generator)
    b = a.clone()
    b[..., :64] = torch.rand(1, 3, 128, 64, generator=generator)
    left, right = torch.zeros(1, 1, 128, 128), torch.zeros(1, 1, 128, 128)
    left[..., :32], right[..., -32:] = 1, 1
    loss = MobileNetPerceptual()
    assert loss(a, b, left).item() > 3 * loss(a, b, right).item()


def test_damaged_packaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import stitchedit.models.bundled_weights as packaged

    (tmp_path / "assets").mkdir()
    save_file({"x": torch.zeros(1)}, tmp_path / "assets" / "mobilenet_v2_features.safetensors")
    monkeypatch.setattr(packaged.resources, "files", lambda name: tmp_path)
    packaged.packaged_file.cache_clear()
    with pytest.raises(HashMismatch):
        packaged.packaged_file("mobilenet_v2_features.safetensors")
    packaged.packaged_file.cache_clear()
