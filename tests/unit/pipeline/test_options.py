import pytest

from stitchedit.config import InvertConfig
from stitchedit.errors import ConfigError
from stitchedit.pipeline.options import edit_stitch, expand_crop
from stitchedit.pipeline.presets import edit_preset


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
