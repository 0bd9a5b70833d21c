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
from stitchedit.config import AlignConfig
from stitchedit.errors import ConfigError, WrongShape
from stitchedit.faces.alignment import quads, uncrop
from stitchedit.pipeline.invert_plan import plan_invert
from stitchedit.pipeline.options import expand_crop
from stitchedit.video import open_video, write_video

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stylegan3")
    state = stylegan3_state(z_dim=16, w_dim=16, img_resolution=32, num_layers=4, num_critical=2, channel_max=8)
    torch.nn.init.normal_(state["mapping.w_avg"])
    (folder / "g.pkl").write_bytes(nvidia_pickle(nvidia_module(state), 4))
    source = open_video(CLIP)
    write_video(folder / "clip.mp4", source, islice(source, 3))
    return folder


@pytest.fixture(scope="module")
def clip(folder: Path) -> se.Inversion:
    return se.invert(folder / "clip.mp4", config=replace(INVERT, generator=str(folder / "g.pkl")))


@pytest.fixture(scope="module")
def wide(folder: Path) -> se.Inversion:
    """With a quarter of the crop more on every side."""
    config = expand_crop(replace(INVERT, generator=str(folder / "g.pkl")), "0.25,0.25,0.25,0.25")
    return se.invert(folder / "clip.mp4", project=folder / "wide.stitch", config=config)


def test_it_is_tuned_in_every_layer(clip: se.Inversion) -> None:
    assert clip.generator.architecture == "stylegan3"
    assert clip.latents.ws.shape == (3, 6, 16)
    assert clip.crops.size == 32
    tuned = load_file(clip.project.generator)
    start = se.load_generator(clip.project.fact("settings", "generator")).state_dict()
    for name, before in start.items():
        learns = name.startswith("synthesis") and name.endswith(("weight", "bias"))
        assert torch.equal(before, tuned[name]) != learns, name


def test_an_edit_reaches_beyond_the_crop_of_ffhq_where_asked(wide: se.Inversion, folder: Path) -> None:
    """Hair that the crop would cut off is generated and pasted too; what is no head stays as it was."""
    assert (wide.crops.size, wide.generator.resolution) == (48, 48)
    direction = se.Direction(vector=np.random.default_rng(0).normal(size=16))
    stitch = se.StitchConfig(steps=1, first_steps=2, border_threshold=0)
    out = folder / "out.mkv"
    se.edit(wide, 2 * direction, output=out, stitch=stitch, lossless=True, regions=("head",))
    before, after = ([f.rgb().astype(int) for f in open_video(path)] for path in (folder / "clip.mp4", out))
    assert len(after) == len(before) == 3
    changed = np.abs(after[1] - before[1]).max(axis=2) > 8
    assert 0.005 < changed.mean() < 0.4
    assert not changed[0].any()
    height, width = changed.shape
    ffhq = quads(wide.tracks.landmarks[:3], AlignConfig())[1]
    inside = uncrop(np.ones((64, 64), np.float32), ffhq, (0, 0, width, height), "zero", smooth=False) > 0
    assert (changed & ~inside).sum() > 500


def test_expanding_is_refused_where_it_cannot_be(folder: Path) -> None:
    def refused(config: se.InvertConfig) -> str:
        with pytest.raises(ConfigError) as caught:
            plan_invert(folder / "clip.mp4", folder / "none.stitch", expand_crop(config, "0.25,0.25,0.25,0.25"))
        return str(caught.value)

    assert "stylegan2 draws none" in refused(INVERT)
    assert "mobilestylegan draws none" in refused(replace(INVERT, generator="default"))


def test_rows_of_another_generator_are_refused(clip: se.Inversion) -> None:
    with pytest.raises(WrongShape):
        clip.draw(0, [se.Direction(vector=np.random.default_rng(0).normal(size=(18, 16)))])
