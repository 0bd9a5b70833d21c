"""Strengths over a clip: what is understood, what the curve does between keys, and what is refused."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stitchedit.errors import ConfigError
from stitchedit.strength import Keyframes, keyframes, parse_strength, strength_label, strength_option

RATE = Fraction(24)
FRAMES = np.arange(60)


def curve(text, frames=FRAMES, rate=RATE):
    strength = parse_strength(text)
    assert isinstance(strength, Keyframes)
    return strength.curve(frames, rate)


def test_a_number_stays_a_number():
    assert parse_strength("2") == 2.0
    assert parse_strength("-.5") == -0.5


@given(st.floats(-1000, 1000))
def test_a_strength_is_written_as_it_is_read(value):
    assert parse_strength(strength_option(value)) == value
    for keys in (keyframes({0: value, 48: -value}), keyframes({0.25: value, 1.5: 0}, in_seconds=True)):
        assert parse_strength(strength_option(keys)) == keys
    assert strength_option(keyframes({0: 2, 1.5: -0.5}, in_seconds=True)) == "0s:2,1.5s:-0.5"


def test_the_curve_passes_every_key_and_is_level_outside():
    values = curve("10:0,20:2, 40:-1")
    np.testing.assert_allclose(values[[10, 20, 40]], [0, 2, -1], atol=1e-12)
    assert (values[:10] == 0).all()
    assert (values[41:] == -1).all()
    steps = np.diff(values)
    assert np.abs(np.diff(steps)).max() < 0.12, "no kinks: straight lines would have one of 0.35"
    assert curve("7:1.5").tolist() == [1.5] * 60


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(-3, 3)), min_size=1, max_size=8, unique_by=lambda key: key[0]))
def test_nothing_goes_beyond_two_neighbouring_keys(keys):
    keys = sorted(keys)
    values = curve(",".join(f"{at}:{strength}" for at, strength in keys), np.arange(501))
    for (a, low), (b, high) in itertools.pairwise(keys):
        part = values[a : b + 1]
        assert part.min() >= min(low, high) - 1e-9
        assert part.max() <= max(low, high) + 1e-9


def test_seconds_are_frames_at_the_clips_rate():
    np.testing.assert_allclose(curve("0s:0,1.5s:2"), curve("0:0,36:2"))
    np.testing.assert_allclose(curve("0:0,1.5s:2"), curve("0:0,36:2"))
    with pytest.raises(ConfigError, match="do not follow"):
        curve("30:0,1s:2")


def test_only_edited_frames_are_asked_for():
    np.testing.assert_array_equal(curve("0:0,48:2", np.array([3, 30, 59])), curve("0:0,48:2")[[3, 30, 59]])


def test_a_key_that_is_never_reached_is_told():
    late = parse_strength("0:0,100:2").late_key(np.arange(60), Fraction(24))
    assert "comes after frame 59" in late
    assert parse_strength("0:0,59:2").late_key(np.arange(60), Fraction(24)) == ""


BAD = ["", "two", "nan", "inf", "1e6", "1,2", "0:", ":2", "0:0,", "0:0,48", "0:0,48:x", "0:nan", "-1:0,2:1", "0.5:1"]
BAD += ["0:0,0:1", "48:2,0:0", "1s:0,0.5s:1", "1ss:2", "0:0:0", "0:1e9", "9999999999:1", ",".join(["0:1"] * 2000)]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_strength_is_one_clear_line(text):
    with pytest.raises(ConfigError) as told:
        parse_strength(text)
    assert "strength" in str(told.value)
    assert "\n" not in str(told.value) + told.value.hint
    assert len(str(told.value)) < 200


def test_labels_are_fit_for_file_names():
    assert strength_label(2.0) == "+2"
    assert strength_label(parse_strength("0:0,48:2")) == "+0@0+2@48"
    assert strength_label(parse_strength("0s:-1,1.5s:2")) == "-1@0s+2@1.5s"
    long = strength_label(parse_strength(",".join(f"{k}:{k / 7}" for k in range(50))))
    other = strength_label(parse_strength(",".join(f"{k}:{k / 7 if k != 20 else 0}" for k in range(50))))
    assert long.startswith("+0@0..+7@49.")
    assert len(long) < 40
    assert long != other
