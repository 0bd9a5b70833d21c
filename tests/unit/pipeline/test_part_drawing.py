"""Parts of an edit, drawn, edited and kept, on a small inverted clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from prepared import prepared_project

import stitchedit as se
from stitchedit.config import PARTS
from stitchedit.editing.edits import load_edits
from stitchedit.pipeline.face_edit import MOVES, edit_digest
from stitchedit.project import artefacts
from stitchedit.types import ByteArray
from stitchedit.video import open_video

PUSH = se.Direction(vector=0.6 * np.random.default_rng(0).normal(size=64), name="push")


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> se.Inversion:
    folder = prepared_project(tmp_path)
    monkeypatch.setenv("STITCHEDIT_HOME", str(folder / "home"))
    return se.open_inversion(folder / "clip.mp4", device="cpu")


def parts(strength: float, *names: str) -> list[se.Change]:
    return [strength * PUSH.only(name) for name in names]


def test_all_parts_are_the_whole_edit_and_fewer_are_less_of_it(clip: se.Inversion) -> None:
    whole, none = (clip.synthesized(3, clip.moved(load_edits(edit))).numpy() for edit in (PUSH, ()))
    together = clip.synthesized(3, clip.moved(load_edits(parts(1.0, *PARTS)))).numpy()
    np.testing.assert_allclose(together, whole, atol=1e-4)
    alone = [clip.synthesized(3, clip.moved(load_edits(parts(1.0, name)))).numpy() - none for name in PARTS]
    np.testing.assert_allclose(none + sum(alone), whole, atol=1e-4)
    assert all(np.abs(change).max() > 0.01 for change in alone)
    still = clip.moved(load_edits(parts(0.0, "folds")))
    np.testing.assert_array_equal(clip.synthesized(3, still).numpy(), none)


def test_parts_go_each_as_far_as_asked_and_on_top_of_other_edits(clip: se.Inversion) -> None:
    other = se.Direction(vector=0.6 * np.random.default_rng(1).normal(size=64), name="other")

    def drawn(*edits: se.Change | se.Direction) -> ByteArray:
        return clip.synthesized(3, clip.moved(load_edits(list(edits)))).numpy()

    base = drawn(other)
    mixed = drawn(other, *parts(2.0, "hair"), *parts(1.0, "folds"))
    apart = drawn(other, *parts(2.0, "hair")) + drawn(other, *parts(1.0, "folds")) - base
    np.testing.assert_allclose(mixed, apart, atol=1e-4)
    np.testing.assert_allclose(drawn(other, *parts(1.0, *PARTS)), drawn(other, PUSH), atol=1e-4)


def test_an_edit_of_parts_is_kept_with_its_codes(clip: se.Inversion, tmp_path: Path) -> None:
    edited = clip.moved(load_edits(parts(1.0, "hair", "skin")))
    assert edit_digest(edited) != edit_digest(clip.moved(load_edits(parts(1.0, "hair"))))
    artefacts.save_moves(tmp_path / MOVES, edited, [])
    again, _ = artefacts.load_moves(tmp_path / MOVES, clip.generator, len(clip.crops.frames))
    assert edit_digest(again) == edit_digest(edited)
    assert [move.part for move in again.parts] == ["hair", "skin"]


def test_the_video_shows_the_parts(clip: se.Inversion, tmp_path: Path) -> None:
    frames = []
    for k, edits in enumerate((parts(1.5, *PARTS), 1.5 * PUSH, parts(1.5, "hair"))):
        se.edit(clip, edits, output=tmp_path / f"{k}.mp4", preset="fast")
        frames.append(next(f.rgb() for f in open_video(tmp_path / f"{k}.mp4") if f.index == 3).astype(float))
    together, whole, hair = frames
    assert np.abs(together - whole).mean() < 0.25 * np.abs(whole - clip.frame(3)).mean()
    source = clip.frame(3)
    assert 0.05 < np.abs(hair - source).mean() < 0.9 * np.abs(whole - source).mean()
