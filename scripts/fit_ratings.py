#!/usr/bin/env python3
"""Fit age, smile, weight and hair colour to human ratings: makes `stitchedit/assets/omi_ratings.safetensors`.

    scripts/fit_ratings.py FOLDER OUT [--cache FILE.npz]

FOLDER is the One Million Impressions data: `faces/NNNN.jpg` at 256 px and `ratings.csv` with the columns stimulus, age,
happy, weight and hair-color (of which 100 is black; it is turned round). Prints the correlation with ratings of faces
left out of the fit. Half a minute. What it makes carries the data's licence, CC BY-NC-SA 4.0.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from encoder_data import face_files, read_picture
from safetensors.numpy import save_file

from stitchedit.faces.human_ratings import RATED, features
from stitchedit.learning.generator_samples import aligned_landmarks
from stitchedit.learning.linear_regression import Floats, ridge
from stitchedit.models.bundled_weights import SHA256
from stitchedit.models.w_encoder import WEIGHTS as ENCODER

FOLD_SEED = 1


def read(folder: Path) -> tuple[Floats, Floats, np.ndarray]:
    """Features [N, F], ratings [N, len(RATED)], and which faces the W encoder was not trained on either [N]."""
    kept = {path.stem for path in face_files(folder / "faces")[1]}
    found, ratings, unseen = [], [], []
    with (folder / "ratings.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            picture = read_picture(folder / "faces" / f"{int(row['stimulus']):04d}.jpg")
            found.append(features(picture, aligned_landmarks(picture)))
            ratings.append(
                [float(row["age"]), float(row["happy"]), float(row["weight"]), 100 - float(row["hair-color"])]
            )
            unseen.append(f"{int(row['stimulus']):04d}" in kept)
    return np.array(found, np.float64), np.array(ratings), np.array(unseen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cache", type=Path, help="keeps the features, for another run")
    options = parser.parse_args()
    if options.cache and options.cache.exists():
        with np.load(options.cache) as cache:
            found, ratings, unseen = cache["found"], cache["ratings"], cache["unseen"]
    else:
        found, ratings, unseen = read(options.folder)
        if options.cache:
            np.savez(options.cache, found=found, ratings=ratings, unseen=unseen)
    order = np.random.default_rng(FOLD_SEED).permutation(len(found))
    fit = ridge(found[order], ratings[order])
    without = ridge(found[~unseen], ratings[~unseen])
    guess = found[unseen] @ without.rows.T + without.bias
    for index, name in enumerate(RATED):
        r = np.corrcoef(guess[:, index], ratings[unseen, index])[0, 1]
        miss = np.abs(guess[:, index] - ratings[unseen, index]).mean()
        print(
            f"{name}: r {fit.correlation[index]:.3f} on faces left out of the fit ({len(found)}, five folds); "
            f"{r:.3f}, {miss:.1f} off on average, on the {unseen.sum()} "
            f"that the encoder was not trained on; penalty {fit.penalty[index]:g}"
        )
    arrays = {"rows": fit.rows.astype(np.float32), "bias": fit.bias.astype(np.float32)}
    encoder = SHA256[ENCODER]  # other codes need another fit
    save_file(arrays, options.out, {"licence": "CC BY-NC-SA 4.0", "names": " ".join(RATED), "encoder": encoder})


if __name__ == "__main__":
    main()
