"""Networks as encoders, the iterative ones among them, on a tiny generator."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from checkpoint_files import encoder_content, torch_file

from stitchedit.errors import ConfigError, UnknownCheckpoint
from stitchedit.inversion.encoder import RESTYLE_STEPS, check_fit, codes_of
from stitchedit.models import weights
from stitchedit.models.weights import read_file
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.stylegan2.encoder import ENCODERS, RestyleEncoder


@pytest.fixture(scope="module")
def generator() -> StyleGAN2:
    torch.manual_seed(0)
    sizes = {"img_resolution": 32, "mapping_layers": 2, "channels": {4: 8, 8: 8, 16: 8, 32: 8}}
    return StyleGAN2(made_for="x", z_dim=64, w_dim=64, **sizes).eval().requires_grad_(False)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["restyle-psp", "restyle-e4e"])
def test_an_iterative_encoder_looks_at_what_is_drawn(kind: str, generator: StyleGAN2) -> None:
    torch.manual_seed(1)
    network = ENCODERS[kind](8, width=8).eval().requires_grad_(False)
    network.latent_avg = torch.randn(8, 64)
    images, seen = torch.randn(1, 3, 256, 256), []
    network.register_forward_hook(lambda layer, given, out: seen.append((given[0], out)))
    ws = codes_of(network, generator, images, "W+")
    assert len(seen) == RESTYLE_STEPS
    at = network.latent_avg.expand(1, -1, -1)
    for given, out in seen:
        torch.testing.assert_close(given[:, :3], images)
        drawn = torch.nn.functional.interpolate(generator.synthesis(at), size=(256, 256), mode="nearest")
        torch.testing.assert_close(given[:, 3:], drawn)
        at = at + out
    torch.testing.assert_close(ws, at)
    one = codes_of(network, generator, images, "W")
    torch.testing.assert_close(one, ws[:, :1] if kind == "restyle-e4e" else ws.mean(1, keepdim=True))


def test_its_rows_must_be_the_generators_even_in_w(generator: StyleGAN2) -> None:
    for space in ("W", "W+"):
        with pytest.raises(ConfigError, match="gives 10 rows of W\\+, the generator takes 8") as caught:
            check_fit(RestyleEncoder(10, width=8), generator, "restyle.pt", space)
        assert "--space W" not in caught.value.hint
    check_fit(RestyleEncoder(8, width=8), generator, "restyle.pt", "W")
    plain = ENCODERS["e4e"](10, width=8)
    check_fit(plain, generator, "e4e.pt", "W")
    with pytest.raises(ConfigError) as caught:
        check_fit(plain, generator, "e4e.pt", "W+")
    assert "--space W" in caught.value.hint


@pytest.mark.parametrize(
    ("told", "kind"), [("ProgressiveBackboneEncoder", "restyle-e4e"), ("BackboneEncoder", "restyle-psp")]
)
def test_files_of_restyle_are_read(tmp_path: Path, told: str, kind: str) -> None:
    content = encoder_content(told, latent_avg=torch.zeros(6, 8))
    (tmp_path / "restyle.pt").write_bytes(torch_file(content))
    found = read_file(tmp_path / "restyle.pt")
    assert (found.kind, found.config) == (kind, {"num_styles": 6})
    for changes, message in (
        ({"latent_avg": None}, "lacks latent_avg"),
        ({"opts": {"encoder_type": "Encoder4Editing"}}, "another one by its tensors"),
        ({"opts": {"encoder_type": "ResNetBackboneEncoder"}}, "its encoder is ResNetBackboneEncoder"),
    ):
        (tmp_path / "wrong.pt").write_bytes(torch_file({**content, **changes}))
        with pytest.raises(UnknownCheckpoint, match=message):
            weights.load_encoder(tmp_path / "wrong.pt")
