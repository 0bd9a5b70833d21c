"""What was painted, and pictures that were painted over something else."""

from __future__ import annotations

import numpy as np
import pytest

from stitchedit.editing.painted_change import FrameFinder, painted_change, why_other
from stitchedit.types import FloatArray


@pytest.fixture
def ours() -> FloatArray:
    y, x = np.mgrid[:40, :60].astype(np.float32)
    return np.stack([40 + 3 * x, 200 - 3 * y, 60 + y + x], axis=-1)


def test_only_what_was_painted_counts(ours: FloatArray) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, ours.shape).astype(np.float32)
    painted = ours + noise
    painted[10:14, 20:30] += 30
    found = painted_change(painted, ours)
    assert found is not None
    (x0, y0, x1, y1), change = found
    assert (x0, y0, x1, y1) == (18, 8, 32, 16)
    np.testing.assert_allclose(change[2:6, 2:12], 30, atol=0.51)
    assert painted_change(ours + noise, ours) is None
    assert why_other(painted, ours) == ""


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda p: 255 * (p / 255) ** 2.2, "light where codes"),
        (lambda p: 255 * (p / 255) ** (1 / 2.2), "codes where light"),
        (lambda p: p[..., ::-1], "red and blue"),
        (lambda p: np.roll(p, 20, axis=1), "differs nearly everywhere, by"),
        (lambda p: p[::-1] * 0.6, "differs nearly everywhere, by"),
    ],
)
def test_another_picture_is_known_as_such(ours: FloatArray, wrong: object, why: str) -> None:
    assert why in why_other(np.asarray(wrong(ours), np.float32), ours)  # type: ignore[operator]


def test_what_a_file_cuts_off_is_not_painted(ours: FloatArray) -> None:
    beyond = ours * 2 - 120
    assert beyond.min() < -10
    assert beyond.max() > 265
    assert painted_change(beyond.clip(0, 255), beyond) is None
    assert why_other(beyond.clip(0, 255), beyond) == ""


def test_a_large_part_may_be_painted(ours: FloatArray) -> None:
    painted = ours.copy()
    painted[:, :28] += 50
    assert why_other(painted, ours) == ""


def test_the_frame_that_was_painted_over_is_found(ours: FloatArray) -> None:
    random = np.random.default_rng(0)
    grain = random.normal(0, 6, (20, 60, 3)).astype(np.float32)
    clip = [ours.copy() for _ in range(6)]
    for frame in clip:
        frame[:20] += random.permutation(grain)  # the lower half is the same in all
    edited = clip[3].copy()
    edited[10:30, 10:40] += 25
    for asked, other in ((3, None), (2, 3), (5, 3)):
        finder = FrameFinder(np.rint(edited), asked)
        for index, frame in enumerate(clip):
            finder.look(index, frame)
        assert finder.other == other
    still = FrameFinder(edited, 2)
    for index in range(6):
        still.look(index, clip[3])
    assert still.other is None
