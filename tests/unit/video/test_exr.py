"""Tests of OpenEXR shots: what is not touched is equal bit for bit, whatever it holds."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest

from stitchedit.errors import CannotEncode, CannotOpen, StitcheditError
from stitchedit.video import open_video, paste, try_writing, write_video
from stitchedit.video.exr import EXR, ExrFrame
from stitchedit.video.linear_light import light, shown

WIDTH, HEIGHT = 40, 30
BOX = (8, 6, 28, 24)
AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)


def channels(
    seed: int, dtype: str = "f2", names: str = "RGBA", size: tuple[int, int] = (HEIGHT, WIDTH)
) -> dict[str, Any]:
    """Light from below black to far beyond white, with what is no number in a corner."""
    random = np.random.default_rng(seed)
    made = {name: (random.normal(0.3, 1.5, size) ** 3).astype(dtype) for name in names}
    next(iter(made.values()))[0, :3] = np.nan, np.inf, -np.inf
    return made


def write_exr(path: Path, pixels: dict[str, Any], **header: Any) -> None:
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage} | header
    OpenEXR.File(header, dict(pixels)).write(str(path))  # which puts objects of its own into the dictionary


def read_exr(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and samples."""
    part = OpenEXR.File(str(path), separate_channels=True).parts[0]
    return part.header, {name: channel.pixels for name, channel in part.channels.items()}


@pytest.mark.parametrize("dtype", ["f2", "f4"])
def test_only_what_is_pasted_changes(tmp_path: Path, dtype: str) -> None:
    (tmp_path / "shot").mkdir()
    extra = np.arange(HEIGHT * WIDTH, dtype="u4").reshape(HEIGHT, WIDTH)
    originals = []
    for n in (1001, 1002):
        originals.append(channels(n, dtype) | {"Z": extra, "crypto.R": channels(n, "f4", "X")["X"]})
        write_exr(tmp_path / "shot" / f"f.{n}.exr", originals[-1], comments="plate", rate=Fraction(24000, 1001))
    source = open_video(tmp_path / "shot", Fraction(24))
    assert (source.info.width, source.info.height, source.info.depth) == (WIDTH, HEIGHT, 8 * int(dtype[1]))
    alpha = np.zeros((BOX[3] - BOX[1], BOX[2] - BOX[0]), np.float32)
    alpha[3:-3, 3:-3] = 0.75
    patch = np.full((*alpha.shape, 3), 100.0, np.float32)
    notice = {"comment": "edited", "stitchedit": "{}"}
    write_video(tmp_path / "out", source, (paste(f, patch, alpha, BOX) for f in source), metadata=notice)
    inside = np.s_[BOX[1] + 3 : BOX[3] - 3, BOX[0] + 3 : BOX[2] - 3]
    for old, path in zip(originals, sorted((tmp_path / "out").iterdir()), strict=True):
        header, new = read_exr(path)
        assert header["comments"] == "plate; edited"
        assert header["stitchedit"] == "{}"
        assert header["rate"] == Fraction(24000, 1001)
        assert set(new) == set(old)
        for name in old:
            assert old[name].dtype == new[name].dtype
            if name in "RGB":
                wanted = light(0.25 * shown(old[name].astype(np.float32)) + 0.75 * 100)[inside]
                np.testing.assert_allclose(new[name][inside], wanted, rtol=2e-3 if dtype == "f2" else 1e-4, atol=1e-4)
                new[name][inside] = old[name][inside]
            assert old[name].tobytes() == new[name].tobytes(), f"{name} is equal to the last bit"


def test_light_is_seen_on_the_curve_of_srgb(tmp_path: Path) -> None:
    gray = np.full((4, 4), 0.18, "f4")
    write_exr(tmp_path / "f.1.exr", {"R": gray, "G": gray, "B": gray})
    frame = next(iter(open_video(tmp_path)))
    np.testing.assert_allclose(frame.rgb_float(), 117.65, atol=0.01)
    np.testing.assert_array_equal(frame.rgb(), 118)


