#!/usr/bin/env python3
"""Train the network that tells a head from the clothes below it.

    nice scripts/train_head_parser.py OUTPUT.safetensors --work FOLDER [--samples 1000] [--minutes 15]

Nobody drew its labels. Samples of the default generator (psi 0.6 to 1) are cut by colour: inside of the person's matte,
what lies above the chin is head; a graph cut (GrabCut) between the colours of that skin and hair and those of what lies
low and far from the neck finds the rest. It is wrong in one sample of six or so, mostly where dark clothes meet dark
hair and are missed: samples with hardly any clothes are left out. The network sees colours that are often changed, of
clothes and background each for themselves, so that it must go by form; in the second half, labels that it finds absurd
no longer count.

FOLDER keeps samples and a checkpoint: a run that is stopped goes on where it was. One thread; `--minutes` are of
processor time.
"""

from __future__ import annotations

import argparse
import math
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from encoder_data import spoil
from numpy.random import Generator as Random
from torch import Tensor

from stitchedit.faces import detectors
from stitchedit.faces.head_parser import FORMAT, SIZE, HeadParser, places
from stitchedit.faces.mesh import crop_mesh
from stitchedit.faces.mesh_topology import face_axes, face_outline
from stitchedit.files.array_files import save_arrays, save_tensors
from stitchedit.files.atomic import write_file
from stitchedit.image.signed_distance import distance
from stitchedit.learning.generator_samples import draw_ws, render
from stitchedit.models.generator import Generator, load_default_generator
from stitchedit.models.perceptual import MobileNetPerceptual
from stitchedit.types import ByteArray, FloatArray

