from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest

from stitchedit.config import (
    PRESETS,
    AlignConfig,
    EditConfig,
    EncodeConfig,
    InvertConfig,
    StitchConfig,
    TrackConfig,
    TuneConfig,
    edit_preset,
    edit_stitch,
    expand_crop,
    for_frames,
    invert_preset,
)
from stitchedit.errors import ConfigError
from stitchedit.project.records import inputs_of


def test_presets_cost_more_from_fast_to_quality() -> None:
    inverts = [invert_preset(name) for name in PRESETS]
    assert [c.preset for c in inverts] == list(PRESETS) == ["fast", "balanced", "quality", "stit"]
    assert inverts[0].tune.steps < inverts[1].tune.steps < inverts[2].tune.steps
    stitches = [edit_preset(name).stitch for name in PRESETS]
    assert stitches[0].steps < stitches[1].steps < stitches[2].steps
    assert stitches[0].border_threshold > stitches[1].border_threshold > stitches[2].border_threshold


WRONG = [
    lambda: InvertConfig(preset="best"),
    lambda: InvertConfig(device="tpu"),
    lambda: InvertConfig(fps=Fraction(0)),
    lambda: InvertConfig(others=("bob",)),
    lambda: InvertConfig(others=("largest",)),
    lambda: InvertConfig(seed=-1),
    lambda: TrackConfig(face="bob"),
    lambda: TrackConfig(min_face_px=0),
    lambda: AlignConfig(scale=float("nan")),
    lambda: EncodeConfig(space="Z"),
    lambda: TuneConfig(ramp_down=1.5),
    lambda: StitchConfig(norm="l3"),
    lambda: StitchConfig(steady=-1.0),
    lambda: StitchConfig(steady=float("nan")),
    lambda: EditConfig(preset="best"),
    lambda: EditConfig(blender="fethr"),
    lambda: EditConfig(codec="prorez"),
    lambda: EditConfig(codec="prores", lossless=True),
    lambda: EditConfig(regions=("nose",)),
    lambda: EditConfig(fidelity=1.1),
    lambda: EditConfig(fidelity=float("nan")),
    lambda: EditConfig(device="tpu"),
    lambda: EditConfig(edits=(("age", 1.0),), only=((1,), (2,))),
    lambda: invert_preset("best"),
    lambda: edit_preset("best"),
    lambda: replace(edit_preset("fast"), blender="fethr"),
]


@pytest.mark.parametrize("make", WRONG)
def test_a_wrong_setting_raises_where_it_is_made(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.hint


@pytest.mark.parametrize("face", ["largest", "1", " 2 ", "305,90@1", "95.5,105@3.2s", "like a b.jpg"])
def test_forms_of_a_face(face: str) -> None:
    assert TrackConfig(face=face).face == face


def test_regions_unite_where_they_are_given() -> None:
    assert EditConfig(regions=("mouth", "face")).regions == ("face",)
    assert EditConfig(regions=("eyes", "mouth")).regions == ("mouth", "eyes")


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
    assert edit_stitch(balanced, detail=None, steady=None) == balanced
    asked = edit_stitch(balanced, detail=False, steady=0.0).stitch
    assert (asked.detail, asked.steady) == (False, 0.0)
    for wrong in (-1.0, 11.0, float("nan")):
        with pytest.raises(ConfigError, match="steady"):
            edit_stitch(balanced, steady=wrong)


@pytest.mark.parametrize(
    ("text", "expand"),
    [
        ("0.25,0.25,0.25,0.25", (2, 2, 2, 2)),
        ("0.2,0,0.1,0.3", (2, 0, 1, 3)),
        ("0,0.5,0,0.5", (4, 4, 4, 4)),
        ("0,0,0,0.3", (2, 0, 1, 3)),
        ("0, 0, 0, 0", (0, 0, 0, 0)),
    ],
)
def test_an_expansion_is_rounded_up_to_a_square_in_eighths(text: str, expand: tuple[int, ...]) -> None:
    found = expand_crop(InvertConfig(), text).align
    assert found.expand == expand
    left, top, side = found.inner
    assert side == pytest.approx(1 / (1 + (expand[0] + expand[2]) / 8))
    assert (left, top) == (pytest.approx(side * expand[0] / 8), pytest.approx(side * expand[1] / 8))


@pytest.mark.parametrize("text", ["", "0.1", "1,2,3", "0.6,0,0,0", "-0.1,0,0,0", "nan,0,0,0", "a,b,c,d", "0,0,0,0,0"])
def test_an_expansion_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        expand_crop(InvertConfig(), text)
    assert "left, top, right, bottom" in caught.value.hint


def test_records_of_crops_from_before_expansions_hold() -> None:
    assert "expand" not in inputs_of(AlignConfig())
    assert inputs_of(AlignConfig(expand=(1, 2, 2, 1)))["expand"] == "(1, 2, 2, 1)"
