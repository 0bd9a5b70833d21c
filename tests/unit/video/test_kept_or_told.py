"""What cameras, phones and editing programs write beside pictures and sound: kept, or told, never lost in silence.

A row of CASES is a kind of stream, sample entry or tag: how a clip with it is made, an output, what that has of it, and
how the note about it begins; "" where it is kept as it is.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import imageio_ffmpeg
import pytest

from stitchedit.video import foretold, open_video, try_writing, write_video
from stitchedit.video.side_data import mastering_figures

Ffmpeg = Callable[..., bytes]
PICTURES = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25")
CODE = "01:02:03:04"
TIME_CODE = ("-timecode", CODE)
CHAPTERS = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=200\ntitle=One\n"
HDR = "mastering-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):cll=1000,400"
WORDS = "1\n00:00:00,040 --> 00:00:00,120\nHello\n"


def make(ffmpeg: Ffmpeg, path: Path, *options: object, inputs: tuple[object, ...] = ()) -> Path:
    """Five pictures, with what the options add."""
    video = () if "-c:v" in options else ("-c:v", "libx264", "-pix_fmt", "yuv420p")
    ffmpeg(*PICTURES, *inputs, *video, "-frames:v", 5, *options, path)
    return path


def subtitles(ffmpeg: Ffmpeg, folder: Path, name: str, codec: str) -> Path:
    (folder / "s.srt").write_text(WORDS)
    maps = ("-map", 0, "-map", 1, "-c:s", codec)
    return make(ffmpeg, folder / name, *maps, inputs=("-i", folder / "s.srt"))


def data_track(ffmpeg: Ffmpeg, folder: Path, entry: bytes) -> Path:
    """A MOV with a track of timed metadata of this sample entry, as phones and cameras write them."""
    whole = make(ffmpeg, folder / "made.mov", *TIME_CODE).read_bytes()
    path = folder / f"{entry.decode()}.mov"
    path.write_bytes(whole.replace(b"mhlrtmcd", b"mhlrmeta").replace(b"tmcd", entry))
    return path


def sony(ffmpeg: Ffmpeg, folder: Path) -> Path:
    """The same with Sony's `rtmd`, whose first sample has the start time code, at the places FFmpeg reads."""
    path = data_track(ffmpeg, folder, b"rtmd")
    with av.open(path) as container:
        (at,) = {packet.pos for packet in container.demux(container.streams.data[0]) if packet.size}
    whole = bytearray(path.read_bytes())
    whole[at + 13 : at + 18] = bytes([1, 2, 3, 0, 4])  # in what x264 says of itself
    path.write_bytes(whole)
    return path


def joined(ffmpeg: Ffmpeg, folder: Path) -> Path:
    """Two transport streams of less than a second, one behind the other."""
    tone = ("-f", "lavfi", "-i", "sine=r=48000")
    part = make(ffmpeg, folder / "part.ts", "-c:a", "mp2", "-t", 0.2, inputs=tone).read_bytes()
    (folder / "joined.ts").write_bytes(part + part)
    return folder / "joined.ts"


def chapters(ffmpeg: Ffmpeg, folder: Path) -> Path:
    (folder / "c.txt").write_text(CHAPTERS)
    return make(ffmpeg, folder / "in.mov", "-map", "0:v", "-map_metadata", 1, inputs=("-i", folder / "c.txt"))


def attached(ffmpeg: Ffmpeg, folder: Path) -> Path:
    (folder / "f.ttf").write_bytes(b"no real one")
    return make(ffmpeg, folder / "in.mkv", "-attach", folder / "f.ttf", "-metadata:s:t", "mimetype=font/ttf")