def test_other_primaries_are_shown_in_srgb_and_go_back(tmp_path: Path) -> None:
    pixels = {name: np.random.default_rng(3).random((HEIGHT, WIDTH), np.float32) + 0.1 for name in "RGB"}
    write_exr(tmp_path / "f.1.exr", pixels, chromaticities=AP0)
    frame = next(iter(open_video(tmp_path)))
    neutral = np.full((2, 2), 0.5, "f4")
    (tmp_path / "gray").mkdir()
    write_exr(tmp_path / "gray" / "f.1.exr", dict.fromkeys("RGB", neutral), chromaticities=AP0)
    np.testing.assert_allclose(next(iter(open_video(tmp_path / "gray"))).rgb_float(), shown(neutral)[0, 0], atol=0.05)
    same = paste(frame, frame.rgb_float(), np.ones((HEIGHT, WIDTH), np.float32), (0, 0, WIDTH, HEIGHT))
    assert isinstance(same, ExrFrame)
    for name, after in zip("RGB", same.colours, strict=True):
        np.testing.assert_allclose(after, pixels[name], atol=1e-4)


def test_the_data_window_may_be_another_in_each_picture(tmp_path: Path) -> None:
    """Smaller than the picture, or reaching beyond it; positions are those of the display window."""
    (tmp_path / "shot").mkdir()
    window = (np.array([100, 50], "i4"), np.array([100 + WIDTH - 1, 50 + HEIGHT - 1], "i4"))
    for n, (x, y, size) in enumerate(((110, 55, (10, 12)), (95, 45, (45, 60))), 1):
        data = (np.array([x, y], "i4"), np.array([x + size[1] - 1, y + size[0] - 1], "i4"))
        write_exr(
            tmp_path / "shot" / f"f.{n}.exr",
            channels(n, "f2", "RGB", size),
            displayWindow=window,
            dataWindow=data,
        )
    source = open_video(tmp_path / "shot")
    small, large = source
    assert small.size == large.size == (WIDTH, HEIGHT)
    assert not small.rgb_float()[:5].any(), "black where there are no pixels"
    assert isinstance(large, ExrFrame)
    np.testing.assert_allclose(large.rgb_float((0, 0, 3, 2))[..., 0], shown(large.colours[0][5:7, 5:8]), rtol=1e-4)
    whole = (0, 0, WIDTH, HEIGHT)
    patch, alpha = np.full((HEIGHT, WIDTH, 3), 50.0, np.float32), np.ones((HEIGHT, WIDTH), np.float32)
    write_video(tmp_path / "out", source, (paste(f, patch, alpha, whole) for f in source))
    header, made = read_exr(tmp_path / "out" / "f.2.exr")
    assert header["dataWindow"][0].tolist() == [95, 45]
    np.testing.assert_allclose(made["R"][5 : 5 + HEIGHT, 5 : 5 + WIDTH], light(np.float32(50.0)), rtol=1e-3)
    np.testing.assert_array_equal(made["R"][:5], large.colours[0][:5])


def test_gray_layers_tiles_and_parts(tmp_path: Path) -> None:
    write_exr(tmp_path / "y.1.exr", {"Y": channels(1, "f2", "Y")["Y"]})
    tiled = {"type": OpenEXR.tiledimage, "tiles": OpenEXR.TileDescription()}
    write_exr(tmp_path / "t.1.exr", channels(2, "f2", "RGB"), **tiled)
    write_exr(tmp_path / "l.1.exr", {f"beauty.{k}": v for k, v in channels(3, "f4", "RGB").items()})
    depth, colour = OpenEXR.Part({"name": "depth"}, channels(4, "f4", "Z")), OpenEXR.Part({"name": "rgb"}, channels(5))
    OpenEXR.File([depth, colour]).write(str(tmp_path / "p.1.exr"))
    for name in "ytlp":
        source = open_video(tmp_path / f"{name}.%d.exr")
        write_video(tmp_path / name, source, source, metadata={"stitchedit": "{}"})
        old, new = (OpenEXR.File(str(p / f"{name}.1.exr"), separate_channels=True) for p in (tmp_path, tmp_path / name))
        assert len(old.parts) == len(new.parts)
        for before, after in zip(old.parts, new.parts, strict=True):
            assert before.header["type"] == after.header["type"]
            for key, channel in before.channels.items():
                assert channel.pixels.tobytes() == after.channels[key].pixels.tobytes()
    assert ("stitchedit", "{}") in EXR.notes(tmp_path / "p" / "p.1.exr")


