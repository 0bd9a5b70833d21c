"""Figures of one frame of an edit, on a small inverted clip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prepared import prepared_project

from stitchedit import library
from stitchedit.faces.landmark_geometry import geometry
from stitchedit.pipeline.frame_reading import Applied, Moved, read_frame, see


def test_a_frame_is_read_before_and_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepared_project(tmp_path)
    monkeypatch.setenv("STITCHEDIT_HOME", str(folder / "home"))
    clip = library.open_inversion(folder / "clip.mp4", device="cpu")
    push = replace(
        library.direction(folder / "push.npy"), attribute="mouth_open", amount=0.5, measured_in="of its width"
    )
    source = clip.frame(3)
    same = read_frame(clip, 3, source, ((push, 2.0),))
    assert same is not None
    assert same.identity_distance == 0
    (moved,) = same.moved
    assert moved.before == moved.after == pytest.approx(geometry(see(clip, 3, source).points)["mouth_open"])
    assert moved.asked == 1.0
    mirrored = np.ascontiguousarray(source[:, ::-1] // 2)
    other = read_frame(clip, 3, mirrored, ((push, 2.0),))
    assert other is not None
    assert other.identity_distance > 0.05
    assert other.moved[0].before == moved.before
    assert other.moved[0].after != moved.after
    assert other.lines()[0].startswith("identity distance 0.")
    (unread,) = read_frame(clip, 3, source, ((replace(push, attribute="mood"), 1.0),)).moved  # type: ignore[union-attr]
    assert str(unread).endswith("nothing here reads it")
    object.__setattr__(clip.crops, "frames", clip.crops.frames + 100)
    assert read_frame(clip, 3, source, ((push, 1.0),)) is None, "a frame without the face"


def test_what_moved_is_said_with_what_was_asked() -> None:
    told = str(Moved("age", "years", 20.0, 34.0, 51.0))
    assert told == "age: 34 before, 51 after, +17 years of +20 asked"


def test_what_is_seen_of_the_generators_change_is_that_of_the_frame_as_it_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepared_project(tmp_path)
    monkeypatch.setenv("STITCHEDIT_HOME", str(folder / "home"))
    clip = library.open_inversion(folder / "clip.mp4", device="cpu")
    edits = ((library.direction(folder / "push.npy"), 2.0),)

    def seen(drawn: np.ndarray) -> list[float]:
        found = read_frame(clip, 3, drawn, edits, Applied(edits, ("face",)))
        assert found is not None
        return list(found.retention.values())

    whole = clip.draw(3, edits, regions="face")
    assert seen(clip.frame(3)) == [0, 0, 0]
    assert all(0.5 < share < 1.5 for share in seen(whole)), seen(whole)
    half = clip.frame(3) + (whole.astype(np.float32) - clip.frame(3)) / 2
    assert seen(half.round().astype(np.uint8)) == pytest.approx([share / 2 for share in seen(whole)], abs=0.1)
