import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from stitchedit.errors import HashMismatch, UnknownCheckpoint
from stitchedit.mobilestylegan import MobileStyleGAN
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.models.generator import FORMAT, Generator, load_default_generator, read_generator, save_generator
from stitchedit.stylegan2 import StyleGAN2

GOLDEN = Path(__file__).parents[2] / "golden" / "mobilestylegan_1024.npz"
WHEEL = os.environ.get("STITCHEDIT_RANDOM_FACE_WHEEL", "")
BUILD = Path(__file__).parents[3] / "scripts" / "build_default_model.py"


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    with np.load(GOLDEN) as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays.files}


@pytest.fixture(scope="module")
def default() -> Generator:
    return load_default_generator()


@pytest.fixture
def small() -> MobileStyleGAN:
    torch.manual_seed(0)
    return MobileStyleGAN("test-16", 8, 8, 2, channels=(8, 8), heads={8: "styled", 16: "styled"})


@torch.no_grad()
def differences(generator: Generator, golden: dict[str, Tensor]) -> Iterator[Tensor]:
    """Ours minus recorded, of what was recorded of each picture."""
    for ws, name in ((golden["in.w_psi0.7"][:, None], "out"), (golden["in.wplus16"], "out.wplus23")):
        image = generator.synthesis(ws.to(generator.w_avg.device)).cpu()
        yield F.avg_pool2d(image, 16) - golden[f"{name}.down64"]
        yield image[:, :, 496:528, 496:528] - golden[f"{name}.center32"]


def test_stored_halves_draw_the_recorded_faces(device: torch.device, golden: dict[str, Tensor]) -> None:
    errors = [error.square().mean().item() for error in differences(load_default_generator(device), golden)]
    assert min(10 * np.log10(4 / error) for error in errors) > 50


def test_mapping_and_mean_are_the_recorded_ones(default: Generator, golden: dict[str, Tensor]) -> None:
    with torch.no_grad():
        w = default.mapping(golden["in.z"])
    assert w.shape == (3, 16, 512)
    assert (w[:, 0] - golden["out.w"]).abs().max() < 5e-3
    assert np.corrcoef(default.w_avg, golden["w_mean_1000"][0])[0, 1] > 0.99
    assert (default.w_avg - golden["w_mean_1000"][0]).abs().max() < 0.06  # the mean of 1,000 has that noise


def test_default_is_what_it_says(default: Generator) -> None:
    assert (default.architecture, default.made_for) == ("mobilestylegan", "ffhq-1024")
    assert (default.num_ws, default.w_dim, default.resolution) == (16, 512, 1024)
    assert default.exits == (256, 512, 1024)
    assert {parameter.dtype for parameter in default.parameters()} == {torch.float32}
    assert packaged_file("mobilestylegan_ffhq_1024.safetensors").stat().st_size < 22e6


@pytest.mark.parametrize(("size", "floor_db"), [(256, 24), (512, 30)])
def test_exits_resemble_the_full_image(default: Generator, size: int, floor_db: float) -> None:
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        ws = default.mapping(torch.randn(2, 512, generator=random), truncation_psi=0.7)
        full = F.interpolate(default.synthesis(ws), size=(size, size), mode="area")
        error = (full - default.synthesis(ws, resolution=size)).square().mean().item()
    assert 10 * np.log10(4 / error) > floor_db


def test_a_saved_generator_is_read_back(tmp_path: Path, small: MobileStyleGAN) -> None:
    save_generator(small, tmp_path / "a.safetensors", licence="MIT")
    save_generator(small, tmp_path / "b.safetensors", licence="MIT")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    back = read_generator(tmp_path / "a.safetensors")
    assert (back.made_for, back.exits) == ("test-16", (8, 16))
    ws = small.mapping(torch.randn(1, 8))
    assert torch.equal(back.synthesis(ws), small.synthesis(ws))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]


