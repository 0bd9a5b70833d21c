from __future__ import annotations

import http.server
import itertools
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stitchedit.errors import CannotDecode, CannotOpen
from stitchedit.video import open_video, write_video
from stitchedit.video.file_reader import _rate

Ffmpeg = Callable[..., bytes]
PLANAR = ["yuv420p", "yuv422p10le", "yuv444p", "gray", "gray16le", "yuva420p"]


def test_what_a_clip_is(clip: Path) -> None:
    info = open_video(clip).info
    assert (info.width, info.height, info.pix_fmt, info.depth, info.codec) == (128, 96, "yuv420p", 8, "h264")
    assert (info.time_base, info.rate, info.start, info.duration) == (Fraction(1, 12288), 24, 0, 1)
    assert (info.audio_streams, info.subtitle_streams, info.rotation, info.interlaced) == (1, 0, 0, False)
    assert info.notes == ()


def test_frames_have_the_times_that_another_reader_sees(clip: Path, frames_of: Callable[..., object]) -> None:
    source = open_video(clip)
    base, listing = frames_of(clip)
    assert base == source.info.time_base
    assert [(frame.pts, frame.duration) for frame in source] == [row[:2] for row in listing]
    assert source.frames == source.count() == 24
    assert source.damage == []


def test_it_can_be_read_again_and_left_early(clip: Path) -> None:
    source = open_video(clip)
    for frame in source:
        if frame.index == 3:
            break
    assert source.frames is None
    assert [frame.index for frame in source] == list(range(24))
    first = iter(source)
    next(first)
    assert next(iter(source)).index == 0
    assert next(first).index == 1


def test_files_are_closed(clip: Path) -> None:
    source = open_video(clip)
    source.count()
    next(iter(source))
    held = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    assert str(clip) not in held


@pytest.mark.parametrize("size", [(64, 48), (61, 43)])
@pytest.mark.parametrize("name", [*PLANAR, "nv12", "rgb24", "bgra", "gbrp10le", "yuyv422"])
def test_samples_are_those_that_another_reader_sees(
    ffmpeg: Ffmpeg, tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    if name == "yuyv422" and size[0] % 2:
        pytest.skip("packed 4:2:2 has pairs of pixels")
    path, (width, height) = tmp_path / "raw.nut", size
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=s=64x48:r=5,crop={width}:{height}:exact=1",
        "-t",
        0.4,
        "-c:v",
        "rawvideo",
        "-pix_fmt",
        name,
        path,
    )
    source = open_video(path)
    assert (source.info.pix_fmt, source.info.width, source.info.height) == (name, width, height)
    theirs = ffmpeg("-i", path, "-pix_fmt", "gbrp16le", "-f", "rawvideo", "-")
    frames = list(source)
    planes = np.frombuffer(theirs, "<u2").reshape(len(frames), 3, height, width)
    for frame, (green, blue, red) in zip(frames, planes, strict=True):
        if name in PLANAR:
            own = ffmpeg("-ss", float(frame.time), "-i", path, "-frames:v", 1, "-f", "rawvideo", "-")
            assert b"".join(plane.tobytes() for plane in frame.planes.values()) == own
        shown = frame.rgb_float()
        differences = np.abs(shown - np.stack([red, green, blue], 2) / 257.0)
        assert np.median(differences) < 2.5, "swscale interpolates chroma, so only most pixels agree"


