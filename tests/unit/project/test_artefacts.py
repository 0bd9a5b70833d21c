from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from stitchedit.config import StitchConfig, TuneConfig
from stitchedit.editing.stitching_tuning import Chain
from stitchedit.errors import ProjectError
from stitchedit.files.array_files import save_tensors
from stitchedit.files.image_folder import FinePictures, PictureFolder
from stitchedit.inversion.crop_batches import Batches
from stitchedit.inversion.pivotal_tuning import tune
from stitchedit.models.perceptual import MobileNetPerceptual
from stitchedit.project import artefacts
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.types import AskedChange, Crops, EditedLatents, FacePoints, Latents, Tracks


def test_tracks_come_back(tmp_path: Path) -> None:
    landmarks = np.full((4, 68, 2), np.nan, np.float32)
    landmarks[1:] = 7.25
    cuts = np.array([2])
    scores = np.float32([np.nan, 1.5, np.nan, -0.25])
    tracks = Tracks(landmarks, np.array([0, 1, 2, 1], np.uint8), (640, 360), Fraction(30000, 1001), cuts, scores)
    artefacts.save_tracks(tmp_path / "t.npz", tracks)
    again = artefacts.load_tracks(tmp_path / "t.npz")
    np.testing.assert_array_equal(again.scores, scores)
    np.testing.assert_array_equal(again.landmarks, landmarks)
    assert again.frames.tolist() == [1, 2, 3]
    assert (again.rate, again.frame_size, again.cuts.tolist()) == (Fraction(30000, 1001), (640, 360), [2])


def test_crops_come_back(tmp_path: Path) -> None:
    pictures = PictureFolder(tmp_path, 2, 16)
    for index in range(2):
        pictures.save(index, np.full((16, 16, 3), 40 * index, np.uint8))
    quads = (100 * np.random.default_rng(0).normal(size=(2, 4, 2))).astype(np.float32)
    points = np.random.default_rng(1).random((2, 468, 2)).astype(np.float32)
    artefacts.save_crops(tmp_path, Crops(np.array([3, 5]), quads, pictures, 16), FacePoints(points))
    crops, again = artefacts.load_crops(tmp_path)
    assert crops.frames.tolist() == [3, 5]
    assert (crops.images[1] == 40).all()
    np.testing.assert_array_equal(crops.quads, quads)
    np.testing.assert_array_equal(again.points, points)


def test_fine_pictures_keep_quarters_of_a_level_and_read_plain_ones_too(tmp_path: Path) -> None:
    levels = 255 * np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
    pictures = FinePictures(tmp_path, 3, 16)
    pictures.save(0, levels)
    pictures.save(1, levels + 1)
    PictureFolder(tmp_path, 3, 16).save(2, levels.astype(np.uint8))
    assert pictures[0].dtype == np.float32
    assert np.abs(pictures[0] - levels).max() <= 0.125
    assert pictures[1].max() <= 255
    np.testing.assert_array_equal(pictures[2], levels.astype(np.uint8))
    whole = pictures.path(1).read_bytes()
    pictures.path(1).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ProjectError):
        pictures[1]
    with pytest.raises(ProjectError):
        FinePictures(tmp_path, 3, 32)[0]


def test_latents_of_another_clip_or_generator_are_refused(tmp_path: Path, tiny_generator: StyleGAN2) -> None:
    path = tmp_path / "latents.safetensors"
    artefacts.save_latents(path, Latents(np.zeros((3, 1, 16), np.float32)))
    assert artefacts.load_latents(path, tiny_generator, 3).in_w
    with pytest.raises(ProjectError, match=r"\[3, 1, 16\]"):
        artefacts.load_latents(path, tiny_generator, 4)
    artefacts.save_latents(path, Latents(np.zeros((3, 5, 16), np.float32)))
    with pytest.raises(ProjectError):
        artefacts.load_latents(path, tiny_generator, 3)


def test_a_checkpoint_counts_only_for_the_same_inputs(tmp_path: Path) -> None:
    path, shapes = tmp_path / "c.safetensors", {"x": (2,), "log": (None, 1)}
    assert artefacts.load_checkpoint(path, "a", shapes) is None
    save_tensors(path, {"x": torch.ones(2), "log": torch.zeros(5, 1)}, {"fingerprint": "a"})
    state = artefacts.load_checkpoint(path, "a", shapes)
    assert state is not None
    assert state["x"].tolist() == [1, 1]
    assert artefacts.load_checkpoint(path, "b", shapes) is None
    for others in (
        {"x": (3,), "log": (None, 1)},
        {"x": (2,)},
        shapes | {"more": (1,)},
        {"x": (None, 1), "log": (5, 1)},
    ):
        assert artefacts.load_checkpoint(path, "a", others) is None
    save_tensors(path, {"x": torch.tensor([1, torch.nan]), "log": torch.zeros(5, 1)}, {"fingerprint": "a"})
    assert artefacts.load_checkpoint(path, "a", shapes) is None
    path.write_bytes(path.read_bytes()[:50])
    assert artefacts.load_checkpoint(path, "a", shapes) is None


