from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stitchedit.errors import CannotEncode, FileTooLarge, NotWritable
from stitchedit.video import Frame, VideoSource, VideoWriter, open_video, paste, write_video
from stitchedit.video.side_data import mastering_figures

Ffmpeg = Callable[..., bytes]
FramesOf = Callable[..., tuple[Fraction, list[tuple[int, int, str]]]]


def edited(frame: Frame) -> Frame:
    """The frame with a gray disc in it."""
    width, height = frame.size
    y, x = np.mgrid[:height, :width]
    alpha = np.clip(height / 4 - np.hypot(y - height / 2, x - width / 2), 0, 1).astype(np.float32)
    return paste(frame, np.full((height, width, 3), 128, np.uint8), alpha, (0, 0, width, height))


def seconds(listing: tuple[Fraction, list[tuple[int, int, str]]]) -> list[Fraction]:
    base, rows = listing
    return [row[0] * base for row in rows]


def hashes(listing: tuple[Fraction, list[tuple[int, int, str]]]) -> list[str]:
    return [row[2] for row in listing[1]]


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.m4v"])
def test_times_and_sound_are_the_sources(clip: Path, tmp_path: Path, frames_of: FramesOf, name: str) -> None:
    source, out = open_video(clip), tmp_path / name
    done = write_video(out, source, map(edited, source))
    assert (done.frames, done.notes) == (24, ())
    before, after = frames_of(clip), frames_of(out)
    assert before[0] == after[0]
    assert [row[:2] for row in before[1]] == [row[:2] for row in after[1]]
    assert frames_of(clip, "a", copy=True) == frames_of(out, "a", copy=True)
    info = open_video(out).info
    assert (info.time_base, info.rate, info.width, info.height) == (Fraction(1, 12288), 24, 128, 96)


def test_the_demo_clip_is_exact_outside_of_an_edit(tmp_path: Path, frames_of: FramesOf) -> None:
    demo = Path(__file__).parents[2] / "data" / "demo.mp4"
    source = open_video(demo)
    done = write_video(tmp_path / "out.mkv", source, map(edited, source), lossless=True)
    assert (done.frames, done.notes, source.info.audio_streams) == (48, (), 1)
    assert hashes(frames_of(done.path, "a", copy=True)) == hashes(frames_of(demo, "a", copy=True))
    outside = np.hypot(*(np.mgrid[:360, :640] - np.array([180, 320])[:, None, None])) > 90
    for before, after in zip(source, open_video(done.path), strict=True):
        assert round(after.time / source.info.time_base) == before.pts
        assert np.array_equal(before.planes["Y"][outside], after.planes["Y"][outside])
        coarse = outside.reshape(180, 2, 320, 2).any((1, 3))
        for role in "UV":
            assert np.array_equal(before.planes[role][coarse], after.planes[role][coarse])
    assert not np.array_equal(before.planes["Y"], after.planes["Y"])


def test_matroska_keeps_times_finer_than_milliseconds(clip: Path, tmp_path: Path, frames_of: FramesOf) -> None:
    source, out = open_video(clip), tmp_path / "out.mkv"
    write_video(out, source, source)
    base = source.info.time_base
    assert [round(t / base) for t in seconds(frames_of(out))] == [row[0] for row in frames_of(clip)[1]]
    mine, theirs = frames_of(out, "a", copy=True), frames_of(clip, "a", copy=True)
    assert hashes(mine) == hashes(theirs)
    assert [round(t * 44100) for t in seconds(mine)] == [row[0] for row in theirs[1]]  # the first before zero
    with av.open(out) as container:
        assert container.streams.video[0].metadata["DURATION"] == "00:00:01.000000000"
        assert container.duration == pytest.approx(1_000_000, abs=100)