@pytest.mark.parametrize(("matrix", "code"), [("bt709", 1), ("bt470bg", 5), ("bt2020nc", 9)])
@pytest.mark.parametrize(("name", "range_"), [("yuvj444p", 2), ("yuv444p", 1), ("yuv444p10le", 1)])
def test_rgb_by_matrix_and_range(
    ffmpeg: Ffmpeg, tmp_path: Path, name: str, range_: int, matrix: str, code: int
) -> None:
    path = tmp_path / "a.mp4"
    wanted = f"scale=out_color_matrix={matrix}:out_range={range_},format={name}"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x48:r=1", "-frames:v", 1, "-vf", wanted, "-c:v", "libx264", "-qp", 0, path
    )
    source = open_video(path)
    assert (source.info.colour.matrix, source.info.colour.range, source.info.pix_fmt) == (code, range_, name)
    theirs = np.frombuffer(ffmpeg("-i", path, "-pix_fmt", "gbrp16le", "-f", "rawvideo", "-"), "<u2")
    green, blue, red = theirs.reshape(3, 48, 64) / 257.0
    shown = np.clip(next(iter(source)).rgb_float(), 0, 255)
    assert np.abs(shown - np.stack([red, green, blue], 2)).max() < 1.0


def test_variable_frame_rate(ffmpeg: Ffmpeg, tmp_path: Path, frames_of: Callable[..., object]) -> None:
    path = tmp_path / "vfr.mp4"
    times = "setpts='(N*N*37+N)/(1000*TB)'"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=1000", "-vf", times, "-frames:v", 9, "-fps_mode", "vfr", path)
    source = open_video(path)
    _, listing = frames_of(path)
    assert [frame.pts for frame in source] == [row[0] for row in listing]
    assert [frame.time for frame in source] == [Fraction(n * n * 37 + n, 1000) for n in range(9)]


def test_tags_of_colour_shape_and_scan(ffmpeg: Ffmpeg, tmp_path: Path) -> None:
    path = tmp_path / "tagged.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25", "-t", 0.2, "-pix_fmt", "yuv420p10le", "-c:v", "libx264"),
        *(
            "-vf",
            "setsar=16/15,setfield=tff,setparams=color_primaries=bt2020:color_trc=arib-std-b67:"
            "colorspace=bt2020nc:range=tv",
            "-flags",
            "+ildct+ilme",
            path,
        ),
    )
    info = open_video(path).info
    assert (info.colour.primaries, info.colour.transfer, info.colour.matrix, info.colour.range) == (9, 18, 9, 1)
    assert (info.sample_aspect_ratio, info.interlaced, info.depth) == (Fraction(16, 15), True, 10)
    assert any("interlaced" in note for note in info.notes)


