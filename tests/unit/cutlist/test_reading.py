"""Which frames of which media a time line shows, and what of it is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

otio: Any = pytest.importorskip("opentimelineio")

from cut_lists import shot, span, timeline  # noqa: E402

from stitchedit.cutlist import reading  # noqa: E402
from stitchedit.cutlist.reading import read_cut_list  # noqa: E402
from stitchedit.errors import CannotOpen, ConfigError  # noqa: E402

EDL = """TITLE: T
FCM: NON-DROP FRAME

001  A001     V     C        01:00:00:10 01:00:01:10 01:00:00:00 01:00:01:00
* FROM CLIP NAME:  a.mp4
002  ROLL2    V     C        00:00:00:02 00:00:00:12 01:00:01:00 01:00:01:05
M2   ROLL2       050.0                00:00:00:02
003  BL       V     C        00:00:00:00 00:00:01:00 01:00:02:00 01:00:03:00
"""


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """A file and a shot of pictures; nothing is opened."""
    (tmp_path / "a.mp4").touch()
    (tmp_path / "ROLL2.mov").touch()
    (tmp_path / "b").mkdir()
    for number in range(101, 110):
        (tmp_path / "b" / f"f.{number:04d}.exr").touch()
    return tmp_path


def seconds(frames: int, rate: int = 24) -> Fraction:
    return Fraction(frames, rate)


def test_shots_with_what_transitions_and_retimes_need(media: Path) -> None:
    pictures = otio.schema.ImageSequenceReference("b/", "f.", ".exr", 101, 1, 24, 4, available_range=span(0, 9))
    dissolve = otio.schema.Transition("d", "SMPTE_Dissolve", span(2, 1).start_time, span(1, 1).start_time)
    path = timeline(
        media / "x.otio",
        shot("one", "a.mp4", span(86410, 20), span(86400, 100)),
        dissolve,
        otio.schema.Clip("two", pictures, span(2, 5)),
        otio.schema.Gap(duration=span(10, 1).start_time),
        shot("slow", (media / "a.mp4").as_uri(), span(10, 20), speed=0.5),
        shot("still", "a.mp4", span(3, 20), speed=0.0),
        otio.schema.Clip("bars", otio.schema.GeneratorReference("b", "SMPTEBars"), span(0, 3)),
        sound=True,
    )
    cuts = read_cut_list(path)
    one, two, slow, still = cuts.shots
    assert [s.name for s in cuts.shots] == ["one", "two", "slow", "still"] == [clip.name for clip in cuts.clips]
    assert one.media == media / "a.mp4"
    assert two.media == media / "b" / "f.%04d.exr"
    assert (one.start, one.duration, one.media_start) == (seconds(86410), seconds(21), seconds(86400))
    assert (two.start, two.duration) == (seconds(0), seconds(7))
    assert (one.record, two.record, slow.record) == (seconds(0), seconds(20), seconds(35))
    assert (slow.start, slow.duration, slow.speed) == (seconds(10), seconds(10), Fraction(1, 2))
    assert (still.start, still.duration, still.speed) == (seconds(3), seconds(1), 0)
    assert cuts.kept == (
        "shot 'bars' stays as it is: it is generated (SMPTEBars)",
        "1 gap stays as it is",
        "sound keeps its media (1 track)",
    )


def test_an_edl_takes_its_media_from_a_folder(media: Path) -> None:
    (media / "cut.edl").write_text(EDL)
    cuts = read_cut_list(media / "cut.edl", media, rate=Fraction(25))
    one, two = cuts.shots
    assert (one.media, two.media) == (media / "a.mp4", media / "ROLL2.mov")
    assert (one.start, one.duration, one.media_start) == (3600 + seconds(10, 25), 1, None)
    assert (two.start, two.duration, two.speed) == (seconds(2, 25), seconds(10, 25), 2)
    assert two.record == 3601
    assert two.record_duration == seconds(5, 25)
    with pytest.raises(ConfigError, match="does not say its frame rate"):
        read_cut_list(media / "cut.edl", media)
    with pytest.raises(CannotOpen, match=r"missing of 2 of its shots: 'a\.mp4' \(it names none\)") as missing:
        read_cut_list(media / "cut.edl", rate=Fraction(25))
    assert "--media" in missing.value.hint


def test_an_aaf_is_read(media: Path) -> None:
    pytest.importorskip("otio_aaf_adapter")
    clip = shot("one", str(media / "a.mp4"), span(10, 20), span(0, 100))
    clip.metadata["AAF"] = {
        "SourceID": "urn:smpte:umid:060a2b34.01010105.01010f20.13000000.00000001.4a5b6c7d.8e9fa0b1.c2d3e4f5"
    }
    (one,) = read_cut_list(timeline(media / "cut.aaf", clip)).shots
    assert (one.media, one.start, one.duration) == (media / "a.mp4", seconds(10), seconds(20))


@pytest.mark.parametrize(
    ("clip", "why"),
    [
        (lambda: shot("x", "gone.mp4", span(0, 5)), r"media are missing of 1 of its shots: 'x' \(gone.mp4\)"),
        (lambda: shot("x", "https://host/a.mp4", span(0, 5)), "media are missing"),
        (lambda: shot("x", "a.mp4", span(0, 5), speed=-1.0), "shot 'x' plays backwards"),
        (lambda: otio.schema.Clip("x", None, span(0, 5)), "it names none"),
    ],
)
def test_what_cannot_be_edited_is_refused_by_name_and_may_be_left_out(media: Path, clip: Any, why: str) -> None:
    path = timeline(media / "x.otio", shot("one", "a.mp4", span(0, 5)), clip())
    with pytest.raises(CannotOpen, match=why) as refused:
        read_cut_list(path)
    assert "--skip" in refused.value.hint
    cuts = read_cut_list(path, skip=["x"])
    assert len(cuts.shots) == 1
    assert cuts.kept == ("shot 'x' stays as it is: left out as asked",)


def test_a_retime_that_is_not_linear_is_refused(media: Path) -> None:
    clip = shot("bent", "a.mp4", span(0, 5))
    clip.effects.append(otio.schema.TimeEffect("curve", "SplineWarp"))
    with pytest.raises(CannotOpen, match="shot 'bent' is retimed by SplineWarp"):
        read_cut_list(timeline(media / "x.otio", clip))


def test_other_files_are_refused(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = media / "x.otio"
    for text, why in (
        ("[" * 100_000, "nested 100000 deep"),
        ('{"OTIO_SCHEMA": "Timeline.1"}', "cannot be read as OTIO"),
        ("no", "cannot be read as OTIO"),
        ('{"OTIO_SCHEMA": "Gap.1"}', "cannot be read as OTIO|holds 0 time lines"),
    ):
        path.write_text(text)
        with pytest.raises(CannotOpen, match=why):
            read_cut_list(path)
    with pytest.raises(CannotOpen, match="no such file"):
        read_cut_list(media / "gone.otio")
    with pytest.raises(CannotOpen, match="no cut list"):
        read_cut_list(media / "a.mp4")
    good = timeline(path, shot("one", "a.mp4", span(0, 5)))
    with pytest.raises(ConfigError, match="has no shot 'on' to skip"):
        read_cut_list(good, skip=["on"])
    with pytest.raises(ConfigError, match="--fps"):
        read_cut_list(good, rate=Fraction(24))
    monkeypatch.setitem(reading.ADAPTERS, ".otio", ("otio_json", "a_package_that_is_not_here"))
    with pytest.raises(ConfigError, match="not installed") as absent:
        read_cut_list(good)
    assert "stitchedit[cutlists]" in absent.value.hint
