#!/usr/bin/env python3
"""How well the W encoder does on the faces that it was never trained on.

    nice scripts/report_encoder.py FACES --work FOLDER [--weights FILE] [--steps 100] [--searched 50] [--sheet PNG]

FACES is the folder that scripts/train_encoder.py learned from; the faces held out are found again by their seed. Each
is inverted by the network alone; the mean face itself stands for no encoder. The first `--searched` of them are
inverted also by the network with the short search that `invert` adds, and by the search from the mean face with
`--steps` steps. FOLDER keeps what that found: a run that is stopped goes on. Printed as JSON: means and medians of the
identity distance (dlib's embeddings, Euclidean), of the perceptual distance (mbv2-perceptual, mostly the face), of PSNR
over the face in dB, and processor seconds a face on one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from encoder_data import HELD_OUT, as_images, face_files, face_weight, read_picture
from sample_tables import read_identities

from stitchedit.config import EncodeConfig
from stitchedit.files.image_folder import save_png
from stitchedit.inversion.crop_batches import Batches
from stitchedit.inversion.encoder_initialization import from_guess
from stitchedit.inversion.latent_optimization import optimize
from stitchedit.learning.generator_samples import render
from stitchedit.models.generator import Generator, load_default_generator
from stitchedit.models.perceptual import MobileNetPerceptual
from stitchedit.models.w_encoder import WEncoder, load_w_encoder
from stitchedit.types import ByteArray, Crops, FloatArray

SHORT, LONG = "network, short search", "search from the mean"
SHOWN = 8  # faces on the sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="default: the installed ones")
    parser.add_argument("--steps", type=int, default=100, help="of the search from the mean face")
    parser.add_argument("--searched", type=int, default=HELD_OUT, help="faces on which the searches are measured")
    parser.add_argument("--sheet", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    files = face_files(args.faces)[1]
    pictures = np.stack([read_picture(path) for path in files])
    identities, perceptual = read_identities(pictures), MobileNetPerceptual()
    generator, network = load_default_generator().requires_grad_(False), load_w_encoder(args.weights)
    finders = {
        "mean face": lambda picture: generator.w_avg.numpy(),
        "network": lambda picture: guess(network, picture),
        SHORT: lambda picture: search(generator, picture, EncodeConfig(), network),
        LONG: lambda picture: search(generator, picture, EncodeConfig(steps=args.steps), None),
    }
    out: dict[str, object] = {"faces": [path.name for path in files]}
    rows = [pictures[:SHOWN]]
    for way, finder in finders.items():
        count = min(args.searched, len(files)) if way in (SHORT, LONG) else len(files)
        found, began = [], time.process_time()
        for file, picture in zip(files[:count], pictures, strict=False):
            kept = args.work / f"{file.stem}.{args.steps}.npy"  # of the slow way only: the others change
            if way == LONG and kept.exists():
                found.append(np.load(kept, allow_pickle=False))
                continue
            found.append(finder(picture))
            if way == LONG:
                np.save(kept, found[-1])
        seconds = (time.process_time() - began) / count
        drawn = render(generator, np.stack(found), pictures.shape[1])
        for some in sorted({min(args.searched, count), count}):
            figures = measure(drawn[:some], pictures[:some], identities[:some], perceptual)
            out[f"{way}, {some} faces"] = figures | {"seconds": seconds}
        rows.append(drawn[:SHOWN])
        print(json.dumps(out, indent=1), flush=True)
    if args.sheet:
        lines = [np.concatenate(list(row), 1) for row in rows]
        width = max(line.shape[1] for line in lines)
        save_png(np.concatenate([np.pad(x, ((0, 0), (0, width - x.shape[1]), (0, 0))) for x in lines]), args.sheet)


def guess(network: WEncoder, picture: ByteArray) -> FloatArray:
    with torch.no_grad():
        return np.asarray(network(as_images(picture[None]))[0, 0].numpy())


def search(generator: Generator, picture: ByteArray, config: EncodeConfig, network: WEncoder | None) -> FloatArray:
    """w [w_dim] by the encoders of `invert`, the picture a clip of one frame."""
    size = picture.shape[0]
    batches = Batches(
        Crops(np.zeros(1, np.int64), np.zeros((1, 4, 2), np.float32), picture[None], size), lambda _, s: face_weight(s)
    )
    encoder = optimize if network is None else from_guess(lambda: network)
    config = replace(config, space="W", frames_per_step=1)
    return np.asarray(encoder(batches, generator, MobileNetPerceptual(), config).ws[0, 0])


def measure(
    drawn: ByteArray, pictures: ByteArray, identities: FloatArray, perceptual: MobileNetPerceptual
) -> dict[str, dict[str, float]]:
    weight = torch.from_numpy(face_weight())[None, None]
    looks, psnrs = [], []
    for ours, theirs in zip(drawn, pictures, strict=True):
        a, b = as_images(ours[None]), as_images(theirs[None])
        with torch.no_grad():
            looks.append(perceptual(a, b, weight).item())
        psnrs.append(10 * np.log10(4 / ((a - b).square() * weight).mean().item()))
    distances = np.linalg.norm(read_identities(drawn) - identities, axis=1)
    table = {"identity": distances, "perceptual": np.array(looks), "psnr_db": np.array(psnrs)}
    return {key: {"mean": float(v.mean()), "median": float(np.median(v))} for key, v in table.items()}


if __name__ == "__main__":
    main()
