"""Layers of an edit on the disk: what is in them adds up, and whose folder they replace."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from prepared import prepared_project

from stitchedit.errors import ConfigError, WouldReplace
from stitchedit.pipeline.done_edit import load_edit
from stitchedit.pipeline.edit_layers import usual_folder, write_edit_layers
from stitchedit.project.folder import Project
from stitchedit.types import FloatArray


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.open(prepared_project(tmp_path_factory.mktemp("layers")) / "clip.mp4.stitch")


def read(file: Path) -> dict[str, FloatArray]:
    return {
        name.removesuffix(".A"): channel.pixels.astype(np.float32)
        for name, channel in OpenEXR.File(str(file)).channels().items()
    }


def test_the_files_add_up_and_say_what_they_are(project: Project, tmp_path: Path) -> None:
    edit, folder = load_edit(project, "push+1.5"), tmp_path / "out" / "layers"
    told: list[int] = []
    summary = write_edit_layers(edit, folder, progress=lambda stage, done, total, note="": told.append(done))
    assert (summary.frames, summary.edited_frames, summary.samples) == (6, 6, "half")
    assert summary.bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert told == [1, 2, 3, 4, 5, 6]
    pictures = [f"layers.{number:04d}.exr" for number in range(1, 7)]
    scripts = ["shot.comp", "shot.json", "shot.nk", "shot.otio", "shot_blender.py"]
    assert sorted(path.name for path in folder.iterdir()) == [*pictures, *scripts]
    for name, frame in zip(pictures, edit.composited(), strict=True):
        layers = read(folder / name)
        matte = layers["matte"][..., None]
        np.testing.assert_array_equal(layers["source"] + layers["delta"], layers["edited"])
        whole = layers["source"] * (1 - matte) + layers["inside"] * matte
        np.testing.assert_allclose(whole, layers["edited"], atol=0.5 / 255)
        np.testing.assert_allclose(layers["source"], frame.source.values(), atol=0.25 / 255)
        luma = (layers["edited"] - frame.edited.values()) @ (0.299, 0.587, 0.114)
        assert np.abs(luma).max() < 0.7 / 219, "the video's picture, but for its rounding and its coarse chroma"
        assert "edited with stitchedit" in OpenEXR.File(str(folder / name), header_only=True).header()["comments"]


def test_the_record_tells_where_the_crops_lie(project: Project, tmp_path: Path) -> None:
    write_edit_layers(load_edit(project, "push+1.5"), tmp_path / "layers")
    record = json.loads((tmp_path / "layers" / "shot.json").read_text())
    assert (record["name"], record["rate"], record["regions"]) == ("push+1.5", "24", ["face"])
    assert (tmp_path / "layers" / record["source"]).resolve() == project.source.resolve()
    face = record["frames"][2]["faces"][0]
    uv = np.stack([read(tmp_path / "layers" / "layers.0003.exr")[f"uv.{letter}"] for letter in "RG"], axis=-1)
    y, x = (int(v) for v in np.argwhere(uv.all(-1))[100])
    u, v, one = np.array(face["crop_from_frame"]) @ (x + 0.5, y + 0.5, 1)
    np.testing.assert_allclose((u, 1 - v, one), (*uv[y, x], 1), atol=1e-5)


def test_a_scale_shows_that_part_of_the_edit(project: Project, tmp_path: Path) -> None:
    edit = load_edit(project, "push+1.5")
    write_edit_layers(edit, tmp_path / "whole")
    write_edit_layers(edit, tmp_path / "part", scale=0.7)
    whole, part = (read(tmp_path / name / "layers.0001.exr") for name in ("whole", "part"))
    np.testing.assert_allclose(part["delta"], 0.7 * whole["delta"], atol=0.25 / 255)
    np.testing.assert_array_equal(part["source"] + part["delta"], part["edited"])
    for scale in (-1, 11, float("nan")):
        with pytest.raises(ConfigError, match="--scale is"):
            write_edit_layers(edit, tmp_path / "none", scale=scale)


def test_only_layers_are_replaced_unasked(project: Project, tmp_path: Path) -> None:
    edit, folder = load_edit(project, "push+1.5"), tmp_path / "layers"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    (folder / "shot.json").write_text("[]")
    with pytest.raises(WouldReplace, match="other files than layers"):
        write_edit_layers(edit, folder)
    write_edit_layers(edit, folder, overwrite=True)
    assert (folder / "mine.txt").read_text() == "mine"
    write_edit_layers(edit, folder)  # ours by now
    with pytest.raises(WouldReplace, match="no folder"):
        write_edit_layers(edit, folder / "mine.txt")
    assert not list(tmp_path.glob(".*")) + list(folder.glob(".*")), "nothing half done is left"


def test_layers_are_called_after_clip_and_edit(project: Project) -> None:
    assert usual_folder(project, "age+2").name == "clip.age+2.layers"
    assert usual_folder(project, "age+2", 0.7).name == "clip.age+2.x0.7.layers"