LICENCE = "as the default generator, of whose samples it learned: Apache-2.0, with the caution of its card"
CHUNK, SEED = 50, 78  # samples a file, and what they are drawn by
UNSEEN = 2  # files kept for the report
BATCH, LR = 8, 2e-3  # crops a step; Adam, falling to zero along half a cosine
ABSURD = 0.85  # difference between label and likelihood from which a label no longer counts
SAVE_EVERY = 50  # steps
JAW = (172, 397)  # points of the mesh
# Labels with fewer clothes, of what lies so many face heights below the chin, missed dark ones.
LEAST_CLOTHES, BELOW = 0.15, 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder of samples and checkpoint")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=15)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    args.work.mkdir(parents=True, exist_ok=True)
    generator = load_default_generator().requires_grad_(False)
    chunks = [draw(args.work, index, generator) for index in range(-(-args.samples // CHUNK))]
    seen, unseen = (Samples(part) for part in (chunks[:-UNSEEN], chunks[-UNSEEN:]))
    network = train(seen, args.work / "checkpoint.pt", 60 * args.minutes)
    agreement, changed = report(network, unseen)
    print(f"IoU of clothes with the labels of unseen samples: {agreement:.3f}, in other colours {changed:.3f}")
    state = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    save_tensors(args.output, state, {"format": FORMAT, "licence": LICENCE})


class Samples:
    """Pictures [N, S, S, 3] with their head [N, S, S], matte (uint8) and mesh points [N, 468, 2]."""

    def __init__(self, files: list[Path]) -> None:
        parts = [np.load(path, allow_pickle=False) for path in files]
        self.pictures, self.heads, self.mattes, self.points = (
            np.concatenate([part[name] for part in parts]) for name in ("p", "head", "matte", "pts")
        )
        fit = [k for k in range(len(self.pictures)) if self.share_of_clothes(k) >= LEAST_CLOTHES]
        self.pictures, self.heads, self.mattes, self.points = (
            part[fit] for part in (self.pictures, self.heads, self.mattes, self.points)
        )

    def __len__(self) -> int:
        return len(self.pictures)

    def share_of_clothes(self, index: int) -> float:
        """How much of what the person shows below the chin the label takes for clothes."""
        matte = self.mattes[index].astype(np.float32) / 255
        low = (places(self.points[index], matte)[2] > BELOW) & (matte > 0.5)
        return float((low & ~self.heads[index]).sum() / max(low.sum(), 1))


def draw(folder: Path, index: int, generator: Generator) -> Path:
    """A file of samples with their labels; a finished one is left."""
    path = folder / f"{index}.npz"
    if not path.exists():
        psi = np.linspace(0.6, 1.0, CHUNK).astype(np.float32)
        pictures = render(generator, draw_ws(generator, CHUNK, [SEED, index], psi), SIZE)
        labels = [label(picture) for picture in pictures]
        heads, mattes, points = (np.stack(part) for part in zip(*labels, strict=True))
        matte = np.rint(mattes * 255).astype(np.uint8)
        save_arrays(path, {"p": pictures, "head": heads, "matte": matte, "pts": points})
        print(f"{(index + 1) * CHUNK} samples drawn", flush=True)
    return path


def label(rgb: ByteArray) -> tuple[np.ndarray, FloatArray, FloatArray]:
    """Head [S, S] bool, matte [S, S] and mesh [468, 2] of an aligned face, by colour."""
    matte, (points, _) = detectors.person(rgb), crop_mesh(rgb)
    person = matte > 0.5
    chin, axis, height = face_axes(points)
    at = (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE
    x, y = at[None] - chin[0], at[:, None] - chin[1]
    below, beside = (x * axis[0] + y * axis[1]) / height, np.abs(x * axis[1] - y * axis[0])
    jaw = abs(float(points[JAW[1]][0] - points[JAW[0]][0]))
    far = distance(face_outline(points) * SIZE, (SIZE, SIZE))
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    skin = likeness(lab, far < -6, (10, 4, 4), (0.35, 1, 1))
    hair = likeness(lab, (below < -0.3) & person & (far > 6), (8, 3, 3), (1, 1, 1))

    cut = np.full((SIZE, SIZE), cv2.GC_PR_BGD, np.uint8)
    cut[(below < -0.12) & person | (far < 2)] = cv2.GC_FGD
    open_ = cut != cv2.GC_FGD
    cut[open_ & person & (below > -0.12) & (below < 0.12) & (beside < 0.38 * jaw)] = cv2.GC_PR_FGD
    low = cut == cv2.GC_PR_BGD
    cut[low & person & (skin > 0.35) & (beside < 0.9 * jaw)] = cv2.GC_PR_FGD
    cut[low & person & (skin < 0.05) & (hair < 0.05) & (below > 0.25)] = cv2.GC_BGD
    cut[low & person & (hair > 0.5) & (beside > 0.35 * jaw)] = cv2.GC_PR_FGD
    clothes = (cut == cv2.GC_BGD) & person
    if clothes.sum() < 60:
        clothes = low & person & (skin < 0.3) & (hair < 0.3)
    if clothes.sum() < 30:
        return person, matte, points
    # The background takes colours of the clothes, so that the cut is between these and the head alone.
    cut[~person] = cv2.GC_BGD
    picture, colours = rgb.copy(), rgb[clothes]
    picture[~person] = colours[np.random.default_rng(0).integers(0, len(colours), int((~person).sum()))]
    cv2.grabCut(picture, cut, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    return whole(np.isin(cut, (cv2.GC_FGD, cv2.GC_PR_FGD)) & person, person, far < -4), matte, points


def likeness(lab: FloatArray, where: np.ndarray, least: tuple[int, ...], weight: tuple[float, ...]) -> FloatArray:
    """How like each colour [S, S, 3] is to the middle one of some pixels, 0..1; 0 where there are few."""
    chosen = lab[where]
    if len(chosen) < 50:
        return np.zeros(lab.shape[:2], np.float32)
    middle = np.median(chosen, 0)
    spread = np.maximum(1.48 * np.median(np.abs(chosen - middle), 0), least)
    return np.exp(-np.square((lab - middle) / spread * weight).sum(-1) / 8)


def whole(head: np.ndarray, person: np.ndarray, face: np.ndarray) -> np.ndarray:
    """The pieces of a head that hold the face, without small holes."""
    _, pieces = cv2.connectedComponents(head.astype(np.uint8), connectivity=4)
    kept = np.unique(pieces[face & head])
    head = np.isin(pieces, kept[kept > 0])
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((person & ~head).astype(np.uint8), connectivity=4)
    for piece in range(1, count):
        if stats[piece, cv2.CC_STAT_AREA] < 80:
            head |= pieces == piece
    return head


def train(samples: Samples, checkpoint: Path, seconds: float) -> HeadParser:
    torch.manual_seed(0)
    network, eyes = HeadParser(), MobileNetPerceptual().eval()
    optimiser = torch.optim.Adam(network.parameters(), lr=LR)
    step, spent = 0, 0.0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        step, spent = saved["step"], saved["spent"]
    begun, losses = time.process_time() - spent, []
    while spent < seconds:
        optimiser.param_groups[0]["lr"] = LR * 0.5 * (1 + math.cos(math.pi * spent / seconds))
        images, maps, heads, persons = batch(samples, np.random.default_rng([1, step]))
        with torch.no_grad():
            seen = eyes.features(images)
        odds = network(seen, maps)
        weight = persons
        if spent > seconds / 2:
            weight = weight * ((odds.detach().sigmoid() - heads).abs() < ABSURD)
        loss = (F.binary_cross_entropy_with_logits(odds, heads, reduction="none") * weight).sum() / weight.sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step, spent = step + 1, time.process_time() - begun
        losses.append(loss.item())
        if step % SAVE_EVERY == 0:
            state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "spent": spent}
            write_file(checkpoint, partial(torch.save, state))
            print(f"step {step}, {spent:.0f} s: loss {np.mean(losses):.4f}", flush=True)
            losses = []
    return network.eval()


def batch(samples: Samples, random: Random, count: int = BATCH) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Crops [B, 3, S, S] in [-1, 1] with their places, heads and persons [B, 1, S/4, S/4], spoilt and turned over."""
    images, maps, heads, persons = [], [], [], []
    for index in random.integers(0, len(samples), count):
        other = samples.pictures[random.integers(0, len(samples))]
        picture = recoloured(samples, int(index), other, random)
        matte = samples.mattes[index].astype(np.float32) / 255
        told = places(samples.points[index], matte)
        both = np.stack([samples.heads[index], matte > 0.5]).astype(np.float32)
        if random.random() < 0.5:
            picture, told, both = (
                picture[:, ::-1],
                told[..., ::-1] * np.float32([1, 1, 1, -1])[:, None, None],
                both[..., ::-1],
            )
        images.append(spoil(np.ascontiguousarray(picture), random))
        maps.append(told)
        heads.append(both[:1])
        persons.append(both[1:])
    pictures = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
    at, head, person = (
        torch.from_numpy(np.stack([np.ascontiguousarray(m) for m in part])) for part in (maps, heads, persons)
    )
    return pictures, at, F.avg_pool2d(head, 4), F.avg_pool2d(person, 4)


def recoloured(samples: Samples, index: int, other: ByteArray, random: Random) -> ByteArray:
    """A sample with clothes and background often of another colour, or the background of another sample."""
    picture = samples.pictures[index].astype(np.float32)
    matte = samples.mattes[index].astype(np.float32)[..., None] / 255
    head = cv2.GaussianBlur(samples.heads[index].astype(np.float32), (0, 0), 1.0)[..., None]
    if random.random() < 0.6:
        picture += (1 - head) * matte * (tinted(picture, random) - picture)
    if random.random() < 0.5:
        behind = other.astype(np.float32) if random.random() < 0.5 else tinted(picture, random)
        picture = behind + matte * (picture - behind)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def tinted(picture: FloatArray, random: Random) -> FloatArray:
    """Its light and shade, weaker or stronger, around another colour; now and then one of the picture's own."""
    grey = picture.mean(-1, keepdims=True)
    colour = random.uniform(10, 245, 3)
    if random.random() < 0.5:
        colour = picture[random.integers(0, SIZE), random.integers(0, SIZE)]
    return np.clip(colour + random.uniform(0.2, 1.0) * (grey - grey.mean()), 0, 255).astype(np.float32)


@torch.no_grad()
def report(network: HeadParser, samples: Samples) -> tuple[float, float]:
    """IoU of clothes with the labels, on samples as they are and with other colours."""
    eyes, found = MobileNetPerceptual().eval(), []
    for change in (False, True):
        both, either, random = 0.0, 0.0, np.random.default_rng(5)
        for index in range(len(samples)):
            matte = samples.mattes[index].astype(np.float32) / 255
            picture = recoloured(samples, index, samples.pictures[0], random) if change else samples.pictures[index]
            tensor = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
            told = torch.from_numpy(places(samples.points[index], matte))[None]
            odds = F.interpolate(network(eyes.features(tensor), told), scale_factor=4, mode="bilinear")[0, 0].numpy()
            clothes, wanted = (odds < 0) & (matte > 0.5), ~samples.heads[index] & (matte > 0.5)
            both, either = both + (clothes & wanted).sum(), either + (clothes | wanted).sum()
        found.append(both / either)
    return found[0], found[1]


if __name__ == "__main__":
    main()
