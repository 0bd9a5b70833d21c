"""Average face mesh and landmarks over samples of the default generator -> stitchedit/assets/mean_face.npy.

    python scripts/build_mean_face.py OUT.npy

Float32 [536, 2] in units of the crop's side: the 468 mesh points, then the 68 landmarks.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from stitchedit.config import AlignConfig
from stitchedit.faces import detectors
from stitchedit.faces.alignment import crop, quads, to_crop
from stitchedit.faces.mesh import crop_mesh
from stitchedit.image.arrays import to_bytes
from stitchedit.models.generator import load_default_generator


def main(out: str, count: int = 100, seed: int = 0) -> None:
    generator = load_default_generator()
    z = torch.from_numpy(np.random.default_rng(seed).standard_normal((count, generator.z_dim)).astype(np.float32))
    rows = []
    for k in range(count):
        with torch.no_grad():
            image = to_bytes(
                generator.synthesis(generator.mapping(z[k : k + 1], truncation_psi=0.7), resolution=512)[0]
            )
        found = detectors.detect(image)
        if len(found) != 1:
            continue
        marks = detectors.landmarks(image, found[0].box)
        quad = quads(marks[None], AlignConfig())[0]
        mesh, probability = crop_mesh(crop(image, quad, 256))
        if probability > 0.9:
            rows.append(np.concatenate([mesh, to_crop(marks, quad)]))
    mean = np.mean(rows, axis=0)
    mean[:, 0] -= mean[:, 0].mean() - 0.5
    np.save(out, mean.astype(np.float32))
    print(f"{len(rows)} of {count} faces -> {out}")


if __name__ == "__main__":
    main(sys.argv[1])
