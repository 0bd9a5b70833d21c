"""Cuts are found, and flashes, dissolves and pans are none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace
from typing import cast

import cv2
import numpy as np
import pytest

from stitchedit.film.shots import Shot, find_shots, shots_between
from stitchedit.types import ByteArray
from stitchedit.video import VideoSource


def scene(seed: int) -> ByteArray:
    noise = np.random.default_rng(seed).integers(0, 256, (9, 24, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (960, 180), interpolation=cv2.INTER_CUBIC))


def panned(seed: int, count: int, step: int = 2) -> list[ByteArray]:
    """A pan over a scene, with a little noise."""
    random = np.random.default_rng(seed)
    wide = scene(seed)
    cuts = [wide[:, step * k : step * k + 320].astype(int) for k in range(count)]
    return [(picture + random.integers(-3, 4, picture.shape)).clip(0, 255).astype(np.uint8) for picture in cuts]


@dataclass(frozen=True)
class Picture:
    index: int
    picture: ByteArray

    def rgb(self) -> ByteArray:
        return self.picture


def film(pictures: list[ByteArray]) -> VideoSource:
    class Source:
        info = SimpleNamespace(rate=Fraction(24), duration=Fraction(len(pictures), 24))

        def __iter__(self) -> Iterator[Picture]:
            return (Picture(k, picture) for k, picture in enumerate(pictures))

    return cast(VideoSource, Source())


def cuts(pictures: list[ByteArray]) -> list[int]:
    return [shot.first for shot in find_shots(film(pictures))][1:]


def test_a_cut_is_where_the_scene_changes() -> None:
    assert cuts([*panned(0, 20), *panned(1, 12), *panned(2, 20)]) == [20, 32]


@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_flash_is_no_cut(length: int) -> None:
    pictures = panned(0, 40)
    for k in range(20, 20 + length):
        pictures[k] = np.full_like(pictures[k], 250)
    assert cuts(pictures) == []


def test_a_dissolve_is_one_shot() -> None:
    before, after = panned(0, 60), panned(1, 60)
    parts = np.clip((np.arange(60) - 20) / 16, 0, 1)
    mixed = [(a * (1 - p) + b * p).astype(np.uint8) for a, b, p in zip(before, after, parts, strict=True)]
    assert cuts(mixed) == []


def test_a_quick_pan_is_no_cut() -> None:
    assert cuts(panned(3, 40, step=14)) == []


def test_shots_follow_each_other_to_the_end() -> None:
    shots = shots_between([5, 9, 0, 12], 12)
    assert shots == [Shot(1, 0, 4), Shot(2, 5, 8), Shot(3, 9, 11)]
    assert sum(shot.frames for shot in shots) == 12
