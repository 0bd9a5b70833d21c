"""The library on a small clip, with a generator of 64 px and few steps."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))
from killed_runs import FRAMES, INVERT, prepare

import stitchedit as se
from stitchedit.evaluation.edit_effect import load_moves
from stitchedit.files.locks import Lock
from stitchedit.project.records import Records
from stitchedit.provenance.manifest import read_back
from stitchedit.queue.folder import Queue
from stitchedit.queue.jobs import log_end, result_of
from stitchedit.queue.worker import work
from stitchedit.types import ByteArray
from stitchedit.video import open_video

pytestmark = pytest.mark.slow

STITCH = se.StitchConfig(steps=1, first_steps=2, border_threshold=0)
FEW: dict[str, Any] = {"stitch": STITCH, "blender": "feather", "lossless": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library") / "here"
    prepare(folder)
    return folder


@pytest.fixture(scope="module")
def clip(folder: Path) -> se.Inversion:
    return se.invert(folder / "clip.mp4", config=INVERT)


@pytest.fixture(scope="module")
def mine() -> se.Direction:
    return se.Direction(vector=np.random.default_rng(0).normal(size=64))


def frames(clip: Path) -> list[ByteArray]:
    return [frame.rgb() for frame in open_video(clip)]


def test_a_cell_can_be_run_again_while_its_result_is_there(
    folder: Path, clip: se.Inversion, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "stitchedit"):
        again = se.invert(folder / "clip.mp4", config=INVERT)
    assert "tune: nothing changed, kept" in caplog.text
    np.testing.assert_array_equal(again.latents.ws, clip.latents.ws)
    for place in (folder / "clip.mp4", folder / "clip.mp4.stitch", str(folder / "clip.mp4.stitch")):
        assert se.open_inversion(place).project.root == clip.project.root
    assert f"{FRAMES} of {FRAMES} frames, 64 px" in repr(clip)


def test_a_vector_in_memory_works_through_the_whole_edit(folder: Path, clip: se.Inversion, mine: se.Direction) -> None:
    told: list[str] = []
    done = se.edit(clip, 2 * mine, progress=lambda stage, *_: told.append(stage), **FEW)
    assert done.output == folder / f"clip.{mine.name}+2.mkv"
    assert {"stitch", "video"} <= set(told)
    assert done._repr_png_().startswith(b"\x89PNG")
    assert mine.digest in Records.read(done.folder / "edit.toml").inputs("stitch")["vectors"]
    assert read_back(done.output).edits == (f"{mine.name} +2",)
    assert set(se.edit(clip, [mine * 2], **FEW).seconds.values()) == {0.0}, "the same is kept"

    by_file = se.edit(clip, [(folder / "push.npy", 2)], folder / "file.mkv", **FEW)
    ours, theirs = frames(done.output), frames(by_file.output)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)

    named = [replace(mine, name="nose"), se.Direction(vector=-mine.vector, name="nose")]
    first, second = (frames(se.edit(clip, nose, folder / "nose.mkv", overwrite=True, **FEW).output) for nose in named)
    assert any((a != b).any() for a, b in zip(first, second, strict=True)), "the name alone does not say which"


def test_an_edit_in_style_space_works_through_the_whole_edit(folder: Path, clip: se.Inversion) -> None:
    (folder / "two.toml").write_text('name = "two"\nmade_for = ""\nunit = "x"\nchannels = [[2, 3, 5.0], [5, 1]]\n')
    channel = se.direction("s:3:5")
    done = se.edit(clip, [channel.at({0: 0, FRAMES - 1: 6}), folder / "two.toml"], folder / "styles.mkv", **FEW)
    source = frames(clip.project.source)
    assert all((a != b).any() for a, b in zip(frames(done.output), source, strict=True))
    moves = load_moves(Records.read(done.folder / "edit.toml"), clip)
    assert moves.codes.offsets is not None
    assert [len(np.flatnonzero(row)) for row in moves.codes.offsets] == [2, *[3] * (FRAMES - 1)]
    assert (clip.draw(2, [6 * channel]) != clip.draw(2)).any()
    with pytest.raises(se.StitcheditError, match="names layer 99"):
        se.edit(clip, [("s:99:0", 1.0)], **FEW)


def test_a_sum_is_an_edit_and_so_are_its_terms(folder: Path, clip: se.Inversion, mine: se.Direction) -> None:
    other = se.Direction(vector=np.random.default_rng(1).normal(size=64), name="pull")
    both = mine + 0.5 * other
    one, two = (se.edit(clip, edits, folder / "sum.mkv", **FEW) for edits in (both, [*both]))
    assert one.folder == two.folder
    assert set(two.seconds.values()) == {0.0}
    growing = se.edit(clip, both.at({0: 0, FRAMES - 1: 1}), folder / "growing.mkv", **FEW)
    assert str(growing.edits[0][1]) == f"+0@0+1@{FRAMES - 1}"


def test_a_frame_is_drawn_as_the_preview_has_it(clip: se.Inversion, mine: se.Direction) -> None:
    before = {name: value.clone() for name, value in clip.generator.state_dict().items()}
    source = frames(clip.project.source)
    drawn = clip.draw(2, [2 * mine])
    assert (drawn.shape, drawn.dtype) == (source[2].shape, np.uint8)
    np.testing.assert_array_equal(drawn[:40], source[2][:40], "far from the face nothing may change")
    assert (drawn != clip.draw(2)).any()
    np.testing.assert_array_equal(drawn, clip.draw(2, mine.at({0: 2})))
    with pytest.raises(se.ConfigError, match="no frame 6"):
        clip.draw(FRAMES, [mine])
    with pytest.raises(se.ConfigError, match="region"):
        clip.draw(2, [mine], regions="nose")
    soft = clip.draw(2, replace(mine, fidelity=0.2))
    assert (soft != clip.draw(2, mine)).any()
    assert all((value == before[name]).all() for name, value in clip.generator.state_dict().items())
    sheet = se.preview(clip, mine, [-1, 1], frames=2)
    assert sheet._repr_png_().startswith(b"\x89PNG")


def test_a_failed_call_leaves_nothing_locked(clip: se.Inversion, mine: se.Direction) -> None:
    with pytest.raises(se.StitcheditError) as kept:  # as a notebook keeps the last traceback
        se.edit(clip, mine, clip.project.source, **FEW)
    assert kept.tb is not None
    Lock(clip.project.root, alone=True).release()


def test_what_was_made_is_measured(folder: Path, clip: se.Inversion, mine: se.Direction) -> None:
    done = se.edit(clip, mine, folder / "measured.mkv", **FEW)
    result = se.evaluate(done, ceiling=False, page=folder / "page.html")
    assert result.figures["outside_max"].value == 0
    assert float(result.figures["flicker"]) > 0
    assert result.asked == (mine.name,)
    assert "<td>flicker</td>" in result._repr_html_()
    assert (folder / "page.html").is_file()
    assert se.evaluate(clip, ceiling=False).figures["inversion_psnr"].value > 5


def test_a_queued_command_is_the_real_one(folder: Path, clip: se.Inversion) -> None:
    """Through the program itself: its result, its log and its progress."""
    queue = Queue(folder / "queue")
    queue.add(["preview", "clip.mp4", "--direction", "push.npy", "--uncalibrated", "-o", "queued.png"], folder)
    (job,) = work(queue)
    assert (job.state, job.said) == ("done", "")
    assert result_of(queue.folder(1)) == {"sheet": "queued.png"}
    assert (folder / "queued.png").is_file()
    assert any("preview: 3 of 3" in line for line in log_end(queue.folder(1)))
