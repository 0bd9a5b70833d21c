from stitchedit.config import PRESETS, for_frames
from stitchedit.pipeline.presets import edit_preset, invert_preset


def test_presets_cost_more_from_fast_to_quality() -> None:
    inverts = [invert_preset(name) for name in PRESETS]
    assert [c.preset for c in inverts] == list(PRESETS) == ["fast", "balanced", "quality", "stit"]
    assert inverts[0].tune.steps < inverts[1].tune.steps < inverts[2].tune.steps
    stitches = [edit_preset(name).stitch for name in PRESETS]
    assert stitches[0].steps < stitches[1].steps < stitches[2].steps
    assert stitches[0].border_threshold > stitches[1].border_threshold > stitches[2].border_threshold


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
