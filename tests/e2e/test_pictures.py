"""The real command line on shots of numbered pictures: EXR in linear light and 16-bit PNG."""

import json
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
from command_line import CLIP, TINY, error, run

from stitchedit.video import open_video
from stitchedit.video.linear_light import light

FRAMES = 6
FIRST = 1001


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`exr/plate.%04d.exr` and `png/plate.%04d.png`, the demo clip's first frames, brighter than white in a corner."""
    folder = tmp_path_factory.mktemp("shots")
    for kind in ("exr", "png"):
        (folder / kind).mkdir()
    for number, frame in enumerate(islice(open_video(CLIP), FRAMES), FIRST):
        rgb = frame.rgb_float()
        linear = light(rgb)
        linear[:4, :4] = 7.5
        channels = {name: linear[..., k].astype("f2") for k, name in enumerate("RGB")}
        channels |= {"A": np.ones(rgb.shape[:2], "f2"), "Z": np.full(rgb.shape[:2], number, "f4")}
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, "scene": "12A"}
        OpenEXR.File(header, channels).write(str(folder / "exr" / f"plate.{number}.exr"))
        deep = np.clip(np.rint(rgb[..., ::-1] * 257), 0, 65535).astype(np.uint16)
        assert cv2.imwrite(str(folder / "png" / f"plate.{number}.png"), deep)
    return folder


def exr(path: Path) -> dict[str, np.ndarray]:
    part = OpenEXR.File(str(path), separate_channels=True).parts[0]
    return {name: channel.pixels for name, channel in part.channels.items()}


@pytest.mark.slow
def test_an_exr_shot_from_its_folder_to_a_folder(shots: Path, tmp_path: Path) -> None:
    direction = tmp_path / "push.npy"
    np.save(direction, np.random.default_rng(0).normal(size=64).astype(np.float32))
    run("invert", "exr", "--fps", "24", "--generator", TINY, "--preset", "fast", cwd=shots)
    assert (shots / "exr.stitch" / "project.toml").is_file()
    edit = ("edit", "exr.stitch", "--direction", direction, "--strength", "2", "-o", "out", "--force", "--json")
    summary = json.loads(run(*edit, cwd=shots).stdout)
    assert summary["frames"] == summary["edited_frames"] == FRAMES
    names = sorted(path.name for path in (shots / "exr").iterdir())
    assert sorted(path.name for path in (shots / "out").iterdir()) == names
    for name in names:
        old, new = exr(shots / "exr" / name), exr(shots / "out" / name)
        assert set(old) == set(new)
        changed = np.any([old[c] != new[c] for c in "RGB"], axis=0)
        assert 0.02 < changed.mean() < 0.7, "the face, not the picture"
        assert not changed[:4, :4].any()
        assert (new["R"][:4, :4] == 7.5).all()
        assert all(old[c].tobytes() == new[c].tobytes() for c in "AZ")
    again = json.loads(run(*edit, cwd=shots).stdout)
    assert again["seconds"]["video"] == 0.0, "known by its pictures"
    said = json.loads(run("provenance", f"out/{names[0]}", "--json", cwd=shots).stdout)
    assert said["edits"] == ["push +2"]
    assert json.loads(run("provenance", "out", "--json", cwd=shots).stdout)["edits"] == ["push +2"]
    (shots / "out" / names[2]).unlink()
    told = run(*edit, cwd=shots)
    assert "is missing" in told.stderr
    assert (shots / "out" / names[2]).is_file()


@pytest.mark.slow
def test_a_png_shot_by_its_pattern(shots: Path, tmp_path: Path) -> None:
    direction = tmp_path / "push.npy"
    np.save(direction, np.random.default_rng(0).normal(size=64).astype(np.float32))
    arguments = ("--generator", TINY, "--preset", "fast", "--json")
    summary = json.loads(run("invert", "png/plate.%04d.png", *arguments, cwd=shots).stdout)
    assert any("25 frames a second are assumed" in note for note in summary["notes"])
    edit = ("edit", summary["project"], "--direction", direction, "-o", "graded/v2.%05d.png", "--force")
    run(*edit, cwd=shots)
    for number in range(FIRST, FIRST + FRAMES):
        old = cv2.imread(str(shots / "png" / f"plate.{number}.png"), cv2.IMREAD_UNCHANGED)
        new = cv2.imread(str(shots / "graded" / f"v2.{number:05d}.png"), cv2.IMREAD_UNCHANGED)
        assert old is not None
        assert new is not None
        assert new.dtype == np.uint16
        changed = (old != new).any(axis=2)
        assert 0.02 < changed.mean() < 0.7
        assert not changed[0].any()
    figures = json.loads(
        run("evaluate", "graded/v2.%05d.png", "--project", summary["project"], "--json", cwd=shots).stdout
    )
    assert figures["figures"]["outside_max"]["value"] == 0


def test_what_is_wrong_with_a_shot_is_one_line(shots: Path, tmp_path: Path) -> None:
    for number in (1, 2, 4):
        (tmp_path / f"f.{number}.png").write_bytes((shots / "png" / f"plate.{FIRST}.png").read_bytes())
    assert "number 3 is missing between f.2.png and f.4.png" in error(run("invert", tmp_path, cwd=shots, expect=4))
    assert "f.4.png: it has 8 x 8 pixels" in error(_with_small(tmp_path, shots))
    assert "--fps" in error(run("invert", CLIP, "--fps", "24", cwd=shots, expect=2))
    assert "--fps is 'x'" in error(run("invert", "png", "--fps", "x", cwd=shots, expect=2))


def _with_small(folder: Path, cwd: Path):  # type: ignore[no-untyped-def]
    (folder / "f.3.png").write_bytes((folder / "f.2.png").read_bytes())
    assert cv2.imwrite(str(folder / "f.4.png"), np.zeros((8, 8, 3), np.uint16))
    return run("invert", folder, cwd=cwd, expect=4)
