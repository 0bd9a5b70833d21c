#!/usr/bin/env python3
"""Compare directions at the same effect: what else they change, and how much of the person is left.

    scripts/compare_directions.py age age.npy other.pt --attribute age --change 15 [--people 40] [--clip FILE ...]

Every direction, a name or a vector file of any format that edits take, is scaled until the attribute has changed as
asked (in its own unit, median over the people), and drawn there. Faces are those of the default generator, fixed seed;
with --clip those that its W encoder sees in a few frames of clips. Prints a table in Markdown:

* change by identity distance (dlib; the same person in video: below 0.42);
* mean absolute change outside of the head, grey levels, and its ratio to the change inside;
* attributes that change by more than 0.3 SD besides, for those that come with the attribute see docs/directions.md.

Needs `stitchedit weights fetch measuring`. About a second a face, five looks a direction.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from stitchedit.editing.direction import Direction
from stitchedit.editing.direction_catalogue import find_direction
from stitchedit.editing.move_latents import load_direction
from stitchedit.faces.attributes import Predictors, ffhq_crop
from stitchedit.faces.detectors import detect, landmarks
from stitchedit.learning.attribute_regressors import WReadings
from stitchedit.learning.direction_report import person_steps
from stitchedit.learning.effect_measurement import Faces, Meter, people
from stitchedit.learning.generator_samples import NAMES, render
from stitchedit.learning.linear_regression import Floats
from stitchedit.learning.picture_change import FEWEST, parts_of
from stitchedit.models.generator import Generator, load_default_generator
from stitchedit.models.w_encoder import load_w_encoder
from stitchedit.types import FloatArray
from stitchedit.video import open_video

ASIDE = 0.3  # SD
START, LOOKS, NEAR = 2.0, 4, 0.07  # length of the first step in W; at most so many; part of the change that may miss
SIZE = 256


def clip_codes(path: Path, count: int) -> FloatArray:
    """w [N, 512] of the largest face in `count` frames of a clip, by the W encoder."""
    frames = list(open_video(path))
    encoder, found = load_w_encoder(), []
    for index in np.linspace(0, len(frames) - 1, count).round().astype(int):
        rgb = frames[index].rgb()
        seen = detect(rgb)
        if not seen:
            continue
        crop = ffhq_crop(rgb, landmarks(rgb, max(seen, key=lambda one: one.box.area).box), SIZE)
        image = torch.from_numpy(crop.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1)
        with torch.inference_mode():
            found.append(encoder(image)[0, 0].numpy())
    return np.stack(found)


def outside(meter: Meter, w: FloatArray, before: np.ndarray, parts: list[dict[str, FloatArray]]) -> tuple[float, float]:
    """Mean absolute change outside of the head, grey levels, and inside of it."""
    change = np.abs(render(meter.generator, w, SIZE).astype(np.float32) - before).mean(-1)
    far, near = [], []
    for one, part in zip(change, parts, strict=True):
        head = part["hair"] + part["face"]
        near.append((one * head).sum() / head.sum())
        if part["outside"].mean() > FEWEST:
            far.append((one * part["outside"]).sum() / part["outside"].sum())
    return float(np.mean(far)), float(np.mean(near))


def scaled(
    meter: Meter, steps_of: Callable[[float], Floats], attribute: str, change: float
) -> tuple[float, Floats, Faces]:
    """The strength at which the attribute has changed as asked, what it adds [N, L, w_dim], and the faces there."""
    sign = float(np.sign(change))
    strength = START * sign / float(np.linalg.norm(steps_of(sign)[0][0]))
    for _ in range(LOOKS):
        last, steps = strength, steps_of(strength)
        after = meter.moved(steps, 1.0)
        done = float(np.median(meter.own_change(after, attribute)))
        if abs(done - change) < NEAR * abs(change):
            break
        strength *= float(np.clip(change / (done or 1e-6), 0.4, 2.5))
    return last, steps, after


def _added(direction: Direction, generator: Generator, w: FloatArray, strength: float) -> Floats:
    return person_steps(direction, generator, w, strength).w


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directions", nargs="+", help="names or files")
    parser.add_argument("--attribute", required=True, choices=NAMES)
    parser.add_argument("--change", type=float, required=True, help="in the attribute's unit")
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--clip", type=Path, nargs="*", default=[])
    parser.add_argument("--frames", type=int, default=6, help="of each clip")
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator, spread = load_default_generator("cpu"), WReadings.load().spread
    codes = [clip_codes(path, options.frames) for path in options.clip]
    w = np.concatenate(codes) if codes else people(generator, options.people)
    meter = Meter(generator, Predictors(), w, spread, SIZE, identities=len(w))
    before = render(generator, w, SIZE)
    parts = [parts_of(picture) for picture in before]
    print(f"{options.change:+g} of {options.attribute}, {len(w)} {'frames' if codes else 'people'}\n")
    print("| direction | strength | change | identity | change by identity | outside | ratio | besides, SD |")
    print("|---" * 8 + "|")
    for name in options.directions:
        direction = find_direction(name)
        added = partial(_added, load_direction(direction), generator, w)
        strength, steps, after = scaled(meter, added, options.attribute, options.change)
        done = float(np.median(meter.own_change(after, options.attribute)))
        distance = float(np.median(meter.distances(after)))
        far, near = outside(meter, (meter.w + steps).astype(np.float32), before, parts)
        besides = {n: v for n, v in meter.effects(after).items() if abs(v) > ASIDE and n != options.attribute}
        said = ", ".join(f"{n} {v:+.2f}" for n, v in sorted(besides.items(), key=lambda item: -abs(item[1])))
        print(
            f"| {direction.name} | {strength:.2f} | {done:.3g} | {distance:.3f} | {abs(done) / distance:.3g} "
            f"| {far:.1f} | {far / near:.2f} | {said} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