def test_gif_and_palettes(ffmpeg: Ffmpeg, tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=10", "-t", 0.5, tmp_path / "a.gif")
    source = open_video(tmp_path / "a.gif")
    assert (source.count(), source.info.pix_fmt, source.info.depth) == (5, "bgra", 8)
    ffmpeg("-i", tmp_path / "a.gif", "-c:v", "rawvideo", "-pix_fmt", "pal8", tmp_path / "b.nut")
    palette = open_video(tmp_path / "b.nut")
    assert any("pal8" in note for note in palette.info.notes)
    expected = ffmpeg("-i", tmp_path / "b.nut", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    assert b"".join(frame.rgb().tobytes() for frame in palette) == expected


def test_one_frame(ffmpeg: Ffmpeg, tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48", "-frames:v", 1, tmp_path / "one.mp4")
    assert open_video(tmp_path / "one.mp4").count() == 1


# --- what is no video ---


def test_things_that_cannot_be_opened(ffmpeg: Ffmpeg, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("this is no video\n" * 50)
    (tmp_path / "empty.mp4").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.mp4")
    ffmpeg("-i", clip, "-vn", "-c", "copy", tmp_path / "sound.m4a")
    ffmpeg("-f", "lavfi", "-i", "color", "-frames:v", 0, tmp_path / "none.mkv")
    for path, why in {
        tmp_path / "missing.mp4": "no such file",
        tmp_path: "it is a folder",
        tmp_path / "pipe.mp4": "not a regular file",
        tmp_path / "text.mp4": "not a video",
        tmp_path / "empty.mp4": "not a video",
        tmp_path / "sound.m4a": "it has no video",
        tmp_path / "none.mkv": "not one frame|not a video",
        tmp_path / "text.mp4" / "x": "Not a directory",
        Path("a\0b"): "no file name",
        Path("/dev/zero"): "not a regular file",
    }.items():
        with pytest.raises(CannotOpen, match=why):
            open_video(path)


def test_a_cover_picture_is_no_video(ffmpeg: Ffmpeg, clip: Path, tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", 1, tmp_path / "cover.png")
    cover = ("-i", clip, "-i", tmp_path / "cover.png", "-map", "0:a", "-map", 1, "-c", "copy")
    ffmpeg(*cover, "-disposition:v", "attached_pic", tmp_path / "song.m4a")
    with pytest.raises(CannotOpen, match="no video"):
        open_video(tmp_path / "song.m4a")


@pytest.mark.parametrize(
    "name", ["-i.mp4", "concat:x", "file:clip.mp4", "http:", "%03d.png", "a b|c.mp4", "pipe:0", "ü.mp4"]
)
def test_names_are_only_names(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CannotOpen, match="no such file"):
        open_video(name)
    shutil.copy(clip, tmp_path / name)
    assert open_video(name).count() == 24


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    """An address, and the paths asked of it so far."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_a_file_opens_no_other_and_no_address(
    ffmpeg: Ffmpeg, clip: Path, tmp_path: Path, web: tuple[str, list[str]]
) -> None:
    address, asked = web
    shutil.copy(clip, tmp_path / "secret.mp4")
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
    for place, text in enumerate(
        [
            f"ffconcat version 1.0\nfile '{tmp_path}/secret.mp4'\n",
            "ffconcat version 1.0\nfile 'secret.mp4'\n",
            hls.format("secret.mp4"),
            hls.format(f"{address}/a.ts"),
            f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {address[-5:]} RTP/AVP 96\n",
            f"<MPD><Period><AdaptationSet><Representation><BaseURL>{address}/b</BaseURL></Representation></AdaptationSet></Period></MPD>",
        ]
    ):
        path = tmp_path / f"{place}.mp4"
        path.write_text(text)
        with pytest.raises(CannotOpen, match="not a video"):
            open_video(path)
    with pytest.raises(CannotOpen):
        open_video(f"{address}/c.mp4")
    assert asked == []
    # A QuickTime reference movie: a whole file whose samples lie in another one.
    ffmpeg("-i", clip, "-an", "-c", "copy", tmp_path / "ref.mov")
    data = (tmp_path / "ref.mov").read_bytes()
    dref = b"\0\0\0\x0curl \0\0\0\x01"
    assert dref in data
    (tmp_path / "ref.mov").write_bytes(data.replace(dref, b"\0\0\0\x0calis\0\0\0\0"))
    assert open_video(tmp_path / "ref.mov").info.width == 128


# --- damage ---


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv", "cut.avi"])
def test_a_cut_file_gives_all_before_the_cut_and_says_so(
    ffmpeg: Ffmpeg, clip: Path, tmp_path: Path, name: str, frames_of: Callable[..., object]
) -> None:
    path = tmp_path / name
    codec = ("-c:v", "ffv1") if name.endswith("avi") else ("-c:v", "copy", "-movflags", "faststart")
    ffmpeg("-i", clip, *(codec if name.endswith(("mp4", "avi")) else codec[:2]), "-an", path)
    whole = [frame.rgb().tobytes() for frame in open_video(path)]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    source = open_video(path)
    got = [frame.rgb().tobytes() for frame in source]
    assert 5 < len(got) < 24
    # Pictures that are shown later than a cut-off reference cannot be whole; the ones given are.
    assert set(got) <= set(whole)
    (damage, *_) = [d for d in source.damage if "cut short" in d.why]
    assert damage.frame == len(got) == source.frames


def test_damage_in_the_middle_does_not_end_the_reading(ffmpeg: Ffmpeg, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "hurt.mp4"
    ffmpeg("-i", clip, "-an", "-c:v", "libx264", "-bf", 0, "-g", 8, path)
    whole = [frame.rgb() for frame in open_video(path)]
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    middle = start + (data.index(b"moov") - start) // 2
    data[middle : middle + 60] = bytes(range(60))
    path.write_bytes(data)
    source = open_video(path)
    got = {frame.pts: frame.rgb() for frame in source}
    assert len(got) >= 22
    assert source.damage
    first = source.damage[0].frame
    assert 3 < first < 20
    assert all(np.array_equal(got[pts], whole[k]) for k, pts in enumerate(sorted(got)) if k < first - 1)
    before = list(source.damage)
    source.count()
    list(source)
    assert source.damage == before


def test_a_change_of_size_names_the_frame(ffmpeg: Ffmpeg, tmp_path: Path) -> None:
    for size in ("64x48", "32x48"):
        ffmpeg(
            "-f", "lavfi", "-i", f"testsrc2=s={size}:r=25", "-frames:v", 3, "-c:v", "libx264", tmp_path / f"{size}.h264"
        )
    path = tmp_path / "both.h264"
    path.write_bytes((tmp_path / "64x48.h264").read_bytes() + (tmp_path / "32x48.h264").read_bytes())
    source, seen = open_video(path), []
    with pytest.raises(CannotDecode, match="64 x 48 to 32 x 48") as caught:
        seen.extend(frame.index for frame in source)
    assert caught.value.frame == len(seen) == 3


def test_frames_without_times_get_rising_ones(ffmpeg: Ffmpeg, tmp_path: Path) -> None:
    path = tmp_path / "raw.h264"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25", "-frames:v", 12, "-c:v", "libx264", "-bf", 2, path)
    times = [frame.time for frame in open_video(path)]
    assert len(times) == 12
    assert all(later - before == Fraction(1, 25) for before, later in itertools.pairwise(times))


def test_a_joined_recording_goes_on_where_the_first_ends(ffmpeg: Ffmpeg, clip: Path, tmp_path: Path) -> None:
    ffmpeg("-stream_loop", 2, "-i", clip, "-c", "copy", tmp_path / "one.ts")
    (tmp_path / "two.ts").write_bytes((tmp_path / "one.ts").read_bytes() * 2)
    source = open_video(tmp_path / "two.ts")
    times = [frame.time for frame in source]
    assert len(times) == 2 * 72
    steps = [float(later - before) for before, later in itertools.pairwise(times)]
    assert steps == pytest.approx([1 / 24] * 143, abs=0.03)  # the loops leave room for their longer sound
    assert steps[71] == pytest.approx(1 / 24, abs=1e-4)
    assert any("time" in damage.why and damage.frame == 72 for damage in source.damage)
    done = write_video(tmp_path / "two.mp4", source, source)
    with av.open(done.path) as container:
        assert [float(s.duration * s.time_base) for s in container.streams] == pytest.approx([6.1, 6.1], abs=0.15)


def test_a_cut_file_that_lost_its_index_is_told_so(ffmpeg: Ffmpeg, clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    assert data.index(b"moov") > data.index(b"mdat"), "the index comes last"
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(CannotOpen, match="cut short"):
        open_video(tmp_path / "cut.mp4")
    (tmp_path / "none.mp4").write_bytes(b"\0\0\0\x20ftyp")
    with pytest.raises(CannotOpen):
        open_video(tmp_path / "none.mp4")


def test_transparency_that_is_not_read_is_told(ffmpeg: Ffmpeg, tmp_path: Path) -> None:
    path = tmp_path / "alpha.webm"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=24,format=yuva420p", "-t", 0.2, "-c:v", "libvpx-vp9", path)
    assert any("transparency" in note for note in open_video(path).info.notes)


def test_a_rate_of_thousands_is_not_believed() -> None:
    """FFmpeg tells of a Matroska file whose writer named no rate the ticks of the file that it was copied from."""
    assert _rate(Fraction(12288), Fraction(24)) == 24
    assert _rate(Fraction(30000, 1001), Fraction(60)) == Fraction(30000, 1001), "of a variable one the mean"
    assert _rate(Fraction(12288), None) == 12288
    assert _rate(None, Fraction(24)) == 24
    assert _rate(None, None) == 25
