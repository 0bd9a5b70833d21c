"""The whole job with a small StyleGAN3 of random weights: a file of NVIDIA's kind, invert, edit."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_files import nvidia_module, nvidia_pickle, stylegan3_state
from command_line import CLIP
from safetensors.torch import load_file

sys.path.append(str(Path(__file__).parent))
from killed_runs import INVERT

import stitchedit as se
from stitchedit.errors import WrongShape
from stitchedit.video import open_video, write_video

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> se.Inversion:
    folder = tmp_path_factory.mktemp("stylegan3")
    state = stylegan3_state(z_dim=16, w_dim=16, img_resolution=32, num_layers=4, num_critical=2, channel_max=8)
    torch.nn.init.normal_(state["mapping.w_avg"])
    (folder / "g.pkl").write_bytes(nvidia_pickle(nvidia_module(state), 4))
    source = open_video(CLIP)
    write_video(folder / "clip.mp4", source, islice(source, 3))
    return se.invert(folder / "clip.mp4", config=replace(INVERT, generator=str(folder / "g.pkl")))


def test_it_is_tuned_in_every_layer(clip: se.Inversion) -> None:
    assert clip.generator.architecture == "stylegan3"
    assert clip.latents.ws.shape == (3, 6, 16)
    assert clip.crops.size == 32
    tuned = load_file(clip.project.generator)
    start = se.load_generator(clip.project.fact("settings", "generator")).state_dict()
    for name, before in start.items():
        learns = name.startswith("synthesis") and name.endswith(("weight", "bias"))
        assert torch.equal(before, tuned[name]) != learns, name


def test_an_edit_changes_the_face_alone(clip: se.Inversion) -> None:
    direction = se.Direction(vector=np.random.default_rng(0).normal(size=16))
    stitch = se.StitchConfig(steps=1, first_steps=2, border_threshold=0)
    out = clip.project.root.parent / "out.mkv"
    done = se.edit(clip, direction, output=out, stitch=stitch, lossless=True)
    before, after = ([f.rgb().astype(int) for f in open_video(path)] for path in (clip.source.info.path, out))
    assert done is not None
    assert len(after) == len(before) == 3
    changed = np.abs(after[1] - before[1]).max(axis=2) > 8
    assert 0.005 < changed.mean() < 0.4
    assert not changed[0].any()


def test_rows_of_another_generator_are_refused(clip: se.Inversion) -> None:
    with pytest.raises(WrongShape):
        clip.draw(0, [se.Direction(vector=np.random.default_rng(0).normal(size=(18, 16)))])
