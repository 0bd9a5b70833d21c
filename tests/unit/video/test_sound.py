"""Sound that a container does not take as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from stitchedit.errors import CannotEncode
from stitchedit.video import foretold, open_video, write_video

Ffmpeg = Callable[..., bytes]
PICTURES = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25", "-f", "lavfi", "-i", "sine=r={rate}", "-t", 0.4)
AVCHD = ("pcm_bluray", 48000, ("-f", "mpegts", "-mpegts_m2ts_mode", 1))


def make(ffmpeg: Ffmpeg, path: Path, codec: str, rate: int = 48000, options: tuple[object, ...] = ()) -> Path:
    """A clip with a tone in some codec, in stereo where that is not for telephones."""
    channels = 1 if rate == 8000 else 2
    pictures = (str(part).format(rate=rate) for part in PICTURES)
    video = "mpeg2video" if path.suffix in (".avi", ".vob") else "libx264"
    ffmpeg(*pictures, "-c:v", video, "-c:a", codec, "-ar", rate, "-ac", channels, *options, path)
    return path


def samples(ffmpeg: Ffmpeg, path: Path) -> str:
    return hashlib.sha256(ffmpeg("-i", path, "-vn", "-f", "s32le", "-c:a", "pcm_s32le", "-")).hexdigest()


@pytest.mark.parametrize(
    ("name", "codec", "rate", "options", "out", "becomes"),
    [
        ("avchd.m2ts", *AVCHD, "out.mkv", "pcm_s16le"),
        ("avchd.m2ts", *AVCHD, "out.mov", "pcm_s16le"),
        ("avchd.m2ts", "pcm_bluray", 48000, (*AVCHD[2], "-sample_fmt", "s32"), "out.mkv", "pcm_s24le"),
        ("dvd.vob", "pcm_dvd", 48000, (), "out.mp4", "pcm_s16le"),
        ("d10.ts", "s302m", 48000, ("-strict", -2, "-sample_fmt", "s32"), "out.mkv", "pcm_s24le"),
        ("phone.avi", "pcm_mulaw", 8000, (), "out.mkv", "pcm_s16le"),
        ("phone.avi", "pcm_u8", 8000, (), "out.mp4", ""),
        ("music.mkv", "flac", 44100, (), "out.mov", "pcm_s16le"),
    ],
)
def test_sound_without_losses_becomes_pcm_of_the_same_samples(
    ffmpeg: Ffmpeg,
    tmp_path: Path,
    name: str,
    codec: str,
    rate: int,
    options: tuple[object, ...],
    out: str,
    becomes: str,
) -> None:
    source = open_video(make(ffmpeg, tmp_path / name, codec, rate, options))
    if not becomes:
        with pytest.raises(CannotEncode) as told:
            write_video(tmp_path / out, source, source)
        assert ".mov or .mkv" in told.value.hint
        return
    done = write_video(tmp_path / out, source, source)
    assert f"sound ({codec}) is rewritten as {becomes}, sample for sample" in done.notes
    assert samples(ffmpeg, tmp_path / name) == samples(ffmpeg, done.path)


def test_what_is_coded_with_losses_names_what_works(ffmpeg: Ffmpeg, tmp_path: Path) -> None:
    source = open_video(make(ffmpeg, tmp_path / "old.avi", "adpcm_ms"))
    with pytest.raises(CannotEncode, match="cannot be written to") as told:
        write_video(tmp_path / "out.mkv", source, source)
    assert told.value.hint == "give --audio aac or none"
    assert "give --audio aac or none" in foretold(source)[0], "before the work"
    aac = write_video(tmp_path / "aac.mp4", source, source, audio="aac")
    assert aac.notes == ("sound (adpcm_ms) is encoded as AAC",)
    heard = [len(ffmpeg("-i", path, "-vn", "-f", "s16le", "-ac", 1, "-")) for path in (tmp_path / "old.avi", aac.path)]
    assert heard[1] == pytest.approx(heard[0], abs=2 * 2048)
    quiet = write_video(tmp_path / "none.mp4", source, source, audio="none")
    assert quiet.notes == ("sound (adpcm_ms) is left out, as asked",)
    assert open_video(quiet.path).info.audio_streams == 0
    with pytest.raises(CannotEncode) as told:
        write_video(tmp_path / "out.webm", source, source, audio="aac")
    assert ".mp4 or .mov or .mkv" in told.value.hint


def test_a_clip_is_not_told_that_its_own_container_cannot_hold_its_sound(ffmpeg: Ffmpeg, tmp_path: Path) -> None:
    """FFmpeg's muxer can, but PyAV does not let it."""
    (told,) = foretold(open_video(make(ffmpeg, tmp_path / "old.mkv", "adpcm_ms")))
    assert "(adpcm_ms) cannot be written to .mkv; give --audio aac or none" in told


def test_aac_that_is_there_is_handed_over(clip: Path, tmp_path: Path) -> None:
    source = open_video(clip)
    assert foretold(source) == []
    assert write_video(tmp_path / "out.mp4", source, source, audio="aac").notes == ()
