import pytest

from stitchedit.config import PRESETS, TuneConfig, edit_preset, encode_space, for_frames, invert_preset, with_options
from stitchedit.errors import ConfigError


def test_presets_cost_more_from_fast_to_quality() -> None:
    inverts = [invert_preset(name) for name in PRESETS]
    assert [c.preset for c in inverts] == list(PRESETS)
    assert inverts[0].tune.steps < inverts[1].tune.steps < inverts[2].tune.steps
    stitches = [edit_preset(name).stitch for name in PRESETS]
    assert stitches[0].steps < stitches[1].steps < stitches[2].steps
    assert stitches[0].border_threshold > stitches[1].border_threshold > stitches[2].border_threshold


def test_options_that_are_not_allowed() -> None:
    with pytest.raises(ConfigError):
        invert_preset("best")
    with pytest.raises(ConfigError):
        edit_preset("best")
    with pytest.raises(ConfigError):
        with_options(invert_preset("fast"), device="tpu")
    with pytest.raises(ConfigError):
        encode_space(invert_preset("fast"), "Z")
    assert encode_space(invert_preset("fast"), "W").encode.space == "W"
    assert with_options(edit_preset("fast"), seed=3).seed == 3


def test_the_step_budget_grows_with_the_clip_up_to_a_limit() -> None:
    tune = TuneConfig(steps=300, steps_per_frame=3.5, most_steps=1500)
    assert [for_frames(tune, n).steps for n in (1, 50, 100, 354, 10_000)] == [300, 300, 350, 1239, 1500]