MAKERS: dict[str, Callable[[Ffmpeg, Path], Path]] = {
    "tmcd": lambda f, d: make(f, d / "in.mov", *TIME_CODE),
    "time code of MXF": lambda f, d: make(f, d / "in.mxf", "-c:v", "mpeg2video", *TIME_CODE),
    "time code of DV": lambda f, d: make(
        f, d / "in.dv", "-c:v", "dvvideo", "-s", "720x576", "-pix_fmt", "yuv420p", *TIME_CODE
    ),
    "time code of MPEG-2": lambda f, d: make(f, d / "in.mpg", "-c:v", "mpeg2video", *TIME_CODE),
    "rtmd": sony,
    **{entry: lambda f, d, e=entry: data_track(f, d, e.encode()) for entry in ("mebx", "camm", "fdsc", "mett", "gpmd")},  # type: ignore[misc]
    "private data of TS": lambda f, d: make(
        f, d / "in.ts", "-map", 0, "-map", 1, "-c:d", "copy", inputs=("-f", "data", "-i", __file__)
    ),
    "pixel shape": lambda f, d: make(f, d / "in.mp4", "-vf", "setsar=4/3"),
    "HDR10": lambda f, d: make(f, d / "in.mp4", "-x264-params", HDR),
    "stereo": lambda f, d: make(f, d / "in.mp4", "-x264-params", "frame-packing=3"),
    "turn": lambda f, d: turned(f, d),
    "chapters": chapters,
    "attachment": attached,
    "second camera": lambda f, d: make(f, d / "in.mp4", "-map", 0, "-map", 1, inputs=PICTURES),
    "mov_text": lambda f, d: subtitles(f, d, "in.mp4", "mov_text"),
    "webvtt": lambda f, d: subtitles(f, d, "in.mkv", "webvtt"),
    "ass": lambda f, d: subtitles(f, d, "in.mkv", "ass"),
    "ttml": lambda f, d: subtitles(f, d, "in.mp4", "ttml"),
    "animated AVIF": lambda f, d: make(f, d / "in.avif", "-c:v", "libaom-av1", "-cpu-used", 8),
    "joined TS": joined,
}


def turned(ffmpeg: Ffmpeg, folder: Path) -> Path:
    ffmpeg("-display_rotation", 90, "-i", make(ffmpeg, folder / "made.mp4"), "-c", "copy", folder / "in.mp4")
    return folder / "in.mp4"


def time_code(path: Path) -> str:
    with av.open(path) as container:
        tags = {**container.metadata, **container.streams.video[0].metadata}
        tracks = [s for s in container.streams if "timecode" in s.metadata and s.type == "data"]
    assert bool(tracks) == (path.suffix in (".mp4", ".mov")), "these have a track of it"
    return next(value for key, value in tags.items() if key.lower() == "timecode")


def kinds(path: Path) -> str:
    with av.open(path) as container:
        return " ".join(stream.type for stream in container.streams)


def steps(path: Path) -> object:
    """Between pictures, in frames, and between packets of sound, in seconds."""
    times = [round(25 * frame.time) for frame in open_video(path)]
    with av.open(path) as container:
        sound = [float(p.pts * p.time_base) for p in container.demux(container.streams.audio[0]) if p.pts is not None]
    return {b - a for a, b in pairwise(times)}, {round(b - a, 3) for a, b in pairwise(sound)}


def seen(path: Path) -> object:
    info = open_video(path).info
    return (info.sample_aspect_ratio, info.orientation.degrees, any(info.hdr), "STEREO3D" in info.side_data)


PLAIN = (1, 0, False, False)
DATA, CONVERTED, SUBTITLE = "a data stream", "subtitles are converted from", "a subtitle stream is left out"
ALL = ("mp4", "mov", "mkv", "webm")
TIME_CODES = ("tmcd", "time code of MXF", "time code of DV", "time code of MPEG-2")
CASES: list[tuple[str, str, Callable[[Path], object], object, str]] = [
    *((kind, out, time_code, CODE, "") for kind in TIME_CODES for out in
      ("mp4", "mov", "mkv")),
    ("rtmd", "mp4", time_code, CODE, DATA),
    ("rtmd", "mkv", time_code, CODE, DATA),
    *((entry, "mov", kinds, "video", DATA) for entry in ("mebx", "camm", "fdsc", "mett", "private data of TS")),
    *((entry, "mp4", kinds, "video", DATA) for entry in ("mebx", "private data of TS")),
    ("gpmd", "mp4", kinds, "video data", ""),
    ("gpmd", "mov", kinds, "video data", ""),
    ("gpmd", "mkv", kinds, "video", DATA),
    *(("pixel shape", out, lambda p: float(seen(p)[0]), pytest.approx(4 / 3), "") for out in ALL),  # type: ignore[index]
    *(("HDR10", out, seen, (1, 0, True, False), "") for out in ALL),
    *(("stereo", out, seen, (1, 0, False, True), "") for out in ("mp4", "mov", "mkv")),
    ("stereo", "webm", seen, PLAIN, "not kept in VP9 output: the arrangement of a stereo picture"),
    *(("turn", out, lambda p: seen(p)[1], 270, "") for out in ("mp4", "mov", "mkv", "webm")),  # type: ignore[index]
    *(("chapters", out, lambda p: len(av.open(p).chapters()), 1, "") for out in ("mp4", "mov", "mkv", "webm")),
    ("attachment", "mkv", kinds, "video attachment", ""),
    ("attachment", "mp4", kinds, "video", "an attachment stream is left out"),
    ("second camera", "mkv", kinds, "video video", ""),
    ("second camera", "webm", kinds, "video", "a video stream is left out"),
    ("mov_text", "mov", kinds, "video subtitle", ""),
    ("mov_text", "mkv", kinds, "video subtitle", CONVERTED),
    ("webvtt", "webm", kinds, "video subtitle", ""),
    ("webvtt", "mp4", kinds, "video subtitle", CONVERTED),
    ("ass", "mkv", kinds, "video subtitle", ""),
    ("ass", "webm", kinds, "video subtitle", CONVERTED),
    ("ttml", "mp4", kinds, "video", SUBTITLE),
    ("animated AVIF", "mkv", lambda p: (kinds(p), open_video(p).count()), ("video", 5), "a still picture"),
    ("joined TS", "mp4", steps, ({1}, {0.024}), ""),
]  # fmt: skip


