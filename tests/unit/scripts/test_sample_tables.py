"""Tables of samples with a generator and predictors that are made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import sample_tables
from plain_generator import GENERATOR
from sample_tables import Table, load_table, read_chunk, read_identities, sample_chunk

from stitchedit.faces.attributes import Predictors
from stitchedit.faces.human_ratings import RATED
from stitchedit.learning import generator_samples
from stitchedit.learning.generator_samples import NAMES


class _Seeing:
    def age(self, picture: Any, points: Any) -> float:
        return float(picture.mean())

    def gender(self, picture: Any, points: Any) -> float:
        return 0.0

    def rated(self, picture: Any, points: Any) -> dict[str, float]:
        return dict.fromkeys(RATED, 8.0)


def test_chunks_are_drawn_read_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).uniform(60, 200, (68, 2)).astype(np.float32)
    monkeypatch.setattr(generator_samples, "landmarks", lambda picture, box, repeats: points)
    monkeypatch.setattr(generator_samples, "embed", lambda picture, found: np.ones(128, np.float32))
    predictors = cast(Predictors, _Seeing())
    source, readings = tmp_path / "chunk.npz", tmp_path / "readings.npz"
    sample_chunk(source, GENERATOR, [0, 0], 4, None)
    read_chunk(readings, source, predictors)
    stamp = source.stat().st_mtime_ns, readings.stat().st_mtime_ns
    sample_chunk(source, GENERATOR, [0, 0], 4, None)
    read_chunk(readings, source, predictors)
    assert stamp == (source.stat().st_mtime_ns, readings.stat().st_mtime_ns)
    table = load_table([readings, readings])
    assert table.w.shape == (8, 4)
    assert table.values.shape == (8, len(NAMES))
    assert table.values[0, NAMES.index("weight")] == 8
    assert table.embeddings.shape == (8, 128)
    np.testing.assert_allclose(table.psi[:3], [0.7, 0.7, 1.0], rtol=1e-6)


def test_spread_counts_the_samples_near_the_mean_only() -> None:
    values = np.array([[0.0], [100.0], [2.0], [-100.0]])
    table = Table(np.zeros((4, 2)), np.array([0.7, 1.0, 0.7, 1.0]), values, np.zeros((4, 128)))
    np.testing.assert_allclose(table.spread, [1.0])


def test_identities_alone_are_those_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_tables, "aligned_landmarks", lambda picture: np.zeros((68, 2), np.float32))
    monkeypatch.setattr(sample_tables, "embed", lambda picture, found: np.full(128, picture.mean(), np.float32))
    pictures = np.stack([np.full((4, 4, 3), level, np.uint8) for level in (1, 2)])
    np.testing.assert_array_equal(read_identities(pictures)[:, 0], [1, 2])
