"""Write docs/notebook.ipynb: the worked example of docs/library.md as cells, and sliders where ipywidgets is.

    python scripts/make_notebook.py [--check]

With --check nothing is written: exit code 1 says that the notebook is not that of the page any more.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
PAGE, NOTEBOOK = DOCS / "library.md", DOCS / "notebook.ipynb"
AFTER = "## Look before you wait"  # whose cells the sliders follow
INTRODUCTION = """Made from `docs/library.md` by `scripts/make_notebook.py`. It wants a clip: put one beside this
notebook as `clip.mp4`, such as a copy of `tests/data/demo.mp4`."""
SLIDERS = """try:
    from ipywidgets import interact
except ImportError:
    print("for sliders: pip install ipywidgets, and run this cell again")
else:
    from PIL import Image

    @interact(frame=(0, len(clip.tracks.state) - 1), years=(-25, 35), smiles=(-3.0, 4.0))
    def look(frame=2, years=20, smiles=0.0):
        return Image.fromarray(clip.draw(frame, [years / 10 * age, smiles * smile], quick=True))
"""


def cells(page: str) -> list[tuple[str, str]]:
    """The page as (kind, text), kind markdown or code, in its order; the sliders are put in after their section."""
    found = []
    for section in re.split(r"(?m)^(?=#{1,2} )", page):
        for number, part in enumerate(re.split(r"(?ms)^```python\n(.*?)^```$", section)):
            if part.strip():
                found.append(("code" if number % 2 else "markdown", part.strip("\n")))
        if section.startswith(AFTER):
            found.append(("code", SLIDERS.strip("\n")))
    return [found[0], ("markdown", INTRODUCTION), *found[1:]]


def notebook(page: str) -> str:
    """The text of the notebook, nbformat 4.5, the same for the same page."""
    made: list[dict[str, Any]] = []
    for number, (kind, text) in enumerate(cells(page)):
        cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text.splitlines(keepends=True)}
        made.append(cell | ({"execution_count": None, "outputs": []} if kind == "code" else {}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    wanted = notebook(PAGE.read_text(encoding="utf-8"))
    if "--check" in sys.argv[1:]:
        return int(NOTEBOOK.read_text(encoding="utf-8") != wanted)
    NOTEBOOK.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
