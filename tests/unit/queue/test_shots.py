"""Shots of a cut list as clips with handles, jobs and media of the list that is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

otio: Any = pytest.importorskip("opentimelineio")

from cut_lists import shot, span, timeline  # noqa: E402
from shots import write_shot  # noqa: E402

from stitchedit.cutlist.reading import read_cut_list  # noqa: E402
from stitchedit.errors import CannotOpen  # noqa: E402
from stitchedit.pipeline.cut_shots import plan_shots  # noqa: E402
from stitchedit.progress import silent  # noqa: E402
from stitchedit.queue.folder import Queue  # noqa: E402
from stitchedit.queue.shots import add_shots  # noqa: E402
from stitchedit.video import open_video  # noqa: E402

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"  # 48 frames, 24 a second


def test_each_shot_has_its_clip_its_jobs_and_its_place(tmp_path: Path) -> None:
    write_shot(tmp_path / "shot", "rgb8", ".png", range(101, 111))
    pictures = otio.schema.ImageSequenceReference(
        str(tmp_path / "shot"), "frame.", ".png", 101, 1, 24, 4, available_range=span(0, 10)
    )
    cut = timeline(
        tmp_path / "cut.otio",
        shot("a/b", str(CLIP), span(10, 4)),
        shot("fast", str(CLIP), span(30, 4), speed=2.0),
        otio.schema.Clip("pics", pictures, span(1, 3)),
    )
    cuts = read_cut_list(cut)
    clips = plan_shots(cuts, 2)
    assert [clip.frames for clip in clips] == [range(8, 16), range(28, 40), range(6)]
    assert [clip.least for clip in clips] == [range(10, 14), range(30, 38), range(1, 4)]
    queue, line = Queue(tmp_path / "queue"), tmp_path / "cut.age+2.otio"
    places = tmp_path / "cut.shots", line
    jobs, written = add_shots(queue, cuts, clips, places, (["--preset", "fast"], ["--years", "+5"]), silent)
    assert written == [line]
    first = str(tmp_path / "cut.shots" / "001_b.mkv")
    assert jobs[0].command == ("invert", first, "--preset", "fast")
    result = tmp_path / "cut.shots" / "age+2" / "001_b.mp4"
    assert jobs[1].command == ("edit", first, "--years", "+5", "-o", str(result))
    assert [job.after for job in jobs] == [0, 1, 0, 3, 0, 5]
    assert jobs[4].command[-2:] == ("--fps", "24")
    assert open_video(first).count() == 8
    assert len(list((tmp_path / "cut.shots" / "003_pics").iterdir())) == 6
    made = list(otio.adapters.read_from_file(str(line)).find_clips())
    assert made[0].media_reference.target_url == result.as_uri()
    assert [clip.media_reference.available_range for clip in made] == [span(8, 8), span(28, 12), span(0, 6)]
    assert made[2].media_reference.target_url_base.endswith("/cut.shots/age%2B2/003_pics/")
    assert made[2].media_reference.start_frame == 101


def test_a_list_without_a_shot_is_refused(tmp_path: Path) -> None:
    bars = otio.schema.Clip("bars", otio.schema.GeneratorReference("b", "SMPTEBars"), span(0, 3))
    cuts = read_cut_list(timeline(tmp_path / "cut.otio", bars))
    with pytest.raises(CannotOpen, match="no shot to edit"):
        add_shots(Queue(tmp_path / "queue"), cuts, [], (tmp_path / "s", tmp_path / "c.otio"), ([], []), silent)
