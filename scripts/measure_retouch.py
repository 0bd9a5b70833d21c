"""How well a retouch stays in place: the table of docs/retouch.md, and a sheet.

    scripts/measure_retouch.py FOLDER 0 [30 ...]

FOLDER holds a rendered head twice, `source.NNN.png` and `truth.NNN.png`: the same frames, a mark added and one taken
away on the skin. The frames that are named are taken as painted; what is carried to the others is compared with their
truth.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from stitchedit.config import AlignConfig, TrackConfig
from stitchedit.editing.painted_change import painted_change
from stitchedit.editing.retouched_frames import CarriedRetouch, Retouch
from stitchedit.faces.alignment import align, sides
from stitchedit.faces.mesh import mesh_points
from stitchedit.faces.tracking import track
from stitchedit.files.image_folder import save_png
from stitchedit.progress import silent
from stitchedit.types import ByteArray, FloatArray

SEEN, NEAR = 8, 0.06  # grey levels of a mark; what is looked at around it, in crop sides
SHOWN = 6  # frames of the sheet


def main() -> None:
    folder, keys = Path(sys.argv[1]), [int(text) for text in sys.argv[2:]]
    sources, truths = (read(folder, kind) for kind in ("source", "truth"))
    size = sources[0].shape[1], sources[0].shape[0]
    frames = list(enumerate(sources))
    rate = Fraction(25)
    tracks = track(frames, TrackConfig(), frame_size=size, rate=rate, progress=silent, total=len(frames), name="head")
    crops = align(frames, tracks, AlignConfig(), exits=(512,), max_size=512, progress=silent)
    points = mesh_points(crops, tracks, silent)
    painted = [Retouch(k, *change) for k in keys if (change := painted_change(*as_float(truths[k], sources[k])))]
    carried = CarriedRetouch(crops, points, tracks, painted)
    off: list[list[float]] = []
    made = []
    for index, side in enumerate(sides(crops.quads)):
        truth, source = as_float(truths[index], sources[index])
        edited = source.copy()
        if (found := carried.change(index)) is not None:
            (x0, y0, x1, y1), change = found
            edited[y0:y1, x0:x1] += change
        made.append(np.rint(edited).clip(0, 255).astype(np.uint8))
        if index not in keys:
            off.append(
                [distance(edited - source, truth - source, mark) * 512 / side for mark in marks(truth - source, side)]
            )
    for name, values in zip(("left mark", "right mark"), zip(*off, strict=True), strict=True):
        median, most = np.percentile(values, (50, 90))
        print(f"{name}: median {median:.2f} px of a 512 px crop, 90 % under {most:.2f}, most {max(values):.2f}")
    shown = np.linspace(0, len(made) - 1, SHOWN).astype(int)
    rows = [np.concatenate([pictures[k] for k in shown], axis=1) for pictures in (sources, made, truths)]
    save_png(np.concatenate(rows), folder / f"sheet_{'_'.join(map(str, keys))}.png")


def read(folder: Path, kind: str) -> list[ByteArray]:
    found = [cv2.imread(str(path)) for path in sorted(folder.glob(f"{kind}.*.png"))]
    return [np.ascontiguousarray(picture[..., ::-1]) for picture in found if picture is not None]


def as_float(*pictures: ByteArray) -> list[FloatArray]:
    return [picture.astype(np.float32) for picture in pictures]


def marks(change: FloatArray, side: float) -> list[FloatArray]:
    """The two largest marks of a frame, from left to right: [H, W], 1 around each."""
    count, labels, stats, middles = cv2.connectedComponentsWithStats(
        cv2.dilate((np.abs(change).max(axis=-1) > SEEN).astype(np.uint8), np.ones((5, 5), np.uint8))
    )
    largest = sorted(range(1, count), key=lambda k: -int(stats[k, cv2.CC_STAT_AREA]))[:2]
    reach = round(NEAR * side) | 1
    around = np.ones((reach, reach), np.uint8)
    ordered = sorted(largest, key=lambda k: float(middles[k][0]))
    return [cv2.dilate((labels == k).astype(np.uint8), around).astype(np.float32) for k in ordered]


def distance(carried: FloatArray, true: FloatArray, near: FloatArray) -> float:
    return float(np.hypot(*(middle(carried, near) - middle(true, near))))


def middle(change: FloatArray, near: FloatArray) -> FloatArray:
    y, x = np.mgrid[: change.shape[0], : change.shape[1]].astype(np.float32)
    weight = np.abs(change).max(axis=-1) * near
    weight[weight < SEEN / 2] = 0
    return np.array([(weight * x).sum(), (weight * y).sum()], np.float32) / max(float(weight.sum()), 1e-6)


if __name__ == "__main__":
    main()
