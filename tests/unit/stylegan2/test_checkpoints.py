import argparse
import io
import json
import os
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_files import (
    CONFIG,
    encoder_content,
    make_state,
    nvidia_module,
    nvidia_pickle,
    tensorflow_pickle,
    torch_file,
)
from safetensors.torch import load_file, save_file
from torch import Tensor

from stitchedit.errors import UnknownCheckpoint
from stitchedit.stylegan2.checkpoints import Checkpoint, Kind, read_checkpoint
from stitchedit.stylegan2.rosinality import nvidia_to_rosinality, rosinality_to_nvidia

GOLDEN = Path(__file__).parents[2] / "golden"
PLAIN = {"conv_clamp": None, "num_fp16_res": 0}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], tensor), name


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], Checkpoint]:
    def read_bytes(data: bytes) -> Checkpoint:
        path = tmp_path / "file.bin"  # a name that tells nothing
        path.write_bytes(data)
        return read_checkpoint(path)

    return read_bytes


Read = Callable[[bytes], Checkpoint]


# Every kind of file


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("changes", [{}, {"c_dim": 3}, {"architecture": "orig"}, {"architecture": "resnet"}])
def test_nvidia_pickles(read: Read, protocol: int, changes: dict[str, object]) -> None:
    state = make_state(**changes)
    found = read(nvidia_pickle(nvidia_module(state, source="raise RuntimeError('executed')", conv_clamp=256), protocol))
    assert found.kind is Kind.NVIDIA
    assert found.role == "generator"
    assert found.config == {**CONFIG, **PLAIN, "conv_clamp": 256.0, **changes}
    assert_same(found.state, state)


def test_nvidia_half_precision_blocks_in_channels_last(read: Read) -> None:
    state = make_state()
    stored = {
        n: t.to(torch.float16, memory_format=torch.channels_last) if t.ndim == 4 and ".b16." in n else t
        for n, t in state.items()
    }
    found = read(nvidia_pickle(nvidia_module(stored), 4))
    assert_same(found.state, {n: t.float().contiguous() for n, t in stored.items()})


def test_a_whole_module_in_a_torch_file_as_pti_saves_it(read: Read) -> None:
    state = make_state()
    assert_same(read(torch_file(nvidia_module(state))).state, state)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("changes", [{}, {"c_dim": 3}, {"architecture": "orig"}, {"architecture": "resnet"}])
def test_tensorflow_pickles(read: Read, protocol: int, changes: dict[str, object]) -> None:
    state = make_state(**changes)
    found = read(tensorflow_pickle(state, protocol, conv_clamp=256, num_fp16_res=1, mapping_lrmul=0.01))
    assert found.kind is Kind.TENSORFLOW
    assert found.config == {**CONFIG, "conv_clamp": 256.0, "num_fp16_res": 1, **changes}
    # the file holds bias - 1, rounded; adding 1 again is exact up to that
    expected = {n: (t - 1) + 1 if n.endswith("affine.bias") and "synthesis" in n else t for n, t in state.items()}
    assert_same(found.state, expected)


ROSINALITY = {
    "converted": lambda ros, mean: {"g_ema": ros, "latent_avg": mean},
    "with discriminator": lambda ros, mean: {"g": ros, "d": {"x": torch.zeros(3)}, "g_ema": ros, "latent_avg": mean},
    "one row": lambda ros, mean: {"g_ema": ros, "latent_avg": mean[None]},
}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stream"])
@pytest.mark.parametrize("case", ROSINALITY)
def test_rosinality_converted(read: Read, case: str, zipped: bool) -> None:
    state = make_state(z_dim=8)
    ros, mean = nvidia_to_rosinality(state)
    found = read(torch_file(ROSINALITY[case](OrderedDict(ros), mean), zipped))
    assert found.kind is Kind.ROSINALITY
    assert found.config == {**CONFIG, "z_dim": 8}
    assert found.notes == ()
    assert_same(found.state, state)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stream"])
