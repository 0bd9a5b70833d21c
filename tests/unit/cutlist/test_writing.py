"""A time line with edited media: what changes and what stays."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

otio: Any = pytest.importorskip("opentimelineio")

from cut_lists import shot, span, timeline  # noqa: E402

from stitchedit.cutlist.reading import read_cut_list  # noqa: E402
from stitchedit.cutlist.writing import EditedMedium, write_edited  # noqa: E402
from stitchedit.errors import WouldReplace  # noqa: E402


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    (tmp_path / "a.mp4").touch()
    return timeline(
        tmp_path / "cut.otio",
        shot("one", "a.mp4", span(86410, 20), span(86400, 100)),
        otio.schema.Gap(duration=span(10, 1).start_time),
        shot("slow", "a.mp4", span(10, 20), speed=0.5),
        sound=True,
    )


def medium(path: Path, first: int, count: int, *, pictures: bool = False) -> EditedMedium:
    return EditedMedium(path, pictures, Fraction(first, 24), Fraction(count, 24), Fraction(24))


def test_only_the_media_change(cut: Path) -> None:
    cuts = read_cut_list(cut)
    one, slow = cuts.shots
    media = {
        one: medium(cut.parent / "new one.mp4", 86402, 36),
        slow: medium(cut.parent / "out" / "f.0107.exr", 2, 26, pictures=True),
    }
    (path,) = write_edited(cuts, media, cut.with_name("cut.age.otio"))
    made, before = (otio.adapters.read_from_file(str(file)) for file in (path, cut))
    new, retimed, music = made.find_clips()
    assert new.media_reference.target_url.endswith("/new%20one.mp4")
    assert new.media_reference.available_range == span(86402, 36)
    assert new.media_references()["source"].target_url == "a.mp4"
    pictures = retimed.media_reference
    assert (pictures.name_prefix, pictures.start_frame, pictures.frame_zero_padding) == ("f.", 107, 4)
    assert (pictures.name_suffix, pictures.available_range) == (".exr", span(2, 26))
    assert retimed.effects[0].time_scalar == 0.5
    assert music.media_reference.target_url == "gone.wav"
    for old, kept in zip(before.find_clips(), made.find_clips(), strict=True):
        assert (old.name, old.source_range, old.range_in_parent()) == (
            kept.name,
            kept.source_range,
            kept.range_in_parent(),
        )
    for file in (cut.parent / "new one.mp4", cut.parent / "out" / "f.0107.exr"):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    again = read_cut_list(path)  # what was written is a time line again
    assert [s.media.name for s in again.shots] == ["new one.mp4", "f.%04d.exr"]
    assert [s.start for s in again.shots] == [one.start, slow.start]


def test_an_edl_comes_back_as_one(cut: Path) -> None:
    edl = cut.with_suffix(".edl")
    edl.write_text(
        "TITLE: T\n\n001  AX  V  C  00:00:01:00 00:00:01:10 01:00:00:00 01:00:00:10\n* FROM CLIP NAME:  a.mp4\n"
        "002  AX  V  C  00:00:02:00 00:00:02:10 01:00:01:00 01:00:01:10\n* FROM CLIP NAME:  a.mp4\n"
    )
    cuts = read_cut_list(edl, cut.parent, rate=Fraction(25))
    media = {s: medium(cut.parent / f"new{s.number}.mp4", 0, 100) for s in cuts.shots}
    otio_file, edl_file = write_edited(cuts, media, cut.with_name("cut.age.otio"))
    assert edl_file.suffix == ".edl"
    assert f"* FROM FILE: {cut.parent}/new2.mp4" in edl_file.read_text()
    for s in cuts.shots:
        (cut.parent / f"new{s.number}.mp4").touch()
    for file, rate in ((otio_file, None), (edl_file, Fraction(25))):
        again = read_cut_list(file, rate=rate)
        assert [(s.start, s.duration, s.record) for s in again.shots] == [
            (s.start, s.duration, s.record) for s in cuts.shots
        ]
    write_edited(cuts, media, otio_file)
    edl_file.write_text("mine")
    with pytest.raises(WouldReplace):
        write_edited(cuts, media, otio_file)
    assert edl_file.read_text() == "mine"