@pytest.fixture(scope="module")
def clips(ffmpeg: Ffmpeg, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The clip of a kind, made once."""
    made: dict[str, Path] = {}

    def of(kind: str) -> Path:
        if kind not in made:
            made[kind] = MAKERS[kind](ffmpeg, tmp_path_factory.mktemp("kind"))
        return made[kind]

    return of


@pytest.mark.parametrize(
    ("kind", "out", "look", "expected", "note"), CASES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_it_is_kept_or_told(
    clips: Callable[[str], Path], tmp_path: Path, kind: str, out: str, look: Callable[[Path], object], expected: object,
    note: str,
) -> None:  # fmt: skip
    source = open_video(clips(kind))
    done = write_video(tmp_path / f"out.{out}", source, source)
    assert look(done.path) == expected
    told = [line for line in done.notes if not line.startswith("everything is moved")]
    assert [line[: len(note)] for line in told] == ([note] if note else [])
    read = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "warning", "-i", done.path, "-f", "null", "-"]
    heard = subprocess.run(read, capture_output=True, text=True, check=True).stderr
    assert "stsd" not in heard, "no track without a description"


def test_it_is_told_before_the_work(clips: Callable[[str], Path]) -> None:
    assert foretold(open_video(clips("mebx")))[0].startswith("a data stream")
    assert foretold(open_video(clips("tmcd"))) == []


@pytest.mark.parametrize("name", ["out.mkv", "out.webm"])
def test_a_track_of_matroska_says_the_shape_and_the_light(
    clips: Callable[[str], Path], ffmpeg: Ffmpeg, tmp_path: Path, name: str
) -> None:
    """All in one, with a title, in VP9 and in FFV1, which has no place for any of it."""
    ffmpeg("-i", clips("HDR10"), "-c", "copy", "-aspect", "16:9", "-metadata:s:v", "title=T", tmp_path / "in.mkv")
    source = open_video(tmp_path / "in.mkv")
    done = write_video(tmp_path / name, source, source, lossless=name == "out.mkv")
    made = open_video(done.path)
    assert made.info.sample_aspect_ratio == Fraction(4, 3)
    assert mastering_figures(made.info.hdr[0]) == mastering_figures(source.info.hdr[0])
    assert made.info.hdr[1] == source.info.hdr[1]
    assert not done.notes
    with av.open(done.path) as container:
        assert container.streams.video[0].metadata["title"] == "T"
    assert made.count() == 5


@pytest.mark.parametrize(("name", "form"), [("out.%02d.png", "PNG"), ("out.gif", "GIF")])
def test_pictures_do_not_hold_the_shape(clips: Callable[[str], Path], tmp_path: Path, name: str, form: str) -> None:
    for kind, told in (("pixel shape", f"the shape of the pixels, 4/3, is left out, {form}"), ("HDR10", "not kept in")):
        assert try_writing(tmp_path / name, open_video(clips(kind)))[0].startswith(told)