@pytest.mark.parametrize("rate", ["30000/1001", "24000/1001", "25", "60", "12.34"])
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_rates_stay_what_they_are(ffmpeg: Ffmpeg, tmp_path: Path, frames_of: FramesOf, rate: str, name: str) -> None:
    path, out = tmp_path / "in.mp4", tmp_path / name
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s=64x48:r={rate}", "-frames:v", 40, path)
    source = open_video(path)
    write_video(out, source, source)
    base = source.info.time_base
    assert [round(t / base) for t in seconds(frames_of(out))] == [row[0] for row in frames_of(path)[1]]
    assert abs(open_video(out).info.rate - Fraction(rate)) < Fraction(1, 500)
    if name == "out.mp4":
        assert open_video(out).info.rate == source.info.rate


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov"])
@pytest.mark.parametrize("late", [0, 3600])
def test_variable_rate_and_late_start(
    ffmpeg: Ffmpeg, clip: Path, tmp_path: Path, frames_of: FramesOf, name: str, late: int
) -> None:
    path, out = tmp_path / "in.mp4", tmp_path / name
    times = f"setpts='({late}+N*N*37+N)/(9000*TB)'"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:r=9000", "-i", clip, "-vf", times, "-frames:v", 9, "-c:a", "copy"),
        *(
            "-fps_mode",
            "vfr",
            "-enc_time_base",
            "1/9000",
            "-video_track_timescale",
            9000,
            "-movie_timescale",
            9000,
            path,
        ),
    )
    source = open_video(path)
    write_video(out, source, source)
    base, expected = source.info.time_base, frames_of(path)
    assert expected[1][0][0] * base == Fraction(late, 9000)
    assert [round(t / base) for t in seconds(frames_of(out))] == [row[0] for row in expected[1]]
    assert hashes(frames_of(out, "a", copy=True)) == hashes(frames_of(path, "a", copy=True))


