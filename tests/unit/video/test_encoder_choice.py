"""ProRes and DNxHR: which form of them a clip gets, and how near its pictures stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from stitchedit.errors import CannotEncode
from stitchedit.video import open_video, try_writing, usual_output, write_video

Ffmpeg = Callable[..., bytes]
TAGS = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")


def clip(ffmpeg: Ffmpeg, path: Path, *options: object) -> Path:
    """Three pictures of 256 x 144 with soft colours, tagged BT.709."""
    picture = "gradients=s=256x144:r=25:c0=0x806040:c1=0x406090:seed=1:x0=20:y0=20:x1=200:y1=120"
    ffmpeg("-f", "lavfi", "-i", picture, "-frames:v", 3, *options, *TAGS, path)
    return path


FORMS = {  # of the source: its name, how it is made
    "yuv420p": ("in.mp4", ("-c:v", "libx264", "-crf", 4, "-pix_fmt", "yuv420p")),
    "yuvj420p": ("in.mp4", ("-c:v", "libx264", "-crf", 4, "-pix_fmt", "yuvj420p")),
    "yuv422p10le": ("in.mov", ("-c:v", "prores_ks", "-profile:v", 3, "-pix_fmt", "yuv422p10le")),
    "yuva444p12le": ("in.mov", ("-c:v", "prores_ks", "-profile:v", 4, "-pix_fmt", "yuva444p10le")),
    "gbrp": ("in.mkv", ("-c:v", "ffv1", "-pix_fmt", "gbrp")),
}


@pytest.mark.parametrize(
    ("form", "codec", "profile", "wrote", "notes"),
    [
        ("yuv420p", "prores", "HQ", "yuv422p10le", []),
        ("yuvj420p", "prores", "HQ", "yuv422p10le", []),
        ("yuv422p10le", "prores", "HQ", "yuv422p10le", []),
        ("yuva444p12le", "prores", "4444", "yuva444p12le", ["12 bits"]),
        ("yuv420p", "dnxhr", "DNXHR HQ", "yuv422p", []),
        ("yuvj420p", "dnxhr", "DNXHR HQ", "yuv422p", []),
        ("yuv422p10le", "dnxhr", "DNXHR HQX", "yuv422p10le", []),
        ("yuva444p12le", "dnxhr", "DNXHR 444", "yuv444p10le", ["transparency is", "12 bits"]),
        ("gbrp", "dnxhr", "DNXHR 444", "gbrp10le", []),
    ],
)
def test_a_clip_gets_the_form_that_holds_it(
    ffmpeg: Ffmpeg, tmp_path: Path, form: str, codec: str, profile: str, wrote: str, notes: list[str]
) -> None:
    name, options = FORMS[form]
    source = open_video(clip(ffmpeg, tmp_path / name, *options))
    done = write_video(tmp_path / "out.mov", source, source, codec=codec)
    assert [" ".join(note.split()[:2]) for note in done.notes] == notes
    with av.open(done.path) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.profile, stream.codec_context.pix_fmt) == (profile, wrote)
    for old, new in zip(source, open_video(done.path), strict=True):
        assert old.time == new.time
        off = new.rgb_float() - old.rgb_float()
        assert np.abs(off).mean() < 0.8
        assert np.abs(off.mean((0, 1))).max() < 0.5, "full range has become limited, and is read as such"


def test_what_does_not_go_is_refused_before_the_work(ffmpeg: Ffmpeg, tmp_path: Path) -> None:
    rgb = open_video(clip(ffmpeg, tmp_path / "rgb.mkv", *FORMS["gbrp"][1]))
    with pytest.raises(CannotEncode, match="ProRes has no form of"):
        try_writing(tmp_path / "out.mov", rgb, codec="prores")
    video = open_video(clip(ffmpeg, tmp_path / "in.mp4", *FORMS["yuv420p"][1]))
    with pytest.raises(CannotEncode, match=r"ProRes is written to \.mov") as told:
        try_writing(tmp_path / "out.mp4", video, codec="prores")
    assert told.value.hint == "name it out.mov"
    old = tmp_path / "old.mp4"
    ffmpeg("-i", tmp_path / "in.mp4", "-c:v", "libx264", "-colorspace", "smpte170m", old)
    with pytest.raises(CannotEncode, match=r"BT\.709") as told:
        try_writing(tmp_path / "out.mov", open_video(old), codec="dnxhr")
    assert told.value.hint == "use --codec prores"
    assert usual_output(tmp_path / "in.mp4", "age+2", codec="dnxhr").name == "in.age+2.mov"


@pytest.mark.parametrize("suffix", ["mov", "mxf"])
@pytest.mark.parametrize("codec", ["h264", "prores", "dnxhr"])
def test_start_time_code_and_reel_stay(ffmpeg: Ffmpeg, tmp_path: Path, suffix: str, codec: str) -> None:
    told = ("-timecode", "10:11:12:13", "-metadata:s:v", "reel_name=A001C003", "-metadata", "reel_name=A001C003")
    source = open_video(clip(ffmpeg, tmp_path / f"in.{suffix}", *FORMS["yuv422p10le"][1], *told))
    assert source.info.start_timecode == "10:11:12:13"
    done = write_video(tmp_path / "out.mov", source, source, codec=codec)
    with av.open(done.path) as container:
        (track,) = (stream for stream in container.streams if stream.type == "data")
        assert (track.metadata["timecode"], track.metadata["reel_name"]) == ("10:11:12:13", "A001C003")
        assert "uid" not in container.metadata, "the old file's own number"
