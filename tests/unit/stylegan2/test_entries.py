"""Generators as the field saves them: under many keys, with prefixes, by BasicSR's names, without their buffers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_files import make_state, nvidia_module, nvidia_pickle, torch_file
from safetensors.torch import save_file
from torch import Tensor

from stitchedit.errors import UnknownCheckpoint
from stitchedit.stylegan2.checkpoints import Checkpoint, read_checkpoint
from stitchedit.stylegan2.entries import AS_TRAINED, RUNNING_MEANS
from stitchedit.stylegan2.rosinality import nvidia_to_rosinality

STATE = make_state(z_dim=8)
ROSINALITY, MEAN = nvidia_to_rosinality(STATE)


def read(content: Any, folder: Path) -> Checkpoint:
    path = folder / "file.bin"
    path.write_bytes(content if isinstance(content, bytes) else torch_file(content))
    return read_checkpoint(path)


def same(found: Checkpoint, expected: dict[str, Tensor] = STATE) -> bool:
    return found.state.keys() == expected.keys() and all(torch.equal(found.state[n], t) for n, t in expected.items())


def by_basicsr(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """rosinality's names as BasicSR's converter changes them."""
    out = {}
    for name, value in state.items():
        new = re.sub(r"^style\.", "style_mlp.", name)
        new = re.sub(r"^input\.input$", "constant_input.weight", new)
        new = re.sub(r"^(conv(?:1|s\.\d+))\.noise\.weight$", r"\1.weight", new)
        new = re.sub(r"^conv(1|s\.\d+)\.", r"style_conv\1.", new)
        new = re.sub(r"^((?:style_conv|to_rgb).*)\.conv\.", r"\1.modulated_conv.", new)
        out[re.sub(r"^noises\.noise_", "noises.noise", new)] = value
    return {name: value for name, value in out.items() if not name.endswith("kernel")}


@pytest.mark.parametrize("key", [*RUNNING_MEANS, *AS_TRAINED, "my_generator"])
def test_the_entry_that_is_a_generator_is_found_by_any_key(key: str, tmp_path: Path) -> None:
    content = {"d": {"conv.weight": torch.zeros(3)}, "step": 7, key: ROSINALITY, "latent_avg": MEAN}
    found = read(content, tmp_path)
    assert same(found)
    assert bool(found.notes) == (key in AS_TRAINED), "that it is no running mean is told"


def test_the_running_mean_goes_before_the_rest_and_others_are_not_guessed(tmp_path: Path) -> None:
    other = {name: value + 1 if name == "input.input" else value for name, value in ROSINALITY.items()}
    assert same(read({"g": other, "g_ema": ROSINALITY, "latent_avg": MEAN}, tmp_path))
    with pytest.raises(UnknownCheckpoint, match="several generators: one, two"):
        read({"one": other, "two": ROSINALITY}, tmp_path)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.module.", "netG."])
@pytest.mark.parametrize("names", ["nvidia", "rosinality", "basicsr"])
def test_a_prefix_that_all_names_share_is_dropped(prefix: str, names: str, tmp_path: Path) -> None:
    states = {"nvidia": STATE, "rosinality": ROSINALITY, "basicsr": by_basicsr(ROSINALITY)}
    state = {prefix + name: value for name, value in states[names].items()}
    assert same(read({"g_ema": state, "latent_avg": MEAN}, tmp_path))
    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "bare.safetensors")
    bare = read_checkpoint(tmp_path / "bare.safetensors")
    assert {n for n in STATE if not torch.equal(bare.state[n], STATE[n])} <= {"mapping.w_avg"}


def test_missing_buffers_are_made_anew_always_the_same_and_told(tmp_path: Path) -> None:
    bare = {name: value for name, value in ROSINALITY.items() if not name.startswith("noises")}
    found = read({"g_ema": bare, "latent_avg": MEAN}, tmp_path)
    assert found.notes == ("the file keeps no noise for 5 of its layers: it was drawn from seed 0",)
    noises = {name for name in STATE if name.endswith("noise_const")}
    assert {name for name in STATE if not torch.equal(found.state[name], STATE[name])} == noises
    again = read({"g_ema": bare, "latent_avg": MEAN}, tmp_path)
    assert same(again, dict(found.state))
    one_left = {**bare, "noises.noise_2": ROSINALITY["noises.noise_2"]}
    assert torch.equal(
        read(one_left, tmp_path).state["synthesis.b8.conv1.noise_const"], STATE["synthesis.b8.conv1.noise_const"]
    )
    parameters = {
        name: value for name, value in STATE.items() if not name.endswith(("noise_const", "_filter", "w_avg"))
    }
    assert len(read(parameters, tmp_path).notes) == 2


def test_a_pickle_that_has_the_trained_one_alone_is_taken_and_told(tmp_path: Path) -> None:
    found = read(nvidia_pickle(nvidia_module(STATE), 4, key="G"), tmp_path)
    assert same(found)
    assert "'G'" in found.notes[0]


def test_what_was_seen_is_told_truly(tmp_path: Path) -> None:
    content = {"encoder": {"conv.weight": torch.zeros(3)}, "optim": {"state": {}}}
    with pytest.raises(UnknownCheckpoint, match=r"none of its entries \(encoder, optim\) is a StyleGAN2 .* g_ema, par"):
        read(content, tmp_path)
    with pytest.raises(UnknownCheckpoint, match=r"its tensors \(conv\.weight\) are those of no known network"):
        read({"conv.weight": torch.zeros(3)}, tmp_path)
    with pytest.raises(UnknownCheckpoint, match=r"lacks conv1\.activate\.bias"):
        read({"g_ema": {n: v for n, v in ROSINALITY.items() if n != "conv1.activate.bias"}}, tmp_path)
