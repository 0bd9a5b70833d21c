from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import crops_of

from stitchedit.config import EncodeConfig
from stitchedit.errors import ConfigError, UnknownCheckpoint
from stitchedit.files.array_files import save_tensors
from stitchedit.inversion import encoder_registry
from stitchedit.inversion.crop_batches import Batches
from stitchedit.inversion.encoder_initialization import LIFT, from_guess, set_apart
from stitchedit.inversion.latent_optimization import optimize
from stitchedit.learning.generator_samples import draw_ws, render
from stitchedit.mobilestylegan import MobileStyleGAN
from stitchedit.models.bundled_weights import SHA256, packaged_file
from stitchedit.models.generator import load_default_generator
from stitchedit.models.perceptual import MobileNetPerceptual
from stitchedit.models.w_encoder import FORMAT, WEIGHTS, WEncoder, load_w_encoder
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.types import Crops

CONFIG = EncodeConfig(steps=20, started_share=0.2, size=64)


def small_generator(made_for: str = "ffhq-1024") -> MobileStyleGAN:
    torch.manual_seed(0)
    return MobileStyleGAN(made_for, 16, 16, 2, channels=(16, 16, 16, 8), heads={64: "styled"}).eval()


def small_network() -> WEncoder:
    torch.manual_seed(1)
    return WEncoder(16).eval().requires_grad_(False)


def test_the_network_gives_whitened_codes_and_w() -> None:
    network = small_network()
    network.mean.fill_(3.0)
    network.color.mul_(2.0)
    image = torch.rand(2, 3, 256, 256) * 2 - 1
    u, w = network.whitened(image), network(image)
    assert u.shape == (2, 16)
    assert w.shape == (2, 1, 16)
    torch.testing.assert_close(w[:, 0], 3 + 2 * u)
    shrunk = torch.nn.functional.interpolate(image, size=(192, 192), mode="bilinear", antialias=True)
    torch.testing.assert_close(network(shrunk), w)


def test_its_trunk_sees_what_the_perceptual_loss_sees() -> None:
    network, perceptual = small_network(), MobileNetPerceptual()
    network.load_state_dict(perceptual.weights, strict=False)
    image = torch.rand(1, 3, 192, 192) * 2 - 1
    seen, wanted = network.maps(image)[-1], perceptual.features(image)[-1]
    torch.testing.assert_close(torch.nn.functional.normalize(seen, dim=1), wanted, atol=1e-5, rtol=0)


def test_a_file_comes_back_and_a_strange_one_is_refused(tmp_path: Path) -> None:
    network, path = small_network(), tmp_path / "w.safetensors"
    state = {key: value.half() for key, value in network.state_dict().items()}
    save_tensors(path, state, {"format": FORMAT})
    image = torch.rand(1, 3, 256, 256)
    torch.testing.assert_close(load_w_encoder(path)(image), network(image), atol=0.02, rtol=0.02)
    save_tensors(path, state, {"format": "another"})
    with pytest.raises(UnknownCheckpoint, match="no stitchedit-w-encoder-1 file"):
        load_w_encoder(path)
    save_tensors(path, {key: state[key] for key in list(state)[1:]}, {"format": FORMAT})
    with pytest.raises(UnknownCheckpoint, match="damaged"):
        load_w_encoder(path)
    path.write_bytes(b"no safetensors")
    with pytest.raises(UnknownCheckpoint, match="damaged"):
        load_w_encoder(path)