def test_rosinality_trained(read: Read, zipped: bool) -> None:
    """No mean of w is kept: it is computed, always the same, and said."""
    state = make_state(z_dim=8)
    ros, _ = nvidia_to_rosinality(state)
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimiser = torch.optim.Adam([parameter], lr=0.1)
    parameter.grad = torch.ones(3)
    optimiser.step()
    content = {"g": ros, "d": {}, "g_ema": ros, "g_optim": optimiser.state_dict(), "d_optim": {}}
    content |= {"args": argparse.Namespace(size=16, path="data", r1=10.0), "ada_aug_p": 0.1}
    found = read(torch_file(content, zipped))
    assert "mean of w" in found.notes[0]
    mean = found.state.pop("mapping.w_avg")
    assert mean.shape == (8,)
    assert torch.equal(mean, read(torch_file(content, zipped)).state["mapping.w_avg"])
    del state["mapping.w_avg"]
    assert_same(found.state, state)


def test_bare_tensors_by_any_names(read: Read, tmp_path: Path) -> None:
    state = make_state(z_dim=8)
    ros, _ = nvidia_to_rosinality(state)
    assert_same(read(torch_file(state)).state, state)
    save_file(state, tmp_path / "nv.safetensors")
    assert_same(read_checkpoint(tmp_path / "nv.safetensors").state, state)
    other = tmp_path / os.fsdecode(b"caf\xe9.safetensors")
    (tmp_path / "nv.safetensors").rename(other)
    assert_same(read_checkpoint(other).state, state)
    save_file(ros, tmp_path / "ros.safetensors")
    assert read_checkpoint(tmp_path / "ros.safetensors").kind is Kind.ROSINALITY


def stit(quads: object, frames: int = 2, rows: int = 6) -> bytes:
    return torch_file(
        {"generator": nvidia_module(make_state()), "pivots": torch.randn(frames, rows, 8), "quads": quads}
    )


@pytest.mark.parametrize("rows", [6, 1])
def test_stit(read: Read, rows: int) -> None:
    quads = [np.arange(8.0).reshape(4, 2), np.ones((4, 2))]
    found = read(stit(quads, rows=rows))
    assert found.kind is Kind.STIT
    assert found.pivots is not None
    assert found.pivots.shape == (2, rows, 8)
    assert found.quads is not None
    assert found.quads.dtype == np.float64
    np.testing.assert_array_equal(found.quads, quads)
    np.testing.assert_array_equal(read(stit(np.stack(quads), rows=rows)).quads, quads)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: stit([np.ones((4, 2))]), "2 pivots, but another number of quads"),
        (lambda: stit([np.ones((4, 3))] * 2), "no arrays"),
        (lambda: stit([np.full((4, 2), np.nan)] * 2), "finite"),
        (lambda: stit([np.ones((4, 2), np.int64)] * 2), "no arrays"),
        (lambda: stit(None), "no arrays"),
        (lambda: stit([np.ones((4, 2))] * 2, rows=5), r"shape \[2, 5, 8\], its generator takes 6 rows"),
    ],
)
def test_stit_with_parts_that_do_not_fit(read: Read, data: Callable[[], bytes], message: str) -> None:
    with pytest.raises(UnknownCheckpoint, match=message):
        read(data())


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stream"])
@pytest.mark.parametrize(("told", "kind"), [("Encoder4Editing", Kind.E4E), ("GradualStyleEncoder", Kind.PSP)])
def test_encoders(read: Read, told: str, kind: Kind, zipped: bool) -> None:
    content = encoder_content(told)
    found = read(torch_file(content, zipped))
    assert found.kind is kind
    assert found.role == "encoder"
    assert found.config == {"num_styles": 6}
    assert {f"encoder.{name}" for name in found.state} | {"decoder.input.input"} == set(content["state_dict"])
    assert all(torch.equal(tensor, content["state_dict"][f"encoder.{name}"]) for name, tensor in found.state.items())
    assert found.latent_avg is not None
    assert torch.equal(found.latent_avg, content["latent_avg"])
    assert found.options["start_from_latent_avg"] is True
    assert "weird" not in found.options


def test_alexnet_without_its_classifier(read: Read) -> None:
    state = {"features.0.weight": torch.ones(64, 3, 11, 11), "classifier.1.weight": torch.ones(3, 3)}
    found = read(torch_file(state))
    assert found.kind is Kind.ALEXNET
    assert list(found.state) == ["features.0.weight"]


# What is refused, and what is said


def changed(**changes: object) -> bytes:
    """A torch file of a generator's tensors with some replaced (None: left out)."""
    state = make_state()
    for name, value in changes.items():
        key = name.replace("__", ".")
        state.pop(key, None)
        if value is not None:
            state[key] = value  # type: ignore[assignment]
    return torch_file(state)


