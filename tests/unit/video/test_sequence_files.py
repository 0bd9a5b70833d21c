"""Tests of numbered PNG, TIFF and JPEG pictures, in and out; another program reads and writes the files."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin
from shots import SIZE, read_shot, write_shot

from stitchedit.errors import CannotEncode, CannotOpen, ConfigError, NotWritable, StitcheditError
from stitchedit.video import (
    Frame,
    VideoSource,
    open_video,
    paste,
    try_writing,
    usual_output,
    write_video,
    written_files,
)

BOX = (10, 8, 30, 24)
NOTICE = {"comment": "faces were edited", "stitchedit": '{"edit": "age +2"}'}


def edited(source: VideoSource) -> Iterator[Frame]:
    """A soft gray spot in each frame."""
    alpha = np.zeros((BOX[3] - BOX[1], BOX[2] - BOX[0]), np.float32)
    alpha[2:-2, 2:-2] = np.linspace(0.2, 1, alpha.shape[1] - 4, dtype=np.float32)
    for frame in source:
        yield paste(frame, np.full((*alpha.shape, 3), 128.0, np.float32), alpha, BOX)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("kind", ["gray8", "gray16", "rgb8", "rgb16", "rgba8", "rgba16"])
def test_untouched_samples_come_out_equal(tmp_path: Path, kind: str, suffix: str) -> None:
    originals = write_shot(tmp_path / "shot", kind, suffix, range(1001, 1004))
    source = open_video(tmp_path / "shot", Fraction(24))
    assert (source.info.width, source.info.height, source.info.depth) == (*SIZE, 16 if kind.endswith("16") else 8)
    assert (source.info.rate, source.info.duration, source.count()) == (24, Fraction(3, 24), 3)
    done = write_video(tmp_path / "out", source, edited(source), metadata=NOTICE)
    assert done.frames == 3
    made = read_shot(tmp_path / "out")
    assert list(made) == [f"frame.{n}{suffix}" for n in (1001, 1002, 1003)]
    inside = np.s_[BOX[1] + 2 : BOX[3] - 2, BOX[0] + 2 : BOX[2] - 2]
    for old, new in zip(originals, made.values(), strict=True):
        assert (old.shape, old.dtype) == (new.shape, new.dtype)
        changed = old != new
        assert changed[inside].any()
        if kind.startswith("rgba"):
            assert not changed[..., 3].any(), "alpha is kept"
        changed[inside] = False
        assert not changed.any()
    assert not list(tmp_path.glob(".*")), "nothing is left beside"


def test_colours_are_seen_as_another_reader_sees_them(tmp_path: Path) -> None:
    originals = write_shot(tmp_path / "shot", "rgb16", ".png", range(1, 2))
    frame = next(iter(open_video(tmp_path / "shot")))
    np.testing.assert_allclose(frame.rgb_float(), originals[0][..., ::-1] / 257.0, atol=1e-3)


def test_jpeg_is_coded_anew_near_the_old_values_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "shot").mkdir()
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    smooth = np.stack([x * 5, y * 7, 255 - x * 5], 2).astype(np.uint8)
    exif = Image.Exif()
    exif[0x010E] = "plate"
    for n in (1, 2):
        Image.fromarray(smooth).save(tmp_path / "shot" / f"f{n}.jpg", quality=95, exif=exif)
    source = open_video(tmp_path / "shot")
    done = write_video(tmp_path / "out", source, source, metadata=NOTICE)
    assert any("coded anew" in note for note in done.notes)
    for n in (1, 2):
        with Image.open(tmp_path / "shot" / f"f{n}.jpg") as old, Image.open(tmp_path / "out" / f"f{n}.jpg") as new:
            difference = np.abs(np.asarray(old, int) - np.asarray(new, int))
            assert new.getexif()[0x010E] == "plate"
        assert difference.mean() < 1.5
        assert difference.max() <= 8


def test_profiles_and_texts_of_a_png_come_along(tmp_path: Path) -> None:
    (tmp_path / "shot").mkdir()
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Scene", "12A")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.new("RGB", SIZE, "teal")
    picture.save(tmp_path / "shot" / "f.1.png", pnginfo=texts, icc_profile=profile, dpi=(72, 72))
    source = open_video(tmp_path / "shot")
    write_video(tmp_path / "out", source, source, metadata=NOTICE)
    with Image.open(tmp_path / "out" / "f.1.png") as made:
        made.load()
        assert made.info["icc_profile"] == profile
        assert made.info["Scene"] == "12A"
        assert made.info["stitchedit"] == NOTICE["stitchedit"]
        assert made.info["dpi"] == pytest.approx((72, 72), abs=0.1)


def test_a_tiff_keeps_its_profile_and_gets_the_notice(tmp_path: Path) -> None:
    (tmp_path / "shot").mkdir()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", SIZE, "teal").save(tmp_path / "shot" / "f.1.tif", icc_profile=profile, description="plate")
    source = open_video(tmp_path / "shot")
    write_video(tmp_path / "out", source, source, metadata=NOTICE)
    with Image.open(tmp_path / "out" / "f.1.tif") as made:
        made.load()
        assert made.info["icc_profile"] == profile
        said = made.tag_v2[270]
    assert said.startswith("plate")
    assert NOTICE["stitchedit"] in said


def test_a_pattern_renames_and_converts(tmp_path: Path) -> None:
    originals = write_shot(tmp_path / "shot", "rgb16", ".tif", range(7, 9))
    source = open_video(tmp_path / "shot")
    output = tmp_path / "out" / "v2.%05d.png"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "other.txt").write_text("stays")
    write_video(output, source, source)
    assert (tmp_path / "out" / "other.txt").read_text() == "stays"
    (tmp_path / "out" / "other.txt").unlink()
    made = read_shot(tmp_path / "out")
    assert list(made) == ["v2.00007.png", "v2.00008.png"]
    assert written_files(output, source) == [tmp_path / "out" / name for name in made]
    for old, new in zip(originals, made.values(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_video_can_be_written_as_pictures(clip: Path, tmp_path: Path) -> None:
    source = open_video(clip)
    done = write_video(tmp_path / "out" / "frame.%04d.png", source, source)
    assert any("no sound" in note for note in done.notes)
    made = read_shot(tmp_path / "out")
    assert list(made)[:2] == ["frame.0001.png", "frame.0002.png"]
    first = next(iter(source)).rgb()
    assert np.abs(made["frame.0001.png"][..., ::-1].astype(int) - first).max() <= 1


def test_all_at_once_or_not_at_all(tmp_path: Path) -> None:
    write_shot(tmp_path / "shot", "rgb8", ".png", range(1, 4))
    source = open_video(tmp_path / "shot")

    def breaks() -> Iterator[Frame]:
        yield next(iter(source))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_video(tmp_path / "out", source, breaks())
    assert [path.name for path in tmp_path.iterdir()] == ["shot"]
    (tmp_path / ".out.part").mkdir()
    (tmp_path / ".out.part" / "frame.0001.png").write_bytes(b"of a run that was killed")
    write_video(tmp_path / "out", source, source)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "shot"]
    write_video(tmp_path / "out", source, edited(source))
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_outputs_that_cannot_be(tmp_path: Path, clip: Path) -> None:
    write_shot(tmp_path / "shot", "rgb8", ".png", range(1, 3))
    source = open_video(tmp_path / "shot")
    for path, kind, why in (
        (tmp_path / "shot", NotWritable, "being read"),
        (tmp_path / "shot" / "frame.%04d.png", NotWritable, "being read"),
        (tmp_path / "out.%04d.exr", CannotEncode, "PNG pictures are not written as EXR"),
        (tmp_path / "out.%04d.bmp", CannotEncode, "written as pictures"),
        (tmp_path / "out.mp4", CannotEncode, "written as pictures"),
        (tmp_path / "no" / "where" / "f.%04d.png", NotWritable, "there is no folder"),
    ):
        with pytest.raises(kind, match=why):
            try_writing(path, source)
    with pytest.raises(CannotEncode, match="a video is written as PNG"):
        try_writing(tmp_path / "f.%04d.tif", open_video(clip))
    assert [path.name for path in tmp_path.iterdir()] == ["shot"]


def test_default_outputs(tmp_path: Path) -> None:
    write_shot(tmp_path / "shot", "rgb8", ".png", range(1, 2))
    assert usual_output(tmp_path / "shot", "age+2") == tmp_path / "shot.age+2"
    assert usual_output(tmp_path / "shot" / "frame.%04d.png", "age+2") == tmp_path / "shot" / "frame.png.age+2"
    for name in ("age+2", "age+2.face", "smile-1.identity+1.seed3"):
        try_writing(usual_output(tmp_path / "shot", name), open_video(tmp_path / "shot"))
        try_writing(usual_output(tmp_path / "shot" / "frame.%04d.png", name), open_video(tmp_path / "shot"))
    assert usual_output(Path("a.mp4"), "age+2") == Path("a.age+2.mp4")
    assert usual_output(Path("a.mp4"), "age+2", lossless=True) == Path("a.age+2.mkv")


def test_frames_of_another_size_or_kind_are_named(tmp_path: Path) -> None:
    write_shot(tmp_path / "shot", "rgb8", ".png", range(1, 4))
    odd = tmp_path / "shot" / "frame.0002.png"
    for picture, why in (
        (Image.new("RGB", (20, 20)), r"frame\.0002\.png: it has 20 x 20 pixels, frame\.0001\.png 48 x 32"),
        (Image.new("L", SIZE), r"frame\.0002\.png: it is 8-bit gray, frame\.0001\.png is 8-bit RGB"),
    ):
        picture.save(odd)
        with pytest.raises(CannotOpen, match=why):
            open_video(tmp_path / "shot")
    odd.write_bytes(b"GIF89a")
    with pytest.raises(CannotOpen, match=r"frame\.0002\.png: it is no PNG"):
        open_video(tmp_path / "shot")


def test_one_picture_is_no_clip(tmp_path: Path) -> None:
    write_shot(tmp_path / "shot", "rgb8", ".png", range(1, 2))
    with pytest.raises(CannotOpen, match="it is one picture"):
        open_video(tmp_path / "shot" / "frame.0001.png")


def test_frame_rates_are_for_pictures(tmp_path: Path, clip: Path) -> None:
    write_shot(tmp_path / "shot", "rgb8", ".png", range(1, 2))
    assert "25 frames a second" in "".join(open_video(tmp_path / "shot").info.notes)
    assert open_video(tmp_path / "shot", Fraction(24000, 1001)).info.notes == ()
    with pytest.raises(ConfigError, match="--fps"):
        open_video(clip, Fraction(24))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_damaged_files_are_one_line(tmp_path: Path, suffix: str) -> None:
    """Cut at every length, and with bytes changed: either read, or refused by name."""
    folder = tmp_path / "shot"
    write_shot(folder, "rgb8", suffix, range(1, 2))
    path = folder / f"frame.0001{suffix}"
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    cases = [whole[:cut] for cut in random.integers(0, len(whole), 40)]
    for _ in range(60):
        data = bytearray(whole)
        for place in random.integers(0, min(len(data), 400), 3):
            data[place] = random.integers(256)
        cases.append(bytes(data))
    refused = []
    for data in cases:
        path.write_bytes(data)
        try:
            source = open_video(folder)
            write_video(tmp_path / "out", source, source, metadata=NOTICE)
        except StitcheditError as exc:
            refused.append(str(exc))
    assert len(refused) > 30
    assert all(path.name in said for said in refused)


def test_a_picture_of_too_many_pixels_is_refused_unread(tmp_path: Path) -> None:
    write_shot(tmp_path / "shot", "rgb8", ".png", range(1, 2))
    path = tmp_path / "shot" / "frame.0001.png"
    data = bytearray(path.read_bytes())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    path.write_bytes(data)
    with pytest.raises(CannotOpen, match="60000 x 60000 pixels are too many"):
        open_video(tmp_path / "shot")