@pytest.mark.parametrize("space", ["W", "W+"])
@pytest.mark.parametrize("frames", [1, 5])
def test_the_search_from_a_guess_is_short(tiny_crops: Crops, space: str, frames: int) -> None:
    generator, steps = small_generator().requires_grad_(False), []
    some = Crops(tiny_crops.frames[:frames], tiny_crops.quads[:frames], tiny_crops.images[:frames], 128)  # type: ignore[index]
    ws = from_guess(small_network)(
        Batches(some),
        generator,
        MobileNetPerceptual(),
        replace(CONFIG, space=space),
        progress=lambda stage, done, total, note="": steps.append((done, total)),
    ).ws
    assert ws.shape == (frames, 1 if space == "W" else generator.num_ws, 16)
    assert ws.dtype == np.float32
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_guess_is_the_start_and_a_strange_frame_does_not_move_it(tiny_crops: Crops) -> None:
    network = small_network()
    alike = [tiny_crops.images[0]] * 9
    config = replace(CONFIG, started_lr_clip=0.0, started_lr_frame=0.0, space="W")
    with torch.no_grad():
        wanted = network(Batches(crops_of(alike)).images([0], 256))[0].numpy()
    encode = from_guess(lambda: network)
    for crops in (crops_of(alike), crops_of([*alike, 255 - alike[0]])):
        ws = encode(Batches(crops), small_generator(), MobileNetPerceptual(), config).ws
        np.testing.assert_allclose(ws[0], wanted, atol=0.05 * np.abs(wanted).max())


def test_frames_near_the_mean_are_set_apart() -> None:
    random = np.random.default_rng(0)
    away = random.standard_normal((5, 2, 8)).astype(np.float32)
    away[4] = -away[:4].sum(0)  # so that the mean is zero
    far = np.linalg.norm(away.reshape(5, -1), axis=1)
    nearest = int(far.argmin())
    moved = set_apart(3 + away) - 3
    distance = np.linalg.norm(moved.reshape(5, -1), axis=1)
    np.testing.assert_allclose(distance, np.maximum(far, np.minimum(np.median(far), LIFT * far)), rtol=1e-4)
    np.testing.assert_allclose(moved[nearest], away[nearest] * distance[nearest] / far[nearest], rtol=1e-3, atol=1e-5)
    assert distance[nearest] > far[nearest]


def test_frames_all_alike_stay_where_they_are() -> None:
    ws = np.full((3, 2, 8), 0.5, np.float32)
    np.testing.assert_array_equal(set_apart(ws), ws)


def test_another_generator_is_refused(tiny_generator: StyleGAN2, tiny_crops: Crops) -> None:
    guess = from_guess(lambda: pytest.fail("the network was asked"))
    for other in (tiny_generator, small_generator("cats-64")):
        with pytest.raises(ConfigError, match="encoder 'network' was trained for the default generator") as caught:
            guess(Batches(tiny_crops), other, MobileNetPerceptual(), CONFIG)
        assert "optimize" in caught.value.hint


def test_what_comes_with_the_wheel_is_small_and_knows_its_generator() -> None:
    network, generator = load_w_encoder(), load_default_generator()
    assert sum(p.numel() for p in network.parameters()) < 8e6
    assert packaged_file(WEIGHTS).stat().st_size < 10e6
    torch.testing.assert_close(network.mean, generator.w_avg, atol=0.1, rtol=0)


def test_samples_are_inverted_better_than_by_the_mean_face() -> None:
    generator, network = load_default_generator().requires_grad_(False), load_w_encoder()
    w = draw_ws(generator, 3, [99, 5], 0.8)
    pictures = render(generator, w, 256)
    images = Batches(crops_of(list(pictures))).images(range(3), 256)
    perceptual, mean = MobileNetPerceptual(), generator.w_avg[None, None].expand(3, -1, -1)
    with torch.no_grad():
        found = network(images)
        assert found.shape == (3, 1, 512)
        near, far = (perceptual(generator.synthesis(ws, resolution=256), images) for ws in (found, mean))
        apart = (found[:, 0] - torch.from_numpy(w)).square().sum(1)
        spread = (mean[:, 0] - torch.from_numpy(w)).square().sum(1)
    assert (near < 0.9 * far).all()
    assert (apart < 0.9 * spread).all()


def test_the_network_is_taken_by_name(tiny_generator: StyleGAN2) -> None:
    where, fitting = torch.device("cpu"), small_generator()
    for name in ("network", "default"):
        assert encoder_registry.encoder(name, where, fitting, "W")[1] == SHA256[WEIGHTS]
    assert encoder_registry.encoder("optimize", where, fitting, "W") == (optimize, "optimize")
    assert encoder_registry.encoder("default", where, tiny_generator, "W") == (optimize, "optimize")
    with pytest.raises(ConfigError, match="default generator"):
        encoder_registry.encoder("network", where, tiny_generator, "W")
