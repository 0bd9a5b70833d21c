from collections.abc import Callable

import cv2
import numpy as np
import pytest

from stitchedit.editing import temporal_smoothing
from stitchedit.editing.temporal_smoothing import steadied
from stitchedit.metrics import Flicker
from stitchedit.types import ByteArray, FloatArray

SIDE, FRAMES = 96, 9
WHOLE = [slice(0, FRAMES)]
ALL = np.ones((SIDE, SIDE), np.float32)


def scene() -> list[ByteArray]:
    """A textured plane that moves two pixels a frame."""
    rough = np.random.default_rng(0).standard_normal((SIDE, SIDE + 2 * FRAMES, 3))
    wide = cv2.GaussianBlur(rough, (0, 0), 2)
    wide = (128 + 40 * wide / wide.std()).clip(0, 255).astype(np.uint8)
    return [np.ascontiguousarray(wide[:, 2 * k : 2 * k + SIDE]) for k in range(FRAMES)]


def trembling(source: list[ByteArray]) -> list[ByteArray]:
    """Brighter by 20, more or less so from frame to frame, in patches."""
    random = np.random.default_rng(1)
    patches = (cv2.resize(random.normal(20, 8, (6, 6)), (SIDE, SIDE)) for _ in source)
    return [(f + p[..., None]).round().clip(0, 255).astype(np.uint8) for f, p in zip(source, patches, strict=True)]


def flicker(edited: list[ByteArray], source: list[ByteArray]) -> float:
    found = Flicker()
    for out, own in zip(edited, source, strict=True):
        found.add(out, own, ALL)
    return found.excess()


def test_an_edit_that_trembles_is_steadied_and_stays_as_strong() -> None:
    source = scene()
    edited = trembling(source)
    done = list(steadied(edited, source, WHOLE, 2.0))
    assert flicker(done, source) < 0.5 * flicker(edited, source)
    change = np.stack(done).astype(float) - np.stack(source)
    assert change.mean() == pytest.approx((np.stack(edited).astype(float) - np.stack(source)).mean(), abs=1)


def test_flow_is_found_once_for_a_pair_and_nothing_of_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[int] = []
    flows: list[temporal_smoothing._Flows] = []
    dense = temporal_smoothing.dense_flow

    def counted(here: ByteArray, there: ByteArray) -> FloatArray:
        found.append(1)
        return dense(here, there)

    class Flows(temporal_smoothing._Flows):
        def __init__(self, grey: Callable[[int], ByteArray]) -> None:
            super().__init__(grey)
            flows.append(self)

    monkeypatch.setattr(temporal_smoothing, "dense_flow", counted)
    monkeypatch.setattr(temporal_smoothing, "_Flows", Flows)
    source = scene()
    done = list(steadied(trembling(source), source, WHOLE, 2.0))
    assert len(found) == sum(min(4, FRAMES - 1 - k) for k in range(FRAMES))
    assert not flows[0]._kept
    for again, out in zip(steadied(trembling(source), source, WHOLE, 2.0), done, strict=True):
        np.testing.assert_array_equal(again, out)


def test_a_steady_edit_stays_as_it_is() -> None:
    source = scene()
    edited = [np.clip(f.astype(int) + 15, 0, 255).astype(np.uint8) for f in source]
    for out, given in zip(steadied(edited, source, WHOLE, 2.0), edited, strict=True):
        assert np.abs(out.astype(int) - given)[8:-8, 8:-8].mean() < 0.5


def test_fractions_of_a_level_are_kept() -> None:
    source = scene()
    change = [k % 2 for k in range(FRAMES)]  # a level in every other frame: half a level, once it is averaged
    edited = [np.clip(f.astype(int) + c, 0, 255).astype(np.uint8) for f, c in zip(source, change, strict=True)]
    middle = list(steadied(edited, source, WHOLE, 2.0))[FRAMES // 2] - source[FRAMES // 2]
    assert 0.3 < middle[16:-16, 16:-16].mean() < 0.7


def test_nothing_comes_across_a_cut() -> None:
    source = scene()
    edited = trembling(source)
    parts = [slice(0, 4), slice(4, FRAMES)]
    whole = list(steadied(edited, source, parts, 2.0))
    alone = list(steadied(edited[4:], source[4:], [slice(0, FRAMES - 4)], 2.0))
    for out, expected in zip(whole[4:], alone, strict=True):
        np.testing.assert_array_equal(out, expected)


def test_what_only_one_frame_shows_stays_its_own() -> None:
    source = scene()
    source[4] = source[4].copy()
    source[4][30:60, 30:60] = 255  # a hand, say
    edited = [f.copy() for f in source]
    edited[4][30:60, 30:60] = 100
    out = list(steadied(edited, source, WHOLE, 2.0))
    assert np.abs(out[4][36:54, 36:54].astype(int) - 100).max() <= 8
    assert np.abs(out[3].astype(int) - source[3]).mean() < 0.5


def test_without_neighbours_or_sigma_pictures_stay() -> None:
    source = scene()
    edited = trembling(source)
    for out, given in zip(steadied(edited, source, WHOLE, 0.0), edited, strict=True):
        np.testing.assert_array_equal(out, given)
    (only,) = steadied(edited[:1], source[:1], [slice(0, 1)], 2.0)
    np.testing.assert_array_equal(only, edited[0])
