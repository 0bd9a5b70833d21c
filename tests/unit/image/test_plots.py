"""Charts hold what they are given, and nothing that a name could smuggle in."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from stitchedit.image.plots import drawing, line_chart, pixels

SVG = "{http://www.w3.org/2000/svg}"
BLUE = "#1668b8"  # of "edit"


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def line_of(svg: str, colour: str = BLUE) -> list[list[tuple[float, float]]]:
    """The points of the one line of a colour that is long, in its pieces."""
    paths = [p for p in parse(svg).iter(f"{SVG}path") if colour in p.get("style", "") and "L" in p.get("d", "")]
    pieces = max((p.get("d", "") for p in paths), key=len).split("M")[1:]
    return [[tuple(map(float, point.split())) for point in piece.split("L")] for piece in pieces]


def test_lines_are_broken_where_there_is_no_value() -> None:
    line = np.array([1, 2, np.nan, 3, np.nan, 4, 5], np.float32)
    svg = line_chart(np.arange(7), {"edit": line})
    assert [len(piece) for piece in line_of(svg) if len(piece) > 1] == [2, 2]
    assert len(list(parse(svg).iter(f"{SVG}use"))) > len(
        list(parse(line_chart(np.arange(3), {"edit": line[:2].repeat([2, 1])})).iter(f"{SVG}use"))
    ), "a value alone is a dot"


def test_higher_values_stand_higher_and_a_far_target_is_left_out() -> None:
    values = {"edit": np.array([0, 5, 10], np.float32)}
    (piece,) = line_of(line_chart(np.arange(3), values, target=9.0))
    heights = [y for _, y in piece]
    assert heights == sorted(heights, reverse=True)
    assert "stroke-dasharray: 3" in line_chart(np.arange(3), values, target=9.0)
    assert "stroke-dasharray: 3" not in line_chart(np.arange(3), values, target=900.0), "it would flatten the lines"


@pytest.mark.parametrize("values", [[3.0], [2.0, 2.0, 2.0], [0.0, 0.0], [np.nan, np.nan]])
def test_one_frame_flat_lines_and_nothing_at_all(values: list[float]) -> None:
    svg = line_chart(np.arange(len(values)), {"edit": np.array(values, np.float32)}, target=1.0)
    assert "nan" not in svg.lower()
    parse(svg)


def test_names_are_escaped_and_shown_as_they_are() -> None:
    svg = line_chart(np.arange(2), {"<script> $x$": np.array([1.0, 2.0], np.float32)})
    assert "<script>" not in svg
    assert any("<script> $x$" in "".join(text.itertext()) for text in parse(svg).iter(f"{SVG}text"))


def test_the_same_chart_has_the_same_bytes() -> None:
    lines = {"edit": np.array([1.0, 2.0], np.float32)}
    assert line_chart(np.arange(2), lines) == line_chart(np.arange(2), lines)


def test_pixels_have_the_size_and_the_ground_that_were_asked_for() -> None:
    with drawing((120, 80), ground="#181818") as figure:
        picture = pixels(figure)
    assert picture.shape == (80, 120, 3)
    assert (picture == 0x18).all()


@pytest.mark.slow
def test_a_first_plot_says_nothing_about_fonts(tmp_path: Path) -> None:
    code = (
        "import numpy as np; from stitchedit.image.plots import line_chart; line_chart(np.arange(2), {'a': np.ones(2)})"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env={"PATH": "", "MPLCONFIGDIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
