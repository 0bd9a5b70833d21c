"""Single frames of an edit: what is kept between them changes how long they take, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prepared import prepared_project

import stitchedit as se
from stitchedit.editing.edits import load_edits
from stitchedit.pipeline.inversion import KEPT
from stitchedit.pipeline.still_edit import still_edit
from stitchedit.video import open_video


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> se.Inversion:
    place = prepared_project(tmp_path)
    monkeypatch.setenv("STITCHEDIT_HOME", str(place / "home"))
    return se.open_inversion(place / "clip.mp4", device="cpu")


@pytest.fixture
def sizes(clip: se.Inversion) -> list[int]:
    """The sizes of the pictures that the generator draws, as it does."""
    drawn: list[int] = []
    synthesis: Any = clip.generator.synthesis
    synthesis.register_forward_hook(lambda network, given, picture: drawn.append(int(picture.shape[-1])))
    return drawn


PUSH = se.Direction(vector=np.random.default_rng(0).normal(size=64), name="push")


def test_a_second_picture_of_a_frame_costs_one_pass_and_is_what_it_was(clip: se.Inversion, sizes: list[int]) -> None:
    first = clip.draw(3, PUSH)
    assert len(sizes) == 2, "before the edit and after it"
    other = clip.draw(3, 2 * PUSH)
    assert len(sizes) == 3
    assert (first != other).any()
    soft = clip.draw(3, se.Direction(vector=PUSH.vector, name="soft", fidelity=0.3))
    assert (soft != first).any()
    for regions in ("eyes", "mouth"):
        clip.draw(3, PUSH, regions=regions)
    np.testing.assert_array_equal(clip.draw(3, PUSH), first)


def test_several_frames_are_drawn_on_all_cores_and_come_out_the_same(clip: se.Inversion) -> None:
    frames = list(range(KEPT + 2))  # more than are kept warm
    still = still_edit(clip, load_edits(PUSH), ("face",))
    codes = [clip.moved(load_edits(strength * PUSH)) for strength in (1, 2)]
    drawn = list(still.draw_all(clip.frames_of(frames), codes))
    assert [clip.crops.of_frame(frame.index) for frame, _ in drawn] == frames
    for (frame, pictures), index in zip(drawn, frames, strict=True):
        np.testing.assert_array_equal(pictures, still.draw(frame, index, codes))


def test_while_dragging_the_next_smaller_exit_draws(clip: se.Inversion, sizes: list[int]) -> None:
    assert (clip.crops.size, clip.quick_size) == (64, 64), "there is none below"
    clip.generator.exits = (32, 64)
    assert clip.quick_size == 32
    quick, full = clip.draw(3, PUSH, quick=True), clip.draw(3, PUSH)
    assert sizes == [32, 32, 64, 64]
    source = next(frame.rgb() for frame in open_video(clip.project.source) if frame.index == 3)
    assert (quick != full).any()
    for drawn in (quick, full):
        assert (drawn != source).any()
        np.testing.assert_array_equal(drawn[:20], source[:20], "far from the face nothing may change")


def test_what_is_kept_does_not_grow_with_the_frames_looked_at(clip: se.Inversion) -> None:
    for frame in range(6):
        clip.draw(frame, PUSH)
    assert {kind: len(kept) for kind, kept in clip._kept.items() if kind in ("before", "masks", "crop", "shape")} == {
        kind: KEPT for kind in ("before", "masks", "crop", "shape")
    }
