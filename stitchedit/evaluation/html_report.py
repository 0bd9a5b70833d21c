"""An evaluation as one HTML page that needs nothing else: figures, plots, contact sheets."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib import metadata, resources
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from PIL import Image

from stitchedit.evaluation.aggregate import UNITS
from stitchedit.evaluation.report import Evaluation, goal, shown
from stitchedit.evaluation.run import Job
from stitchedit.faces.alignment import crop
from stitchedit.files.atomic import atomic
from stitchedit.image.contact_sheet import contact_sheet, spread
from stitchedit.image.plots import line_chart
from stitchedit.metrics import METRICS
from stitchedit.types import ByteArray, FloatArray

_CELL_PX = 256
_AROUND = 1.15  # of the crop's side: what is shown around the face
_GAIN = 4  # by which differences are enlarged

PLOTS: dict[str, tuple[str, ...]] = {
    "Identity": ("identity_distance", "neighbour_similarity"),
    "Inversion": ("inversion_psnr", "inversion_ssim", "inversion_perceptual"),
    "Seam": ("border_mse", "seam_gradient", "colour_step"),
    "Steadiness": ("flicker",),
    "Edit": ("age", "age_rated", "age_v1", "gender", "smile", "smile_rated", "yaw"),
    "Expression": ("jaw_open", "mouth_width", "lids_open", "gaze_across", "gaze_up", "brows_up"),
    "Untouched": ("outside_max", "encoded_outside_max"),
    "Truth": ("truth_perceptual", "truth_psnr", "nearer_to_truth"),
}
_TITLES = {
    "neighbour_similarity": ("similarity of neighbouring frames", "cosine of embeddings"),
    "flicker": ("flow-warped difference of neighbours", "grey levels"),
}


def default_page(evaluation: Evaluation) -> Path:
    """Beside the edit; of an inversion, in its project."""
    if evaluation.edit is not None:
        return evaluation.edit.with_name(f"{evaluation.edit.stem}.evaluation.html")
    assert evaluation.project is not None, "an inversion is a project's"
    return evaluation.project / "inversion.evaluation.html"


def write_page(evaluation: Evaluation, job: Job, path: Path) -> None:
    """Raises NotWritable, DiskFull."""
    few, worst = spread(evaluation.frames, 4), evaluation.worst_frames()
    sheets = [
        ("Over the clip", [f"frame {f}" for f in few], few),
        ("Worst frames", [f"frame {frame}: worst in {names}" for frame, names in worst.items()], list(worst)),
    ]
    page = _environment().from_string(_template())
    text = page.render(
        e=evaluation,
        version=metadata.version("stitchedit"),
        groups=_groups(evaluation),
        attributes=[a for a in evaluation.attributes if np.isfinite(a.change)],
        plots=_plots(evaluation),
        sheets=[(title, said, _picture(_sheet(job, frames))) for title, said, frames in sheets if frames],
        gain=_GAIN,
        shown=shown,
        goal=goal,
    )
    with atomic(path) as temp:
        temp.write_text(text, encoding="utf-8", errors="backslashreplace")


def _template() -> str:
    return (resources.files("stitchedit") / "assets" / "evaluation.html").read_text(encoding="utf-8")


def _environment() -> Environment:
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _groups(evaluation: Evaluation) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for figure in evaluation.figures.values():
        groups.setdefault(figure.metric.group, []).append(figure)
    return groups


def _plots(evaluation: Evaluation) -> list[tuple[str, list[dict[str, Any]]]]:
    found = []
    more = tuple(name for name in evaluation.figures if name not in METRICS.own)
    for heading, names in [*PLOTS.items(), ("More", more)]:
        charts = [_plot(evaluation, name) for name in names if name in evaluation.curves]
        if charts:
            found.append((heading, charts))
    return found


def _plot(evaluation: Evaluation, name: str) -> dict[str, Any]:
    metric, lines = METRICS.get(name), evaluation.curves[name]
    title, unit = _TITLES.get(name) or ((metric.title, metric.unit) if metric else (name, UNITS[name]))
    target = metric.target if metric and name != "flicker" else None  # the plot of flicker is no ratio
    chart = line_chart(evaluation.frames, lines, target)
    return {"title": title, "unit": unit, "svg": Markup(chart)}


def _sheet(job: Job, frames: Sequence[int]) -> ByteArray:
    """Source, edit, truth and the difference of the first two, a row a frame."""
    names = [name for name in ("source", "edit", "truth") if name in job.takes]
    row_of = {int(frame): row for row, frame in enumerate(job.places.crops.frames)}
    quads = {frame: _grown(job.places.crops.quads[row_of[frame]]) for frame in frames}
    cells: dict[int, list[ByteArray]] = {frame: [] for frame in frames}
    for name in names:
        for index, rgb in enumerate(job.takes[name]()):
            if index in cells:
                cells[index].append(crop(rgb, quads[index], _CELL_PX))
    rows = [[*cells[frame], _difference(cells[frame][1], cells[frame][0])] for frame in frames]
    return contact_sheet(rows, [*names, f"difference x {_GAIN}"], [str(f) for f in frames], cell_px=_CELL_PX)


def _grown(quad: FloatArray) -> FloatArray:
    centre = quad.mean(axis=0)
    grown: FloatArray = (centre + _AROUND * (quad - centre)).astype(np.float32)
    return grown


def _difference(a: ByteArray, b: ByteArray) -> ByteArray:
    return np.asarray(np.clip(128 + _GAIN * (a.astype(np.int16) - b), 0, 255), np.uint8)


def _picture(picture: ByteArray) -> str:
    """A picture as an address that holds it."""
    file = BytesIO()
    Image.fromarray(picture).save(file, format="JPEG", quality=88, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