def test_a_saved_stylegan2_is_read_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    widths = {4: 4, 8: 4, 16: 2}
    generator = StyleGAN2(made_for="test-sg2", z_dim=8, w_dim=8, img_resolution=16, mapping_layers=2, channels=widths)
    save_generator(generator, tmp_path / "a.safetensors", licence="MIT")
    back = read_generator(tmp_path / "a.safetensors")
    assert isinstance(back, StyleGAN2)
    assert (back.made_for, back.exits) == ("test-sg2", (16,))
    assert all(torch.equal(back.state_dict()[name], t) for name, t in generator.state_dict().items())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mapping_layers": 10**9}, "layers that it does not hold"),
        ({"w_dim": 10**9}, "not those that it describes"),
        ({"w_dim": 10**30}, "damaged"),
        ({"w_dim": -1}, "damaged"),
        ({"channels": [8, 8] * 40}, "damaged"),
        ({"channels": None}, "damaged"),
    ],
)
def test_a_file_that_describes_more_than_it_holds(
    tmp_path: Path, small: MobileStyleGAN, changes: dict[str, object], said: str
) -> None:
    """Refused before memory is taken: 4e18 numbers fit nowhere."""
    path = tmp_path / "bomb.safetensors"
    texts = {"format": FORMAT, "architecture": "mobilestylegan", "config": json.dumps({**small.config, **changes})}
    save_file(small.state_dict(), path, texts)
    with pytest.raises(UnknownCheckpoint, match=said):
        read_generator(path)


@pytest.mark.parametrize("config", ["[" * 10_000, "[1]", "7"])
def test_a_description_that_is_none(tmp_path: Path, small: MobileStyleGAN, config: str) -> None:
    path = tmp_path / "a.safetensors"
    save_file(small.state_dict(), path, {"format": FORMAT, "architecture": "mobilestylegan", "config": config})
    with pytest.raises(UnknownCheckpoint, match="damaged"):
        read_generator(path)


def test_a_damaged_generator_is_refused(tmp_path: Path, small: MobileStyleGAN) -> None:
    path = tmp_path / "a.safetensors"
    save_generator(small, path, licence="MIT", half=True)
    whole = path.read_bytes()
    for data in (b"", whole[:500], whole[:-4], whole.replace(b"mobilestylegan", b"mobilestylexxx")):
        path.write_bytes(data)
        with pytest.raises(UnknownCheckpoint, match=r"a\.safetensors"):
            read_generator(path)
    with pytest.raises(UnknownCheckpoint):
        read_generator(tmp_path / "missing.safetensors")
    with pytest.raises(UnknownCheckpoint, match="stitchedit-generator-1"):
        read_generator(packaged_file("mobilenet_v2_features.safetensors"))


def test_a_damaged_installation_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    packaged_file.cache_clear()
    monkeypatch.setitem(
        sys.modules["stitchedit.models.bundled_weights"].SHA256,
        "mobilestylegan_ffhq_1024.safetensors",
        hashlib.sha256().hexdigest(),
    )
    with pytest.raises(HashMismatch, match="is damaged"):
        load_default_generator()
    packaged_file.cache_clear()


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.skipif(not WHEEL, reason="STITCHEDIT_RANDOM_FACE_WHEEL does not name the random-face wheel")
def test_full_precision_equals_the_recorded_numbers(golden: dict[str, Tensor], tmp_path: Path) -> None:
    out = tmp_path / "full.safetensors"
    subprocess.run([sys.executable, BUILD, WHEEL, out, "--full"], check=True, capture_output=True)
    generator = read_generator(out)
    assert max(error.abs().max().item() for error in differences(generator, golden)) < 1e-3
    with torch.no_grad():
        assert (generator.mapping(golden["in.z"])[:, 0] - golden["out.w"]).abs().max() < 1e-4

    subprocess.run([sys.executable, BUILD, WHEEL, out], check=True, capture_output=True)
    shipped = load_file(packaged_file("mobilestylegan_ffhq_1024.safetensors"))
    torch.testing.assert_close(load_file(out), shipped, rtol=0, atol=1e-3)  # w_avg: sums differ between machines


def test_the_default_generator_is_read_without_the_half_of_torch_that_compiles() -> None:
    """SymPy and 800 modules more, two seconds of a start, come with the first arithmetic on the meta device."""
    code = "import sys; from stitchedit.models.generator import load_default_generator; load_default_generator()"
    code += "; sys.exit('sympy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
