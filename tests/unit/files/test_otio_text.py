"""Time lines written as text, read by OpenTimelineIO."""

from __future__ import annotations

import opentimelineio as library

from stitchedit.files import otio_text as otio


def test_clips_follow_each_other_and_know_another_medium() -> None:
    film = otio.file("film", "file:///film.mp4", otio.span(100, 50, 25.0))
    own = otio.file("shot", "shots/1.mkv", otio.span(110, 5, 25.0))
    clips = [otio.clip("a", film, otio.span(100, 10, 25.0)), otio.clip("b", own, otio.span(110, 5, 25.0), before=film)]
    text = otio.timeline("all", [otio.track("v", clips), otio.track("s", clips[:1], "Audio")])
    line = library.adapters.read_from_string(text, "otio_json")
    first, second = line.video_tracks()[0]
    assert first.media_reference.target_url == "file:///film.mp4"
    assert second.media_references()["source"].target_url == "file:///film.mp4"
    assert second.media_reference.available_range.start_time == library.opentime.RationalTime(110, 25)
    assert line.duration() == library.opentime.RationalTime(15, 25)
    assert len(line.audio_tracks()) == 1
