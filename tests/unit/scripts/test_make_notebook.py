"""The notebook is the worked example: the same code in the same order, and sliders that draw."""

from __future__ import annotations

import json
import re
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import make_notebook
import numpy as np
import pytest
from PIL import Image

PAGE = make_notebook.PAGE.read_text(encoding="utf-8")


def test_the_notebook_is_that_of_the_page_as_it_is() -> None:
    text = make_notebook.NOTEBOOK.read_text(encoding="utf-8")
    assert text == make_notebook.notebook(PAGE), "run scripts/make_notebook.py"
    assert make_notebook.notebook(PAGE + "\n## More\n\nnews\n") != text


def test_its_code_is_the_pages_and_the_sliders() -> None:
    whole = json.loads(make_notebook.notebook(PAGE))
    assert (whole["nbformat"], whole["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in whole["cells"]}) == len(whole["cells"])
    code = ["".join(cell["source"]) for cell in whole["cells"] if cell["cell_type"] == "code"]
    blocks = [block.strip("\n") for block in re.findall(r"(?ms)^```python\n(.*?)^```$", PAGE)]
    sliders = make_notebook.SLIDERS.strip("\n")
    assert [cell for cell in code if cell != sliders] == blocks
    at = code.index(sliders)
    assert "clip.draw(frame=2" in code[at - 1]
    text = "".join("".join(cell["source"]) for cell in whole["cells"] if cell["cell_type"] == "markdown")
    assert "```python" not in text


def test_the_sliders_draw_what_they_say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    drawn: list[Any] = []

    def draw(frame: int, edits: list[float], quick: bool) -> np.ndarray:
        drawn.append((frame, edits, quick))
        return np.zeros((4, 5, 3), np.uint8)

    names = {"clip": SimpleNamespace(draw=draw, tracks=SimpleNamespace(state=[0] * 6)), "age": 1.0, "smile": 1.0}
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    exec(make_notebook.SLIDERS, dict(names))
    assert "pip install ipywidgets" in capsys.readouterr().out
    widgets: Any = ModuleType("ipywidgets")
    given: dict[str, Any] = {}
    widgets.interact = lambda **ranges: given.update(ranges) or (lambda work: work)
    monkeypatch.setitem(sys.modules, "ipywidgets", widgets)
    there: dict[str, Any] = dict(names)
    exec(make_notebook.SLIDERS, there)
    picture = there["look"](frame=3, years=20, smiles=0.5)
    assert isinstance(picture, Image.Image)
    assert drawn == [(3, [2.0, 0.5], True)]
    assert given["frame"] == (0, 5)
