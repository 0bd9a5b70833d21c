"""e4e and pSp against what the reference code computed (tests/golden/README.md, A4)."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from golden_networks import GOLDEN, arrays, error, filled
from torch import Tensor, nn

from stitchedit.models import weights
from stitchedit.stylegan2 import Encoder4Editing, GradualStyleEncoder
from stitchedit.stylegan2 import encoder as module
from stitchedit.stylegan2.encoder_layout import encoder_shapes

TOLERANCE = 1e-4  # of the README for e4e


@pytest.fixture(scope="module")
def golden(device: torch.device) -> dict[str, Tensor]:
    return arrays("e4e_encoder.npz", device)


@pytest.fixture(scope="module")
def image(device: torch.device) -> Tensor:
    return filled("input.e4e_image", (1, 3, 256, 256), 0.5).to(device)


@pytest.fixture(scope="module")
def encoder(device: torch.device) -> Encoder4Editing:
    """At full size, every tensor by the fill."""
    with torch.device("meta"):
        empty = Encoder4Editing(18)
    whole = empty.to_empty(device="cpu").eval()
    with torch.no_grad():
        for name, layer in whole.named_modules():
            for part, tensor in (*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)):
                if part == "num_batches_tracked":
                    tensor.zero_()
                else:
                    scale = encoder_scale(part, tensor, norm=isinstance(layer, nn.BatchNorm2d))
                    tensor.copy_(filled(f"{name}.{part}", tuple(tensor.shape), *scale))
    return whole.to(device)


def encoder_scale(part: str, tensor: Tensor, norm: bool) -> tuple[float, float]:
    """(std, mean) by the first rule of the README that fits."""
    if norm:
        return {
            "weight": (0.1, 1.0),
            "bias": (0.05, 0.0),
            "running_mean": (0.05, 0.0),
            "running_var": (0.1, 1.0),
        }[part]
    if tensor.ndim == 4:
        return tensor[0].numel() ** -0.5, 0.0
    if tensor.ndim == 2:
        return 1.0, 0.0
    return (0.05, 0.25) if part == "weight" else (0.05, 0.0)


def test_names_and_shapes() -> None:
    for kind in (Encoder4Editing, GradualStyleEncoder):
        with torch.device("meta"):
            state = kind(18).state_dict()
        keys = json.loads((GOLDEN / "keys_e4e_encoder_irse50_1024.json").read_text())
        assert {name: [list(t.shape), str(t.dtype).removeprefix("torch.")] for name, t in state.items()} == keys


@pytest.mark.parametrize("resolution", [256, 512])
def test_names_for_smaller_generators(resolution: int) -> None:
    summary = json.loads((GOLDEN / f"keys_e4e_encoder_irse50_{resolution}_summary.json").read_text())
    with torch.device("meta"):
        state = Encoder4Editing(summary["style_count"]).state_dict()
    assert len(state) == summary["n_keys"]
    assert {name: tuple(t.shape) for name, t in state.items()} == encoder_shapes(summary["style_count"])


@pytest.mark.slow
def test_e4e(encoder: Encoder4Editing, golden: dict[str, Tensor], image: Tensor) -> None:
    assert sum(p.numel() for p in encoder.parameters()) == 267_136_704
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        return lambda layer, inputs, output: seen.__setitem__(name, output)

    taps = {"input_layer": encoder.input_layer, "c1": encoder.body[6], "c2": encoder.body[20], "c3": encoder.body[23]}
    heads = {f"style{i}": head for i, head in enumerate(encoder.styles)}
    hooks = [layer.register_forward_hook(keep(name)) for name, layer in {**taps, **heads}.items()]
    with torch.no_grad():
        ws = encoder(image)
        for hook in hooks:
            hook.remove()
        assert error(ws, golden["out.e4e_inference"]) <= TOLERANCE
        for name, output in seen.items():
            if name in taps:
                found = torch.stack([output.mean(), output.std(), *map(output.new_tensor, output.shape)]).double()
                assert error(found, golden[f"stat.{name}"]) <= TOLERANCE
                output = nn.functional.adaptive_avg_pool2d(output, 4)
            assert error(output, golden[f"mid.{name}"]) <= TOLERANCE, name
        assert {f"mid.{name}" for name in seen} == {name for name in golden if name.startswith("mid.")}
        # pSp has the same tensors, so its codes are what the heads gave.
        assert error(torch.stack([seen[f"style{i}"] for i in range(18)], 1), golden["out.psp_gradual"]) <= TOLERANCE
        encoder.latent_avg = golden["in.latent_avg"]
        found = encoder(image)
        encoder.latent_avg = None
    assert torch.equal(golden["in.latent_avg"].cpu(), filled("latent_avg", (18, 512), 0.5))
    assert error(found, golden["out.e4e_plus_latent_avg"]) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize(("name", "stage"), [("W", 0), ("Delta1", 1), ("Delta5", 5), ("Delta10", 10)])
def test_progressive_stages(
    encoder: Encoder4Editing, golden: dict[str, Tensor], image: Tensor, name: str, stage: int
) -> None:
    with torch.no_grad():
        ws = encoder(image, stage=stage)
    assert error(ws, golden[f"out.e4e_{name}Training"]) <= TOLERANCE
    if stage == 0:
        assert torch.equal(ws, ws[:, :1].expand(-1, 18, -1))


@pytest.mark.slow
def test_psp(encoder: Encoder4Editing, golden: dict[str, Tensor], image: Tensor) -> None:
    with torch.device("meta"):
        psp = GradualStyleEncoder(18).eval()
    psp.load_state_dict(encoder.state_dict(), assign=True)
    with torch.no_grad():
        ws = psp(image)
    assert error(ws, golden["out.psp_gradual"]) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("encoder_type", ["Encoder4Editing", "GradualStyleEncoder"])
def test_a_whole_file(
    encoder: Encoder4Editing, golden: dict[str, Tensor], image: Tensor, tmp_path: Path, encoder_type: str
) -> None:
    """As training wrote it, a generator included, by a name that tells nothing."""
    state = {f"encoder.{name}": tensor for name, tensor in encoder.state_dict().items()}
    state["decoder.input.input"] = torch.ones(1, 512, 4, 4)
    options = {"encoder_type": encoder_type, "start_from_latent_avg": True, "stylegan_size": 1024, "device": "cuda:0"}
    path = tmp_path / "weights.bin"
    torch.save({"state_dict": state, "latent_avg": golden["in.latent_avg"], "opts": options}, path)
    found = weights.load_encoder(path).to(image.device)
    path.unlink()  # the mapping holds it until the test ends
    with torch.no_grad():
        ws, one = found(image), found.one_row(image)
    expected = golden["out.e4e_plus_latent_avg"]
    if encoder_type == "GradualStyleEncoder":
        expected = golden["out.psp_gradual"] + golden["in.latent_avg"]
    assert error(ws, expected) <= TOLERANCE
    row = expected[:, :1] if encoder_type == "Encoder4Editing" else expected.mean(1, keepdim=True)
    assert error(one, row) <= TOLERANCE
    assert not found.training


@pytest.mark.parametrize(("antialias", "name"), [(True, "default_antialias"), (False, "noantialias")])
def test_shrinking(golden: dict[str, Tensor], antialias: bool, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PICTURE_SIZE", 32)
    found = module.encoder_picture(golden["resize.in"][None], antialias=antialias)[0]
    assert error(found, golden[f"resize.out_32_{name}"]) <= 1e-5
