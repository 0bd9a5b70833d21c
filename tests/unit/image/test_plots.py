"""Charts hold what they are given, and nothing that a name could smuggle in."""

import xml.etree.ElementTree as ElementTree

import numpy as np

from stitchedit.image.plots import legend, line_chart


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def test_lines_are_broken_where_there_is_no_value() -> None:
    line = np.array([1, 2, np.nan, 3, np.nan, 4, 5], np.float32)
    chart = parse(line_chart(np.arange(7), {"edit": line}))
    assert [len(p.get("points", "").split()) for p in chart.iter("polyline")] == [2, 2]
    assert len(list(chart.iter("circle"))) == 1


def test_values_stay_inside_and_higher_ones_stand_higher() -> None:
    chart = parse(line_chart(np.arange(3), {"edit": np.array([0, 5, 10], np.float32)}, target=9.0))
    points = next(chart.iter("polyline")).get("points", "").split()
    heights = [float(p.split(",")[1]) for p in points]
    assert heights == sorted(heights, reverse=True)
    assert 0 < min(heights) < max(heights) < 190
    assert [e for e in chart.iter("line") if e.get("class") == "target"]
    far = parse(line_chart(np.arange(3), {"edit": np.array([0, 5, 10], np.float32)}, target=900.0))
    assert not [e for e in far.iter("line") if e.get("class") == "target"], "it would flatten the lines"


def test_one_frame_flat_lines_and_nothing_at_all() -> None:
    for values in ([3.0], [2.0, 2.0, 2.0], [0.0, 0.0], [np.nan, np.nan]):
        parse(line_chart(np.arange(len(values)), {"edit": np.array(values, np.float32)}))


def test_names_are_escaped() -> None:
    lines = {"<script>": np.array([1.0, 2.0], np.float32)}
    assert "<script>" not in line_chart(np.arange(2), lines)
    assert "<script>" not in legend(lines)
