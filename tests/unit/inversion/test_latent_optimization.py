import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from checkpoint_files import encoder_content, torch_file
from conftest import crops_of

from stitchedit.config import EncodeConfig
from stitchedit.errors import ConfigError, NotFetched, UnknownCheckpoint
from stitchedit.inversion import encoder_registry, latent_optimization
from stitchedit.inversion.crop_batches import Batches
from stitchedit.inversion.encoder import by_network
from stitchedit.inversion.latent_optimization import FARTHEST, WIDEST, optimize, scores_of, tame, w_prior
from stitchedit.models.perceptual import MobileNetPerceptual
from stitchedit.stylegan2 import Encoder4Editing, GradualStyleEncoder, StyleGAN2, encoder_layout
from stitchedit.types import Crops

CONFIG = EncodeConfig(steps=60, size=128, prior_weight=1e-3, offset_pull=1.0)


def from_known_codes(generator: StyleGAN2) -> Crops:
    torch.manual_seed(5)
    base = generator.mapping(torch.randn(1, 16))[:, :1]
    w = base + 0.1 * (generator.mapping(torch.randn(4, 16))[:, :1] - base)
    with torch.no_grad():
        images = generator.synthesis(w)
    stack = ((images.permute(0, 2, 3, 1).numpy() + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    return crops_of(list(stack))


def test_the_prior_is_the_distribution_of_w(tiny_generator: StyleGAN2) -> None:
    prior = w_prior(tiny_generator)
    torch.manual_seed(9)
    with torch.no_grad():
        w = tiny_generator.mapping(torch.randn(20000, 16))[:, 0]
    torch.testing.assert_close(prior.mean, w.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(prior.color @ prior.color, w.T.cov(), atol=0.05, rtol=0.1)


@pytest.mark.parametrize("space", ["W", "W+"])
def test_optimize_comes_nearer_than_the_mean_face(tiny_generator: StyleGAN2, space: str) -> None:
    crops = from_known_codes(tiny_generator)
    batches, perceptual = Batches(crops), MobileNetPerceptual()
    tiny_generator.requires_grad_(False)
    latents = optimize(batches, tiny_generator, perceptual, replace(CONFIG, space=space))
    assert latents.ws.shape == (4, 1 if space == "W" else tiny_generator.num_ws, 16)
    assert latents.in_w == (space == "W")
    target = batches.images(range(4), 128)
    with torch.no_grad():
        found = tiny_generator.synthesis(torch.from_numpy(latents.ws))
        mean = tiny_generator.synthesis(tiny_generator.w_avg[None, None].expand(4, 1, -1))
    assert (found - target).square().mean() < 0.3 * (mean - target).square().mean()


def test_optimize_repeats_itself_and_takes_one_frame(tiny_generator: StyleGAN2, tiny_crops: Crops) -> None:
    tiny_generator.requires_grad_(False)
    one = Crops(tiny_crops.frames[:1], tiny_crops.quads[:1], tiny_crops.images[:1], 128)  # type: ignore[index]
    config = replace(CONFIG, steps=3)
    first, second = (optimize(Batches(one), tiny_generator, MobileNetPerceptual(), config) for _ in "ab")
    np.testing.assert_array_equal(first.ws, second.ws)
    assert first.ws.shape == (1, tiny_generator.num_ws, 16)


@pytest.mark.parametrize("kind", [Encoder4Editing, GradualStyleEncoder])
def test_a_network_gives_the_codes(
    tiny_generator: StyleGAN2, tiny_crops: Crops, kind: type[GradualStyleEncoder]
) -> None:
    network = some_network(kind, 12)
    loaded: list[str] = []
    steps: list[tuple[int, int]] = []
    encode = by_network(lambda: loaded.append("once") or network, "e4e")
    batches, perceptual = Batches(tiny_crops), MobileNetPerceptual()
    with torch.no_grad():
        expected = network(batches.images(range(5), 256)).numpy()
    ws = encode(
        batches,
        tiny_generator,
        perceptual,
        CONFIG,
        progress=lambda stage, done, total, note="": steps.append((done, total)),
    ).ws
    assert ws.shape == (5, 12, 16)
    assert ws.dtype == np.float32
    np.testing.assert_allclose(ws, expected, atol=1e-5)
    assert loaded == ["once"]
    assert steps == [(4, 5), (5, 5)]
    latents = encode(batches, tiny_generator, perceptual, replace(CONFIG, space="W"))
    assert latents.in_w
    row = expected[:, :1] if kind is Encoder4Editing else expected.mean(1, keepdims=True)
    np.testing.assert_allclose(latents.ws, row, atol=1e-5)


@pytest.fixture
def encoder_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An e4e checkpoint: 6 rows of 16 numbers, for a generator of 16 px."""
    monkeypatch.setattr(encoder_layout, "WIDTH", 2)
    content = encoder_content(width=2)
    network = some_network(Encoder4Editing, 6)
    content["state_dict"] = {f"encoder.{name}": tensor for name, tensor in network.state_dict().items()}
    path = tmp_path / "e.pt"
    path.write_bytes(torch_file(content))
    return path


def generator_of(size: int, w_dim: int = 16) -> StyleGAN2:
    channels = {4 << k: 4 for k in range(size.bit_length() - 2)}
    return StyleGAN2(z_dim=16, w_dim=w_dim, img_resolution=size, mapping_layers=1, channels=channels)


def test_an_encoder_of_another_generator_is_refused_before_any_work(encoder_file: Path) -> None:
    name, where = str(encoder_file), torch.device("cpu")
    with pytest.raises(ConfigError, match=r"e\.pt' gives 6 rows of W\+, the generator takes 8") as caught:
        encoder_registry.encoder(name, where, generator_of(32), "W+")
    assert "--space W" in caught.value.hint
    encoder_registry.encoder(name, where, generator_of(32), "W")
    for space in ("W", "W+"):
        with pytest.raises(ConfigError, match="codes of 16 numbers, the generator takes 24"):
            encoder_registry.encoder(name, where, generator_of(16, w_dim=24), space)


def test_an_encoder_from_a_file(tiny_crops: Crops, encoder_file: Path) -> None:
    generator = generator_of(16)
    encode, sha = encoder_registry.encoder(str(encoder_file), torch.device("cpu"), generator, "W+")
    assert sha == hashlib.sha256(encoder_file.read_bytes()).hexdigest()
    batches = Batches(tiny_crops)
    with torch.no_grad():
        expected = (
            some_network(Encoder4Editing, 6)(batches.images(range(5), 256)) + encoder_content(width=2)["latent_avg"]
        )
    ws = encode(batches, generator, MobileNetPerceptual(), CONFIG).ws
    np.testing.assert_allclose(ws, expected.numpy(), atol=1e-5)


def test_encoders_by_name(tmp_path: Path, tiny_generator: StyleGAN2) -> None:
    rest = (torch.device("cpu"), tiny_generator, "W+")
    for name in ("default", "optimize"):
        assert encoder_registry.encoder(name, *rest) == (optimize, "optimize")
    with pytest.raises(NotFetched):
        encoder_registry.encoder("no-such-name", *rest)
    path = tmp_path / "alexnet.pth"
    path.write_bytes(torch_file({"features.0.weight": torch.ones(64, 3, 11, 11)}))
    with pytest.raises(UnknownCheckpoint, match="not an encoder"):
        encoder_registry.encoder(str(path), *rest)


def some_network(kind: type[GradualStyleEncoder], rows: int) -> GradualStyleEncoder:
    """Random weights, codes of 16 numbers."""
    torch.manual_seed(3)
    return kind(rows, width=2).eval()


def test_an_odd_frame_is_held_back_and_the_others_are_left_alone() -> None:
    torch.manual_seed(0)
    common, rows = torch.randn(20, 1, 16), 0.5 * torch.randn(20, 4, 16)
    common /= common.square().mean((1, 2), keepdim=True).sqrt()
    rows -= rows.mean(1, keepdim=True)
    rows /= rows.square().mean((1, 2), keepdim=True).sqrt()
    everyone = torch.eye(20), range(20)
    calm = tame(everyone[0], common + rows, everyone[1])
    torch.testing.assert_close(calm, common + rows)
    common[3] *= 10
    held = tame(everyone[0], common + rows, everyone[1])
    torch.testing.assert_close(held[:3], calm[:3])
    assert held[3].mean(0).square().mean().sqrt() == pytest.approx(FARTHEST, abs=1e-4)
    assert (held[3] - held[3].mean(0)).square().mean().sqrt() == pytest.approx(FARTHEST / 10, abs=1e-4)
    rows[5] *= 3
    alone = tame(torch.eye(20), common + rows, [5])[0]
    assert (alone - common[5]).square().mean().sqrt() == pytest.approx(WIDEST, abs=1e-4)


def test_offsets_that_are_nothing_stay_nothing_and_get_gradients() -> None:
    zeros = torch.zeros(5, 2, 8, requires_grad=True)
    tame(torch.eye(5), zeros, range(5)).sum().backward()
    assert zeros.grad is not None
    torch.testing.assert_close(zeros.grad, torch.ones(5, 2, 8))


def test_offsets_of_few_frames_are_those_that_all_together_have() -> None:
    torch.manual_seed(0)
    scores, maps = torch.randn(30, 3), torch.randn(3, 4, 8)
    every = tame(scores, maps, range(30))
    torch.testing.assert_close(tame(scores, maps, [7, 2]), every[[7, 2]])


def test_scores_are_principal_components(tiny_crops: Crops) -> None:
    scores = scores_of(Batches(tiny_crops))
    grey = np.stack([cv2.resize(i, (64, 64), interpolation=cv2.INTER_AREA).mean(-1).ravel() for i in tiny_crops.images])
    left, values, _ = np.linalg.svd(grey - grey.mean(0), full_matrices=False)
    assert scores.shape == (5, 4)
    for k in range(4):
        wanted = left[:, k] * np.sqrt(5 * values[k] / values[0])
        np.testing.assert_allclose(scores[:, k] * np.sign(scores[0, k].item() * wanted[0]), wanted, atol=1e-3)


def test_scores_of_a_long_clip_come_from_some_of_its_frames(tiny_crops: Crops, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames shown over and over have the same components, whoever of them is asked."""
    images = list(tiny_crops.images)
    whole = scores_of(Batches(crops_of(images * 4)))
    monkeypatch.setattr(latent_optimization, "SCORED", 10)
    some = scores_of(Batches(crops_of([image for image in images for _ in range(4)])))
    assert len(whole) == len(some) == 20
    np.testing.assert_allclose(some[::4].abs(), whole[:5].abs(), atol=0.02)
