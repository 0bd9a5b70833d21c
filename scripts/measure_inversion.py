#!/usr/bin/env python3
"""How well a project reproduces its clip: the unedited inversion pasted back, against the source.

    scripts/measure_inversion.py CLIP.stitch [--sheet PNG] [--every N]

PSNR in dB over source pixels where the mask is above a half, and the distance of dlib's identity embeddings; mean and
worst frame. The sheet shows source and inversion of the worst frames, enlarged. No stitching: this is what tuning gave.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from stitchedit import metrics
from stitchedit.blend import compose
from stitchedit.faces import embed
from stitchedit.inverted import load_inverted
from stitchedit.pictures import save_png
from stitchedit.project import Project
from stitchedit.sheet import contact_sheet
from stitchedit.stitch import to_bytes
from stitchedit.video import paste


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--every", type=int, default=1, help="measure every N-th frame only")
    options = parser.parse_args()
    inverted = load_inverted(Project.open(options.project), "auto")
    crops, points, generator = inverted.crops, inverted.points.points, inverted.generator
    crop_of = {int(frame): index for index, frame in enumerate(crops.frames) if index % options.every == 0}
    rows = []
    for frame in inverted.source:
        index = crop_of.get(frame.index)
        if index is None:
            continue
        with torch.no_grad():
            w = torch.from_numpy(inverted.latents.ws[index : index + 1]).to(generator.w_avg.device)
            image = to_bytes(generator.synthesis(w, resolution=crops.size)[0])
        patch = compose(frame.rgb_float, frame.size, image, crops.quads[index], points[index], frame=frame.index)
        mask = np.zeros(frame.size[::-1], np.float32)
        x0, y0, x1, y1 = patch.box
        mask[y0:y1, x0:x1] = patch.alpha
        before, after = frame.rgb(), paste(frame, *patch).rgb()
        landmarks = inverted.tracks.landmarks[frame.index]
        distance = float(np.linalg.norm(embed(before, landmarks) - embed(after, landmarks)))
        cut = np.s_[max(y0, 0) : y1, max(x0, 0) : x1]
        rows.append((metrics.masked_psnr(after, before, mask), distance, frame.index, before[cut], after[cut]))
    values, distances = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    figures = {
        "frames": len(rows),
        "psnr_mean_db": round(float(values.mean()), 2),
        "psnr_worst_db": round(float(values.min()), 2),
        "worst_frame": rows[int(values.argmin())][2],
        "identity_mean": round(float(distances.mean()), 3),
        "identity_worst": round(float(distances.max()), 3),
    }
    print(json.dumps(figures, indent=2))
    if options.sheet:
        worst = [rows[i] for i in np.argsort(values)[:4]]
        labels = [f"{r[2]}: {r[0]:.1f} dB" for r in worst]
        save_png(contact_sheet([[r[3], r[4]] for r in worst], ["source", "inversion"], labels, 480), options.sheet)


if __name__ == "__main__":
    main()
