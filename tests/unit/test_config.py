from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest

from stitchedit.config import (
    AlignConfig,
    EditConfig,
    EncodeConfig,
    InvertConfig,
    StitchConfig,
    TrackConfig,
    TuneConfig,
    for_frames,
)
from stitchedit.errors import ConfigError
from stitchedit.pipeline.presets import edit_preset, invert_preset
from stitchedit.project.records import inputs_of

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


def test_records_of_crops_from_before_expansions_hold() -> None:
    assert "expand" not in inputs_of(AlignConfig())
    assert inputs_of(AlignConfig(expand=(1, 2, 2, 1)))["expand"] == "(1, 2, 2, 1)"
