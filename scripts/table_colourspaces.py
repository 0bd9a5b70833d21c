"""The table of docs/layers.md: a colour chart and a clip with an edit, in each colour space there and back.

python scripts/table_colourspaces.py CLIP [EDIT]        # an inverted clip that has an edit; its first three frames
"""

from __future__ import annotations

import sys
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np

from stitchedit.compositing.composite import Composite
from stitchedit.pipeline.done_edit import find_edit, load_edit
from stitchedit.project.folder import open_project
from stitchedit.types import FloatArray
from stitchedit.video import CodedFrame, Frame, View, paste
from stitchedit.video.colourspaces import find_view
from stitchedit.video.exr import ExrFrame
from stitchedit.video.linear_light import light
from stitchedit.video.orientation import Orientation
from stitchedit.video.pixel_formats import find_layout, samples
from stitchedit.video.yuv import colour_of

LINEAR = ("ACEScg", "ACES2065-1", "linear Rec.709")  # kept in half
SPACES = (*LINEAR, "LogC3", "LogC4", "S-Log3", "V-Log", "REDLog3G10", "Cineon", "PQ", "HLG")  # in 10 bits
CHART = """115 82 68 194 150 130 98 122 157 87 108 67 133 128 177 103 189 170 214 126 44 80 91 166 193 90 99 94 60 108
157 188 64 224 163 46 56 61 150 70 148 73 175 54 60 231 199 31 187 86 149 8 133 161 243 243 242 200 200 200 160 160 160
122 122 121 85 85 85 52 52 52"""  # of the ColorChecker's 24 patches, sRGB
RATE = Fraction(25)


def exr(values: FloatArray, view: View, kind: type) -> ExrFrame:
    planes = tuple(np.ascontiguousarray(values[..., k].astype(kind)) for k in range(3))
    size = values.shape[1], values.shape[0]
    return ExrFrame(0, 0, 1, 1 / RATE, None, 0, ("R", "G", "B"), planes, (0, 0), size, view)


def ten_bits(values: FloatArray, view: View) -> CodedFrame:
    layout, (height, width) = find_layout("gbrp10le"), values.shape[:2]
    video = av.VideoFrame(width, height, layout.name)
    video.pts, video.time_base, video.color_range = 0, 1 / RATE, 2
    for component in layout.components:
        codes = np.rint(values[..., "RGB".index(component.role)] * 1023)
        samples(video, layout, component)[:] = np.clip(codes, 0, 1023)
    return CodedFrame(0, 0, 1, 1 / RATE, video, colour_of(layout, 0, 2, width, height), Orientation(), view)


def stored(frame: Frame) -> list[np.ndarray]:
    return list(frame.colours) if isinstance(frame, ExrFrame) else list(frame.planes.values())


def row(name: str, frames: list[Composite]) -> str:
    view = find_view(name)
    chart = np.array(CHART.split(), np.float32).reshape(1, 24, 3)
    back = np.abs(light(view.shown(view.stored(chart))) - light(chart)).max()
    clip, exact, edit, equal = [], [], [], True
    for frame in frames:
        shown, (_, _, patch) = frame.source.rgb_float().clip(0, 255), frame.patches[0]
        values, (x0, y0, x1, y1) = view.stored(shown), patch.box
        alpha, wanted = np.zeros(shown.shape[:2], np.float32), shown.copy()
        alpha[y0:y1, x0:x1] = patch.alpha
        over = patch.alpha[..., None]
        wanted[y0:y1, x0:x1] += np.where(over > 0, over * (patch.rgb - wanted[y0:y1, x0:x1]), 0)
        below = (alpha > 0)[..., None] & (wanted >= 0) & (wanted <= 255)
        here = exr(values, view, np.float16) if name in LINEAR else ten_bits(values, view)
        clip.append(np.abs(here.rgb_float() - shown).ravel())
        for source, found in ((exr(values, view, np.float32), exact), (here, edit)):
            found.append(np.abs(light(paste(source, *patch).rgb_float()) - light(wanted))[below])
        pairs = zip(stored(here), stored(paste(here, *patch)), strict=True)
        equal &= all(np.array_equal(old[alpha == 0], new[alpha == 0]) for old, new in pairs)
    (a, b, c) = (np.concatenate(parts) for parts in (clip, exact, edit))
    kept = "half" if name in LINEAR else "10 bits"
    return (
        f"| {name} | {kept} | {back:.0e} | {a.max():.1f} / {a.mean():.2f} | {b.max():.0e} | "
        f"{c.max():.0e} / {c.mean():.0e} | {'equal' if equal else 'DIFFERENT'} |"
    )


def main() -> None:
    project = open_project(Path(sys.argv[1]))
    edit = load_edit(project, find_edit(project, sys.argv[2] if len(sys.argv) > 2 else None))
    frames = list(islice(edit.composited(), 3))
    for name in SPACES:
        print(row(name, frames))


if __name__ == "__main__":
    main()