def encoder_without(name: str, instead: Tensor | None = None) -> bytes:
    content = encoder_content()
    content["state_dict"].pop(f"encoder.{name}", None)
    if instead is not None:
        content["state_dict"][f"encoder.{name}"] = instead
    return torch_file(content)


def module_with(**attributes: object) -> bytes:
    root = nvidia_module(make_state())
    root.modules["synthesis"].modules["b8"].modules["conv1"].attributes |= attributes
    return nvidia_pickle(root, 4)


def safetensors_bytes(header: object) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(64)


def data_pkl() -> bytes:
    """What is left of a torch file where a browser has unpacked it."""
    with zipfile.ZipFile(io.BytesIO(torch_file({"g_ema": {"a": torch.ones(3)}}))) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "the file is empty"),
    "text": (lambda: b"hello", "it is no checkpoint"),
    "web page": (lambda: b"<!DOCTYPE html><html>", "it is a web page: the download has failed"),
    "git lfs": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "pointer of Git LFS"),
    "bzip2": (lambda: b"BZh91AY&SY", "unpack it first"),
    "npy": (lambda: b"\x93NUMPY\x01\x00", "it is a numpy array"),
    "zip": (lambda: b"PK\x05\x06" + bytes(18), "damaged or empty zip"),
    "data.pkl of a torch file": (data_pkl, "the data.pkl out of a torch file"),
    "lone tensor": (lambda: torch_file(torch.zeros(1, 512)), "lone tensor; an edit direction"),
    "list": (lambda: torch_file([torch.zeros(3)]), "no dictionary of tensors"),
    "numbers": (lambda: torch_file({"a": 1}), "no dictionary of tensors: a is none"),
    "whole model": (lambda: torch_file(torch.nn.Linear(1, 1)), "torch.nn.modules.linear.Linear"),
    "unknown network": (lambda: torch_file({"conv.weight": torch.zeros(3)}), "no known network"),
    "BiSeNet": (lambda: torch_file({"cp.resnet.conv1.weight": torch.zeros(3)}), "face parser BiSeNet"),
    "IR-SE50": (
        lambda: torch_file({"input_layer.0.weight": torch.zeros(3), "body.0.res_layer.1.weight": torch.zeros(3)}),
        "face recogniser IR-SE50",
    ),
    "HyperStyle": (lambda: torch_file({"state_dict": {"hypernet.x": torch.zeros(3)}, "opts": {}}), "HyperStyle"),
    "SFE": (lambda: torch_file({"state_dict": {"inverter.x": torch.zeros(3)}}), "StyleFeatureEditor"),
    "StyleGANEX": (lambda: torch_file({"state_dict": {}, "opts": {}, "editing_w": torch.zeros(3)}), "StyleGANEX"),
    "GANSpace": (
        lambda: torch_file({"mean": torch.zeros(3), "comp": torch.zeros(3), "std": torch.zeros(3)}),
        "GANSpace",
    ),
    "StyleGAN3 tensors": (lambda: torch_file({"synthesis.input.freqs": torch.zeros(3)}), "StyleGAN3"),
    "other encoder": (lambda: torch_file(encoder_content("BackboneEncoderIntoW")), "its encoder is Backbone"),
    "encoder without options": (lambda: torch_file(encoder_content(opts=None)), "its encoder is None"),
    "encoder with another mean": (
        lambda: torch_file(encoder_content(latent_avg=torch.zeros(5, 8))),
        r"latent_avg has shape \[5, 8\], not \[6, 8\]",
    ),
    "encoder without a tensor": (lambda: encoder_without("body.3.res_layer.1.weight"), "its encoder lacks body.3.res"),
    "encoder of another shape": (lambda: encoder_without("latlayer1.bias", torch.zeros(3)), "latlayer1.bias has shape"),
    "encoder with more": (lambda: encoder_without("extra", torch.zeros(3)), "that the encoder has not: extra"),
    "encoder without heads": (lambda: torch_file(encoder_content(state_dict={})), "no IR-SE50 encoder"),
    "encoder with a strange mean": (lambda: torch_file(encoder_content(latent_avg=[1])), "latent_avg is no tensor"),
    "missing tensor": (lambda: changed(synthesis__b8__conv0__bias=None), "it lacks synthesis.b8.conv0.bias"),
    "surplus tensor": (lambda: changed(extra=torch.zeros(1)), "StyleGAN2 generator has not: extra"),
    "other shape": (
        lambda: changed(synthesis__b8__conv0__bias=torch.zeros(9)),
        r"synthesis.b8.conv0.bias has shape \[9\], not \[4\]",
    ),
    "not finite": (
        lambda: changed(synthesis__b8__conv0__bias=torch.full((4,), torch.nan)),
        "synthesis.b8.conv0.bias holds numbers that are not finite",
    ),
    "integers": (
        lambda: changed(synthesis__b8__conv0__bias=torch.zeros(4, dtype=torch.int64)),
        "synthesis.b8.conv0.bias holds int64",
    ),
    "another filter": (
        lambda: changed(synthesis__b8__resample_filter=torch.ones(4, 4)),
        "not the resampling filter",
    ),
    "grey": (
        lambda: changed(synthesis__b16__torgb__weight=torch.zeros(1, 3, 1, 1)),
        "synthesis.b16.torgb.weight has shape",
    ),
    "a block between is missing": (lambda: changed(synthesis__b8__conv1__weight=None), "blocks for"),
    "tensors larger than the file": (
        lambda: torch_file(dict.fromkeys(make_state(), torch.zeros(100_000))),
        "together are larger than the file",
    ),
    "no G_ema": (lambda: nvidia_pickle(None, 4), "no generator G_ema"),
    "not a generator": (lambda: nvidia_pickle(nvidia_module({"fc.weight": torch.zeros(3)}), 4), "is no StyleGAN2"),
    "StyleGAN3 module": (
        lambda: nvidia_pickle(nvidia_module({"synthesis.L0_36_16.weight": torch.zeros(3)}), 4),
        "StyleGAN3",
    ),
    "other activation": (lambda: module_with(activation="relu"), "activation is relu, only lrelu is known"),
    "no noise": (lambda: module_with(use_noise=False), "use_noise is False"),
    "mixed clamps": (lambda: module_with(conv_clamp=256.0), "clamp to different values"),
    "strange clamp": (lambda: module_with(conv_clamp="x"), "conv_clamp is x"),
    "TensorFlow StyleGAN (1)": (
        lambda: tensorflow_pickle({"synthesis.b4.const": torch.zeros(5, 4, 4)}, 4),
        r"StyleGAN \(1\) generator",
    ),
    "TensorFlow, other mapping": (
        lambda: tensorflow_pickle(make_state(), 4, mapping_lrmul=1.0),
        "mapping_lrmul is 1.0, only 0.01 is known",
    ),
    "TensorFlow, other kernel": (
        lambda: tensorflow_pickle(make_state(), 4, resample_kernel=[1, 1]),
        r"resampling kernel is not \[1, 3, 3, 1\]",
    ),
    "safetensors, cut": (lambda: safetensors_bytes({"a": 1})[:12], "ends early"),
    "safetensors, huge header": (lambda: struct.pack("<Q", 1 << 40) + b"{" + bytes(50), "ends early"),
    "safetensors, nonsense": (lambda: safetensors_bytes({"a": {"dtype": "F32"}}), "damaged safetensors"),
    "safetensors, out of bounds": (
        lambda: safetensors_bytes({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}),
        "damaged safetensors",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_other_files_get_a_line_that_says_what_they_are(read: Read, case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(UnknownCheckpoint, match=message) as caught:
        read(make())
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 6


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, message in (("absent", "no such file"), ("", "a folder"), ("pipe", "no file")):
        with pytest.raises(UnknownCheckpoint, match=message):
            read_checkpoint(tmp_path / name)
    with pytest.raises(UnknownCheckpoint, match="no file"):
        read_checkpoint("/dev/zero")
    with pytest.raises(UnknownCheckpoint, match="cannot be opened"):
        read_checkpoint("nul\0l")


def test_reading_changes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "g.pt"
    before = torch_file(make_state())
    path.write_bytes(before)
    read_checkpoint(path).state["synthesis.b4.const"].zero_()
    assert path.read_bytes() == before


def test_both_ways_between_the_names_are_exact() -> None:
    state = load_file(GOLDEN / "nv_r64_w64_m4.weights.safetensors")
    ros, mean = nvidia_to_rosinality(state)
    assert_same(rosinality_to_nvidia(ros, mean), state)
    ros = load_file(GOLDEN / "ros_r32_w64_m4.weights.safetensors")
    there = rosinality_to_nvidia(ros, torch.zeros(64))
    assert_same(nvidia_to_rosinality(there)[0], ros)
