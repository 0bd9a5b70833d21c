import pytest

from stitchedit.config import (
    PRESETS,
    TuneConfig,
    edit_detail,
    edit_preset,
    encode_space,
    for_frames,
    invert_preset,
    with_options,
)
from stitchedit.errors import ConfigError


def test_presets_cost_more_from_fast_to_quality() -> None:
    inverts = [invert_preset(name) for name in PRESETS]
    assert [c.preset for c in inverts] == list(PRESETS) == ["fast", "balanced", "quality", "stit"]
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
    assert [for_frames(tune, n).steps for n in (50, 100, 354, 10_000)] == [300, 350, 1239, 1500]
    assert [for_frames(tune, n).steps for n in (1, 12, 24, 50)] == [120, 147, 208, 300], "few frames take fewer"
    encode = invert_preset("balanced").encode
    assert [for_frames(encode, n).steps for n in (1, 48)] == [encode.steps] * 2


def test_the_reference_preset_has_the_constants_of_the_reference() -> None:
    """STIT as published: 300 passes, one frame a step, Adam 3e-5; stitching 100 steps at 3e-4 from a fresh copy."""
    tune = for_frames(invert_preset("stit").tune, 12)
    assert (tune.steps, tune.shuffle, tune.lr, tune.lr_codes) == (3600, False, 3e-5, 0)
    assert (tune.l2_weight, tune.perceptual_weight, tune.perceptual_size, tune.weighted) == (10, 1, 1024, False)
    assert (tune.anchor, tune.ramp_down, tune.coarse_part, tune.plateau, tune.locality) == (0, 0, 0, 0, False)
    stitch = edit_preset("stit").stitch
    assert (stitch.steps, stitch.first_steps, stitch.lr, stitch.norm) == (100, 100, 3e-4, "l2")
    assert (stitch.content_weight, stitch.border_threshold, stitch.border_px) == (0.01, 0, 50)
    assert (stitch.fresh, stitch.interior) == (True, False)
    assert (stitch.detail, stitch.steady, stitch.membrane) == (False, 0, False)
    align = invert_preset("stit").align
    assert (align.scale, align.center_sigma, align.xy_sigma) == (1.0, 1.0, 3.0)


def test_detail_and_steadiness_can_be_asked_for() -> None:
    balanced = edit_preset("balanced")
    assert edit_detail(balanced, None, None) == balanced
    asked = edit_detail(balanced, False, 0.0).stitch
    assert (asked.detail, asked.steady) == (False, 0.0)
    for wrong in (-1.0, 11.0, float("nan")):
        with pytest.raises(ConfigError, match="steady"):
            edit_detail(balanced, None, wrong)