def test_values_are_those_of_the_file_and_attributes_those_of_the_shot(tmp_path: Path) -> None:
    primaries = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)
    pixels = channels(5)
    write_exr(tmp_path / "a.0001.exr", pixels, chromaticities=primaries, owner="somebody")
    frame = next(iter(open_video(tmp_path)))
    assert isinstance(frame, ExrFrame)
    stored = np.stack([pixels[letter] for letter in "RGB"], axis=-1).astype(np.float32)
    np.testing.assert_array_equal(frame.values(), stored)
    back, real = frame.values_of(frame.rgb_float()), np.isfinite(stored).all(-1)
    np.testing.assert_allclose(back[real], stored[real], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(frame.attributes.pop("chromaticities"), primaries, atol=1e-6)
    assert frame.attributes["owner"] == "somebody"
    assert not {"channels", "dataWindow", "compression", "type"} & set(frame.attributes)


def test_a_lossy_compression_is_given_up_for_the_values(tmp_path: Path) -> None:
    write_exr(tmp_path / "f.1.exr", channels(1, "f4", "RGB"), compression=OpenEXR.DWAA_COMPRESSION)
    source = open_video(tmp_path)
    assert "DWAA loses precision" in " ".join(source.info.notes)
    write_video(tmp_path / "out", source, source)
    (before, old), (after, new) = read_exr(tmp_path / "f.1.exr"), read_exr(tmp_path / "out" / "f.1.exr")
    assert (before["compression"], after["compression"]) == (OpenEXR.DWAA_COMPRESSION, OpenEXR.ZIP_COMPRESSION)
    assert all(old[name].tobytes() == new[name].tobytes() for name in "RGB")


def test_what_is_refused(tmp_path: Path) -> None:
    write_exr(tmp_path / "z.1.exr", channels(1, "f4", "Z"))
    write_exr(tmp_path / "u.1.exr", {name: np.ones((4, 4), "u4") for name in "RGB"})
    write_exr(tmp_path / "c.1.exr", channels(1, "f4", "RGB"), chromaticities=(0.3,) * 8)
    (tmp_path / "n.1.exr").write_bytes(b"not at all")
    for name, why in (
        ("z", "it holds no colours"),
        ("u", "whole numbers"),
        ("c", "primaries"),
        ("n", "no OpenEXR file that can be read"),
    ):
        with pytest.raises(CannotOpen, match=rf"{name}\.1\.exr: .*{why}"):
            open_video(tmp_path / f"{name}.%d.exr")
    write_exr(tmp_path / "f.1.exr", channels(1, "f4", "RGB"))
    with pytest.raises(CannotEncode, match="EXR pictures are not written as PNG"):
        try_writing(tmp_path / "out.%d.png", open_video(tmp_path / "f.%d.exr"))


def test_a_picture_of_too_many_pixels_is_refused_unread(tmp_path: Path) -> None:
    data = io.BytesIO()
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, channels(1)).write(data)
    high = (HEIGHT - 1).to_bytes(4, "little")
    wide = (WIDTH - 1).to_bytes(4, "little")
    assert data.getvalue().count(wide + high) == 2, "both windows"
    huge = data.getvalue().replace(wide + high, (60_000).to_bytes(4, "little") * 2)
    (tmp_path / "f.1.exr").write_bytes(huge)
    with pytest.raises(CannotOpen, match=r"f\.1\.exr"):
        open_video(tmp_path)


def test_damaged_files_are_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shot").mkdir()
    path = tmp_path / "shot" / "f.1.exr"
    write_exr(path, channels(1))
    whole, refused = path.read_bytes(), []
    random = np.random.default_rng(0)
    cases = [whole[:cut] for cut in random.integers(0, len(whole), 30)]
    for _ in range(60):
        data = bytearray(whole)
        for place in random.integers(0, min(len(data), 500), 3):
            data[place] = random.integers(256)
        cases.append(bytes(data))
    for data in cases:
        path.write_bytes(data)
        try:
            source = open_video(tmp_path / "shot")
            write_video(tmp_path / "out", source, source)
        except StitcheditError as exc:
            refused.append(str(exc))
    assert len(refused) > 30
    assert all("f.1.exr" in said for said in refused)
    assert capfd.readouterr() == ("", ""), "the library's own words are kept back"