FORMATS = [
    *("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "yuv420p16le", "yuva420p"),
    *("yuva444p10le", "gray", "gray10le", "nv12", "rgb24", "bgra", "gbrp", "gbrp10le", "rgb48le", "yuyv422", "ya8"),
]


def raw_clip(ffmpeg: Ffmpeg, path: Path, name: str, size: tuple[int, int]) -> VideoSource:
    picture = f"testsrc2=s=96x64:r=30000/1001,crop={size[0]}:{size[1]}:exact=1,format={name}"
    ffmpeg("-f", "lavfi", "-i", picture, "-frames:v", 4, "-c:v", "rawvideo", path)
    source = open_video(path)
    assert source.info.pix_fmt == name
    return source


@pytest.mark.parametrize("size", [(64, 48), (61, 43)])
@pytest.mark.parametrize("name", FORMATS)
def test_lossless_keeps_every_sample(ffmpeg: Ffmpeg, tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    if name == "yuyv422" and size[0] % 2:
        pytest.skip("packed 4:2:2 has pairs of pixels")
    source = raw_clip(ffmpeg, tmp_path / "in.nut", name, size)
    frames = [edited(frame) for frame in source]
    done = write_video(tmp_path / "out.mkv", source, frames, lossless=True)
    back = open_video(done.path)
    assert (back.info.depth, back.info.codec, done.notes) == (source.info.depth, "ffv1", ())
    for written, read, original in zip(frames, back, source, strict=True):
        assert round(read.time / source.info.time_base) == written.pts
        for role, plane in written.planes.items():
            shift = next(c.shift for c in written.layout.components if c.role == role)
            assert np.array_equal(read.planes[role], plane >> shift)
        role = "Y" if "Y" in read.planes else "R"
        assert np.array_equal(written.planes[role][:2], original.planes[role][:2]), "above the disc"


@pytest.mark.parametrize("size", [(64, 48), (61, 43)])
@pytest.mark.parametrize("name", FORMATS)
def test_h264_is_near_the_source_and_tells_what_is_lost(
    ffmpeg: Ffmpeg, tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    if name == "yuyv422" and size[0] % 2:
        pytest.skip("packed 4:2:2 has pairs of pixels")
    source = raw_clip(ffmpeg, tmp_path / "in.nut", name, size)
    done = write_video(tmp_path / "out.mp4", source, source)
    back = open_video(done.path)
    assert (back.info.width, back.info.height, back.count()) == (*size, 4)
    told = " ".join(done.notes)
    assert ("transparency" in told) == ("a" in name.replace("gray", ""))
    deep = source.info.depth > (8 if "R" in next(iter(source)).planes else 10)
    assert ("bits a sample" in told) == deep
    for read, original in zip(back, source, strict=True):
        assert read.time == original.time
        difference = np.clip(read.rgb_float(), 0, 255) - np.clip(original.rgb_float(), 0, 255)
        assert 10 * np.log10(255**2 / np.mean(difference**2)) > 36


def test_tags_turn_shape_and_scan_are_kept(ffmpeg: Ffmpeg, tmp_path: Path) -> None:
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25", "-t", 0.4, "-pix_fmt", "yuv420p10le", "-c:v", "libx264"),
        "-vf",
        "setsar=16/15,setfield=tff,setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv",
        *(
            "-x264-params",
            "mastering-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):cll=1000,400",
            "-flags",
            "+ildct+ilme",
            tmp_path / "flat.mp4",
        ),
    )
    ffmpeg("-display_rotation", 90, "-i", tmp_path / "flat.mp4", "-c", "copy", tmp_path / "in.mp4")
    source = open_video(tmp_path / "in.mp4")
    assert all(source.info.hdr)
    for name, lossless in (("a.mp4", False), ("a.mov", False), ("a.mkv", False), ("b.mkv", True)):
        done = write_video(tmp_path / name, source, source, lossless=lossless)
        info = open_video(done.path).info
        assert info.colour == source.info.colour, name
        assert (info.rotation, info.width, info.height) == (270, 48, 64), name
        assert info.sample_aspect_ratio == source.info.sample_aspect_ratio, name
        assert (info.pix_fmt, info.interlaced) == ("yuv420p10le", True), name
        assert mastering_figures(info.hdr[0]) == mastering_figures(source.info.hdr[0]), name
        assert info.hdr[1] == source.info.hdr[1], name
        assert not done.notes


def test_full_range_and_grey_stay_so(ffmpeg: Ffmpeg, tmp_path: Path) -> None:
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=64x48",
        "-frames:v",
        2,
        "-pix_fmt",
        "yuvj420p",
        "-c:v",
        "mjpeg",
        tmp_path / "in.mov",
    )
    source = open_video(tmp_path / "in.mov")
    assert (source.info.pix_fmt, source.info.colour.range) == ("yuvj420p", 2)
    for name, lossless in (("a.mp4", False), ("a.mkv", True)):
        write_video(tmp_path / name, source, source, lossless=lossless)
        back = open_video(tmp_path / name)
        assert back.info.colour.range == 2
        for read, original in zip(back, source, strict=True):
            difference = np.abs(read.planes["Y"].astype(int) - original.planes["Y"])
            assert difference.mean() < (1e-9 if lossless else 1.5)


def test_everything_else_of_the_clip_comes_along(
    ffmpeg: Ffmpeg, clip: Path, tmp_path: Path, frames_of: FramesOf
) -> None:
    (tmp_path / "s.srt").write_text("1\n00:00:00,100 --> 00:00:00,600\nHello\n")
    (tmp_path / "c.txt").write_text(
        ";FFMETADATA1\ntitle=A talk\ncomment=first\nMY_KEY=own\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=One\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1000\ntitle=Two\n"
    )
    inputs = (
        "-i",
        clip,
        "-f",
        "lavfi",
        "-i",
        "sine=f=300:r=48000:d=1",
        "-i",
        tmp_path / "s.srt",
        "-i",
        tmp_path / "c.txt",
    )
    maps = ("-map", "0:a", "-map", "0:v", "-map", 1, "-map", 2, "-map_metadata", 3, "-c:v", "copy", "-c:a:0", "copy")
    tags = ("-metadata:s:a:1", "language=fra", "-metadata:s:v", "language=deu", "-disposition:a:1", "0")
    for name, subtitles, sound in (("in.mp4", "mov_text", "ac3"), ("in.mkv", "srt", "flac")):
        attach = ("-attach", tmp_path / "s.srt", "-metadata:s:t", "mimetype=text/plain") if name == "in.mkv" else ()
        codecs = ("-c:a:1", sound, "-c:s", subtitles)
        ffmpeg(*inputs, *maps, *codecs, *tags, *attach, "-movflags", "use_metadata_tags", tmp_path / name)
        path, out = tmp_path / name, tmp_path / f"out.{name}"
        source = open_video(path)
        assert (source.info.audio_streams, source.info.subtitle_streams) == (2, 1)
        done = write_video(out, source, source, metadata={"comment": "edited", "stitchedit": "yes"})
        assert done.notes == ()
        for stream in ("a:0", "a:1", "s:0"):
            mine, theirs = frames_of(out, stream, copy=True), frames_of(path, stream, copy=True)
            shown = len(theirs[1])  # MP4 may get an empty subtitle at the end, which clears the last one
            assert (hashes(mine)[:shown], seconds(mine)[:shown]) == (hashes(theirs), seconds(theirs)), (name, stream)
            assert len(mine[1]) <= shown + (stream == "s:0")
        with av.open(path) as old, av.open(out) as new:
            kinds = [s.type for s in new.streams]
            assert kinds[: len(kinds)] == [s.type for s in old.streams][: len(kinds)]
            assert kinds[:4] == ["audio", "video", "audio", "subtitle"]
            assert [c["metadata"] for c in new.chapters()] == [{"title": "One"}, {"title": "Two"}]
            assert [c["start"] * c["time_base"] for c in new.chapters()] == [0, Fraction(1, 2)]
            found = {k.lower(): v for k, v in new.metadata.items()}
            assert (found["title"], found["my_key"]) == ("A talk", "own")
            assert (found["comment"], found["stitchedit"]) == ("first; edited", "yes")
            assert [s.language for s in list(new.streams)[:4]] == [s.language for s in list(old.streams)[:4]]
            assert [s.disposition for s in list(new.streams)[:4]] == [s.disposition for s in list(old.streams)[:4]]


def test_time_codes_and_cover_pictures(ffmpeg: Ffmpeg, clip: Path, tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", 1, tmp_path / "cover.png")
    covered = ("-i", clip, "-i", tmp_path / "cover.png", "-map", 0, "-map", 1, "-c", "copy")
    ffmpeg(*covered, "-disposition:v:1", "attached_pic", tmp_path / "in.mp4")
    ffmpeg("-i", clip, "-c", "copy", "-timecode", "01:00:00:00", tmp_path / "in.mov")
    for name, out, pictures, left in (
        ("in.mov", "out.mov", 1, []),
        ("in.mov", "out.mp4", 1, []),
        ("in.mp4", "out.mp4", 2, []),
        ("in.mp4", "out.mov", 1, ["cover"]),
        ("in.mp4", "out.mkv", 1, ["cover"]),
    ):
        source = open_video(tmp_path / name)
        done = write_video(tmp_path / out, source, source)
        assert [note.split()[1] for note in done.notes] == left
        with av.open(tmp_path / name) as old, av.open(tmp_path / out) as new:
            assert len(new.streams.video) == pictures
            assert old.streams.video[0].metadata.get("timecode") == new.streams.video[0].metadata.get("timecode")


def test_what_a_container_does_not_take(ffmpeg: Ffmpeg, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "font.ttf").write_bytes(b"no real one")
    attached = ("-attach", tmp_path / "font.ttf", "-metadata:s:t", "mimetype=font/ttf")
    ffmpeg("-i", clip, *attached, "-c", "copy", tmp_path / "attached.mkv")
    source = open_video(tmp_path / "attached.mkv")
    assert write_video(tmp_path / "a.mp4", source, source).notes == (
        "an attachment stream is left out, .mp4 does not hold it",
    )
    ffmpeg("-i", clip, "-c:v", "copy", "-c:a", "wmav2", tmp_path / "sound.mkv")
    before = sorted(tmp_path.iterdir())
    with (
        pytest.raises(CannotEncode, match="cannot be written to") as caught,
        VideoWriter(tmp_path / "b.mp4", open_video(tmp_path / "sound.mkv")),
    ):
        pytest.fail("it is told before the work")
    assert "--audio aac" in caught.value.hint
    assert sorted(tmp_path.iterdir()) == before


def test_transport_streams_keep_short_offsets_and_lose_clock_times(
    ffmpeg: Ffmpeg, clip: Path, tmp_path: Path, frames_of: FramesOf
) -> None:
    for name, start in (("a.ts", 0), ("b.ts", 50000)):
        ffmpeg("-i", clip, "-c", "copy", "-output_ts_offset", start, "-mpegts_copyts", int(start > 0), tmp_path / name)
        source = open_video(tmp_path / name)
        done = write_video(tmp_path / f"{name}.mp4", source, source)
        mine, theirs = seconds(frames_of(done.path)), seconds(frames_of(tmp_path / name))
        moved = theirs[0] - mine[0]
        assert [t + moved for t in mine] == theirs
        assert bool(done.notes) == (moved != 0) == (start > 0)
        assert mine[0] < 2
        sounds = [seconds(frames_of(p, "a", copy=True))[0] for p in (done.path, tmp_path / name)]
        assert abs(sounds[0] + moved - sounds[1]) < Fraction(1, 40_000)


def test_the_same_frames_give_the_same_bytes(clip: Path, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4", "a.mkv", "b.mkv"):
        source = open_video(clip)
        write_video(tmp_path / name, source, map(edited, source))
        time.sleep(0.3 if name[0] == "a" else 0)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


def test_closed_captions_survive_an_edit(clip: Path, tmp_path: Path) -> None:
    frame = next(iter(open_video(clip)))
    made = edited(frame)
    assert len(made.video.side_data) == len(frame.video.side_data) > 0


def test_a_cut_clip_is_written_as_far_as_it_goes(ffmpeg: Ffmpeg, clip: Path, tmp_path: Path) -> None:
    ffmpeg("-i", clip, "-c", "copy", "-movflags", "faststart", tmp_path / "whole.mp4")
    data = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 7 // 10])
    source = open_video(tmp_path / "cut.mp4")
    done = write_video(tmp_path / "out.mp4", source, source)
    assert 5 < done.frames == source.frames == open_video(done.path).count()
    assert source.damage


def test_damaged_sound_is_left_out_and_told(ffmpeg: Ffmpeg, clip: Path, tmp_path: Path, frames_of: FramesOf) -> None:
    ffmpeg("-i", clip, "-c", "copy", tmp_path / "in.ts")
    with av.open(tmp_path / "in.ts") as container:
        starts = [bytes(packet)[:9] for packet in container.demux(audio=0) if packet.size]
    data = (tmp_path / "in.ts").read_bytes()
    for start in (starts[3], starts[-1]):
        assert data.count(start) == 1
        data = data.replace(start, b"\0" * 9)
    (tmp_path / "in.ts").write_bytes(data)
    source = open_video(tmp_path / "in.ts")
    done = write_video(tmp_path / "out.mp4", source, source)
    assert done.frames == 24
    assert "damaged packets of sound" in " ".join(done.notes)
    assert len(starts) - 8 < len(frames_of(done.path, "a", copy=True)[1]) < len(starts)


# --- what goes wrong ---


def test_names_that_say_no_container(clip: Path, tmp_path: Path) -> None:
    source = open_video(clip)
    for name, lossless, hint in (("a.avi", False, ".mkv"), ("a", False, ".mp4"), ("a.mp4", True, "a.mkv")):
        with pytest.raises(CannotEncode) as caught, VideoWriter(tmp_path / name, source, lossless=lossless):
            pass
        assert hint in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written(clip: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.mp4"
    shutil.copy(clip, mine)
    source = open_video(mine)
    for path, why in (
        (mine, "being read"),
        (tmp_path / "no" / "a.mp4", "no folder"),
        (mine / "a.mp4", "Not a directory"),
    ):
        with pytest.raises(NotWritable, match=why), VideoWriter(path, source):
            pytest.fail("it is told before the work")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.mp4"]
    assert open_video(mine).count() == 24


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_nothing_is_left_when_the_work_stops(clip: Path, tmp_path: Path, name: str, error: type[BaseException]) -> None:
    (tmp_path / name).write_bytes(b"an older result")
    source = open_video(clip)

    def some() -> Iterator[Frame]:
        for frame in source:
            yield frame
            if frame.index == 12:
                raise error

    with pytest.raises(error):
        write_video(tmp_path / name, source, some())
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"an older result"]


def test_nothing_is_left_when_no_frame_comes(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotEncode, match="no frame"):
        write_video(tmp_path / "a.mp4", open_video(clip), [])
    assert not list(tmp_path.iterdir())


KILLED = """
import sys, time
from stitchedit.video import open_video, VideoWriter
source = open_video(sys.argv[1])
with VideoWriter(sys.argv[2], source) as writer:
    for frame in source:
        writer.write(frame)
        if frame.index == 20:
            print("half", flush=True)
            time.sleep(60)
"""


def test_nothing_is_left_of_a_killed_process(clip: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, clip, tmp_path / "out.mp4"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    # Where files cannot be nameless a hidden one may stay; the name itself never holds half a video.
    assert not (tmp_path / "out.mp4").exists()
    if hasattr(os, "O_TMPFILE"):
        assert not list(tmp_path.iterdir())


LIMITED = """
import resource, sys
from stitchedit.errors import FileTooLarge
from stitchedit.video import open_video, write_video
source = open_video(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write_video(sys.argv[2], source, source)
except FileTooLarge as exc:
    sys.exit(exc.exit_code)
"""


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_limit_on_the_size_of_files_has_its_error(clip: Path, tmp_path: Path, name: str) -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED, clip, tmp_path / name], capture_output=True, check=False)
    assert done.returncode == FileTooLarge.exit_code, done.stderr.decode()
    assert not list(tmp_path.iterdir())


def test_webm_stays_webm(ffmpeg: Ffmpeg, tmp_path: Path, frames_of: FramesOf) -> None:
    path, out = tmp_path / "clip.webm", tmp_path / "out.webm"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=101x75:r=24", "-f", "lavfi", "-i", "sine=r=48000", "-t", 0.5),
        *("-c:v", "libvpx-vp9", "-deadline", "realtime", "-pix_fmt", "yuv420p", "-c:a", "libopus", path),
    )
    source = open_video(path)
    assert write_video(out, source, source, metadata={"comment": "edited"}).notes == ()
    assert [row[0] for row in frames_of(out)[1]] == [row[0] for row in frames_of(path)[1]]
    assert frames_of(out, "a:0", copy=True) == frames_of(path, "a:0", copy=True)
    for before, after in zip(source, open_video(out), strict=True):
        assert before.size == after.size
        assert np.abs(before.rgb_float() - after.rgb_float()).mean() < 2
    first = out.read_bytes()
    write_video(out, source, source, metadata={"comment": "edited"})
    assert out.read_bytes() == first
    clip = tmp_path / "aac.mkv"
    ffmpeg("-i", path, "-c:v", "copy", "-c:a", "aac", clip)
    source = open_video(clip)
    with pytest.raises(CannotEncode, match="sound"):
        write_video(out, source, source)


def test_webm_has_no_rgb(ffmpeg: Ffmpeg, tmp_path: Path) -> None:
    path = tmp_path / "clip.gif"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=10", "-t", 0.3, path)
    source = open_video(path)
    with pytest.raises(CannotEncode, match="VP9 has no form"):
        write_video(tmp_path / "out.webm", source, source)
