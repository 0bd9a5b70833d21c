import numpy as np
import pytest

from stitchedit.metrics.retention import BANDS, Retention, band, outside_change
from stitchedit.types import FloatArray


def texture(size: int = 96) -> FloatArray:
    return np.random.default_rng(0).normal(size=(size, size, 3)).astype(np.float32)


def test_bands_hold_what_their_name_says_and_nothing_twice() -> None:
    picture = texture()
    parts = [band(picture, name) for name in BANDS]
    assert np.abs(picture - sum(parts)).mean() < 0.05, "but for what is coarser than 32 px"
    energies = [float((part**2).mean()) for part in parts]
    assert energies == sorted(energies, reverse=True), "of noise, nearly all is fine"


def test_what_arrives_in_full_is_1_and_what_is_blurred_is_missed_where_it_is_fine() -> None:
    made, inside = texture(), np.ones((96, 96), np.float32)
    kept = Retention()
    kept.add(made, made, inside)
    assert kept.of_band() == pytest.approx(dict.fromkeys(BANDS, 1.0))
    halved = Retention()
    halved.add(made - 0.5 * band(made, "0 to 2 px"), made, inside)
    found = halved.of_band()
    assert found["0 to 2 px"] == pytest.approx(0.5, abs=0.1)
    assert found["8 to 32 px"] == pytest.approx(1, abs=0.1)


def test_only_the_inside_counts_and_nothing_made_is_no_number() -> None:
    made, inside = texture(), np.zeros((96, 96), np.float32)
    inside[:48] = 1
    seen = made * inside[..., None]
    kept = Retention()
    kept.add(seen, made, inside)
    assert kept.of_band()["0 to 2 px"] == pytest.approx(1, abs=0.03)
    nothing = Retention()
    nothing.add(made, np.zeros_like(made), inside)
    assert np.isnan(list(nothing.of_band().values())).all()


def test_what_is_hidden_is_counted_where_nothing_is_shown() -> None:
    made, shown = np.full((8, 8, 3), -4, np.float32), np.zeros((8, 8), np.float32)
    made[:4] = 100
    shown[:4] = 1
    assert outside_change(made, shown) == pytest.approx(4)
    assert np.isnan(outside_change(made, np.ones_like(shown)))