def test_the_states_of_tuning_and_stitching_are_taken_up_again(
    tmp_path: Path, tiny_generator: StyleGAN2, tiny_crops: Crops
) -> None:
    path, batches = tmp_path / "c.safetensors", Batches(tiny_crops)
    latents = Latents(np.zeros((5, 1, 16), np.float32))
    shapes = artefacts.tuning_shapes(tiny_generator, latents)

    def save(state: dict[str, torch.Tensor]) -> None:
        save_tensors(path, state, {"fingerprint": "a"})
        assert artefacts.load_checkpoint(path, "a", shapes) is not None

    config = TuneConfig(steps=4, checkpoint_every=1)
    tune(tiny_generator, latents, batches, MobileNetPerceptual(), config, size=128, save=save)
    assert path.exists()
    chain = Chain(tiny_generator, StitchConfig())
    (chain.generator.synthesis(torch.zeros(1, 1, 16)).sum()).backward()
    chain.optimizer.step()
    state = chain.state() | {"log": torch.zeros(0, 2)}
    save_tensors(path, state, {"fingerprint": "b"})
    assert artefacts.load_checkpoint(path, "b", artefacts.stitching_shapes(chain.named)) is not None
    name = chain.named[0][0]
    del state[f"exp_avg_sq.{name}"]
    save_tensors(path, state, {"fingerprint": "b"})
    assert artefacts.load_checkpoint(path, "b", artefacts.stitching_shapes(chain.named)) is None


def test_weights_of_another_network_are_refused(tmp_path: Path, tiny_generator: StyleGAN2) -> None:
    path = tmp_path / "g.safetensors"
    save_tensors(path, tiny_generator.state_dict(), {})
    artefacts.load_into(path, tiny_generator)
    save_tensors(path, {"x": torch.ones(2)}, {})
    with pytest.raises(ProjectError):
        artefacts.load_into(path, tiny_generator)


@pytest.mark.parametrize("keep", [0, 1, 40, 200])
def test_damaged_files_are_one_clear_error(tmp_path: Path, keep: int) -> None:
    tracks = Tracks(np.zeros((2, 68, 2), np.float32), np.ones(2, np.uint8), (8, 8), Fraction(25))
    artefacts.save_tracks(tmp_path / "t.npz", tracks)
    save_tensors(tmp_path / "l.safetensors", {"ws": torch.zeros(2, 1, 16)}, {})
    for name, load in (("t.npz", artefacts.load_tracks), ("l.safetensors", artefacts.load_tensors)):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(ProjectError):
            load(path)


def test_arrays_that_do_not_fit_each_other(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, landmarks=np.zeros((2, 68, 2)), state=np.ones(3), frame_size=[1, 1], rate=[25, 1], cuts=[])
    with pytest.raises(ProjectError, match="do not fit"):
        artefacts.load_tracks(path)
    np.savez(path, landmarks=np.array([{}], dtype=object))
    with pytest.raises(ProjectError):
        artefacts.load_tracks(path)


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    PictureFolder(tmp_path, 1, 16).save(0, np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(ProjectError):
        PictureFolder(tmp_path, 1, 32)[0]
    with pytest.raises(ProjectError):
        PictureFolder(tmp_path, 2, 16)[1]


def test_the_codes_of_an_edit_come_back_with_what_was_asked(tmp_path: Path, tiny_generator: StyleGAN2) -> None:
    ws = np.random.default_rng(0).normal(size=(3, 1, tiny_generator.w_dim)).astype(np.float32)
    asked = [AskedChange("age", "age", "years", np.float32([0, 10, 20]))]
    total = sum(channels for _, channels in tiny_generator.style_layers())
    offsets = np.random.default_rng(1).normal(size=(1, total)).astype(np.float32)
    artefacts.save_moves(tmp_path / "m.safetensors", EditedLatents(ws, offsets=offsets), asked)
    codes, again = artefacts.load_moves(tmp_path / "m.safetensors", tiny_generator, 3)
    np.testing.assert_array_equal(codes.ws, ws)
    np.testing.assert_array_equal(codes.offsets, offsets)
    assert (again[0].direction, again[0].attribute, again[0].unit) == ("age", "age", "years")
    assert again[0].amounts.tolist() == [0, 10, 20]
    with pytest.raises(ProjectError):
        artefacts.load_moves(tmp_path / "m.safetensors", tiny_generator, 4)
    wrong = EditedLatents(ws, offsets=offsets[:, 1:])
    artefacts.save_moves(tmp_path / "m.safetensors", wrong, asked)
    with pytest.raises(ProjectError, match="styles and the generator do not fit"):
        artefacts.load_moves(tmp_path / "m.safetensors", tiny_generator, 3)
    save_tensors(tmp_path / "m.safetensors", {"ws": torch.from_numpy(ws)}, {"asked": '[{"direction": "age"}]'})
    with pytest.raises(ProjectError, match="damaged"):
        artefacts.load_moves(tmp_path / "m.safetensors", tiny_generator, 3)
