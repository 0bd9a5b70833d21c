"""A film's shots as a time line."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import opentimelineio as library
from films import PLAN, write_film

from stitchedit.film.clips import Clip
from stitchedit.film.plan import FilmPlan, PlannedShot
from stitchedit.film.shots import Shot
from stitchedit.film.time_line import time_line


def test_edited_shots_are_files_of_their_own_and_every_frame_is_there(tmp_path: Path) -> None:
    write_film(tmp_path / "clip.mp4", "dnp")
    shots = tuple(
        PlannedShot(Shot(number, 5 * (number - 1), 5 * number - 1), (person,))
        for number, person in ((1, 1), (2, 0), (3, 2))
    )
    clip = Clip(tmp_path / "clip.mp4", "ab", Fraction(25))
    plan: FilmPlan = replace(PLAN, clips=(clip,), shots=shots)
    assert [planned.shot.number for planned, _ in plan.edited()] == [1]
    line = library.adapters.read_from_string(time_line(plan), "otio_json")
    edited, plain, other = line.video_tracks()[0]
    assert edited.media_reference.target_url == "shots/0001.edited.mkv"
    assert edited.media_references()["source"].target_url == (tmp_path / "clip.mp4").as_uri()
    assert [clip.source_range.start_time.value for clip in (edited, plain, other)] == [0, 5, 10]
    assert plain.media_reference.target_url == other.media_reference.target_url == (tmp_path / "clip.mp4").as_uri()
    assert line.duration() == library.opentime.RationalTime(15, 25)
    (sound,) = line.audio_tracks()
    assert sound.duration() == line.duration()
