#!/usr/bin/env python3
"""Train the network that guesses w, for the default generator.

    nice scripts/train_encoder.py FACES OUTPUT.safetensors --work FOLDER [--samples 6000] [--minutes 30 30]
        [--start FILE]

FACES holds photo-like faces, aligned as FFHQ is (.jpg or .png, a few hundred or more); 50 of them, chosen by a fixed
seed, are never trained on: scripts/report_encoder.py measures on those. FOLDER keeps samples (a picture is 200 kB) and
a checkpoint: a run that is stopped goes on where it was. One thread; 3 GB of memory at 6000 samples.

1. Draw samples of the generator, psi 0.5 to 1. Reduce the maps of the untrained trunk by principal components and read
   w off them by ridge regression: a start within minutes. `--start` takes an encoder that was trained before instead.
2. Train the whole network on spoilt samples, a few of them replaced by new ones at each step. An error in w counts by
   its size and by what it changes in the picture: by the root of J'J, J the Jacobian of pixels, perceptual features
   and identity with respect to w, averaged over samples. (J'J itself is right for small errors only: led by it, the
   network got worse.)
3. Go on with faces in a third of each batch: through the generator, by pixels, perceptual features and identity. That
   is read off w by the linear map that the direction `identity` comes with, and compared with the face's embedding.

`--minutes` are of processor time, for 2 and 3; the rate falls to zero at the end of 3.
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path

import numpy as np
import torch
from encoder_data import SAMPLE_SEED, Samples, as_images, face_files, read_picture, sample, spoil
from encoder_target import IDENTITY, PERCEPTUAL, PIXEL, make_target
from safetensors.torch import load_file
from sample_tables import read_identities
from torch import Tensor

from stitchedit.files.array_files import save_tensors
from stitchedit.files.atomic import write_file
from stitchedit.learning.generator_samples import PICTURE_PX, draw_ws, render
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.models.generator import Generator, load_default_generator
from stitchedit.models.w_encoder import FORMAT, WEncoder, load_w_encoder

LICENCE = "CC BY-NC-SA 4.0: learned from One Million Impressions faces and samples of a generator distilled from FFHQ"
START_SAMPLES = 3000  # that the ridge regression sees
UNSEEN = 250  # samples kept for reports: the last file
JACOBIANS = 300  # samples that J'J is averaged over
BATCH = 16  # samples a step of the first training
FACES, BESIDE = 4, 8  # faces and samples a step of the second
FRESH = 2  # new samples a step
AVERAGE = 0.01  # share of a step's weights in the running average that is kept
LR_TRUNK, LR_READ, LR_BEND, SLOWER = 5e-5, 2e-5, 1e-4, 0.7  # Adam; SLOWER times that in the second training
CODE = 0.1  # weight of the plain error of whitened codes beside those in w and in the picture
PULL = 4e-3  # toward the middle of W, as `EncodeConfig.prior_weight`
SAVE_EVERY, REPORT_EVERY = 50, 200  # steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder of samples and checkpoint")
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--minutes", type=float, nargs=2, default=(30, 30), metavar=("SAMPLES", "FACES"))
    parser.add_argument("--start", type=Path, help="an encoder of this script to begin with")
    args = parser.parse_args()
    torch.set_num_threads(1)
    files, _ = face_files(args.faces)
    (args.work / "samples").mkdir(parents=True, exist_ok=True)
    generator = load_default_generator().requires_grad_(False)
    samples = sample(args.work / "samples", generator, args.samples, lambda done: say(f"{done} samples drawn"))
    trainer = Trainer(generator, samples, files, args.work, args.start)
    for part, minutes in enumerate(args.minutes):
        trainer.train(part, 60 * minutes)
        trainer.write(args.output)


class Trainer:
    """The network, its optimiser and its checkpoint."""

    def __init__(
        self, generator: Generator, samples: Samples, files: list[Path], work: Path, begin: Path | None = None
    ) -> None:
        self.checkpoint = work / "checkpoint.pt"
        self.samples = Samples(samples.w[:-UNSEEN], samples.pictures[:-UNSEEN])
        self.unseen = Samples(samples.w[-UNSEEN:], samples.pictures[-UNSEEN:])
        self.files = files
        self.target = make_target(generator, samples)
        self.network = WEncoder(generator.w_dim).to(memory_format=torch.channels_last)
        self.steps, self.seconds = [0, 0], [0.0, 0.0]
        if self.checkpoint.exists():
            saved = torch.load(self.checkpoint, weights_only=True)
        else:
            if begin:
                self.network.load_state_dict(load_w_encoder(begin).state_dict())
                self.report(self.network)
            else:
                self.start()
            saved = {"metric": self.make_metric()}
        self.metric = saved["metric"]
        groups = (
            (LR_TRUNK, [self.network.features]),
            (LR_READ, [self.network.keep, self.network.read]),
            (LR_BEND, [self.network.bend_in, self.network.bend_out]),
        )
        self.optimiser = torch.optim.Adam(
            [{"params": [p for m in modules for p in m.parameters()], "scale": rate} for rate, modules in groups],
            lr=0.0,
            betas=(0.9, 0.99),
        )
        if "network" in saved:
            self.network.load_state_dict(saved["network"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.steps, self.seconds = saved["steps"], saved["seconds"]
        self.average = copy.deepcopy(self.network)
        if "average" in saved:
            self.average.load_state_dict(saved["average"])
        self.save()

    @torch.no_grad()
    def start(self) -> None:
        """The trunk as the perceptual loss has it, principal components of its maps, and ridge regression."""
        network, random = self.network, np.random.default_rng(SAMPLE_SEED)
        network.load_state_dict(load_file(packaged_file("mobilenet_v2_features.safetensors")), strict=False)
        network.mean.copy_(self.target.prior.mean)
        network.color.copy_(self.target.prior.color)
        torch.nn.init.zeros_(network.bend_out.weight)
        torch.nn.init.zeros_(network.bend_out.bias)
        look = as_images(np.stack([spoil(p, random) for p in self.samples.pictures[:64]]))
        for keep, maps in zip(network.keep, network.maps(look), strict=True):
            values = maps.permute(0, 2, 3, 1).flatten(0, 2)
            spread, vectors = torch.linalg.eigh(values.T.cov().double())
            rows = (vectors / spread.clamp_min(1e-6).sqrt()).T.flip(0)[: len(keep.weight)].float()
            keep.weight.copy_(rows[:, :, None, None])
            keep.bias.copy_(-rows @ values.mean(0))
        count = min(START_SAMPLES, len(self.samples.w))
        x = self.seen(Samples(self.samples.w[:count], self.samples.pictures[:count]), random).double()
        u = self.codes(self.samples.w[:count]).double()
        test, wanted = self.seen(self.unseen, random).double(), self.codes(self.unseen.w).double()
        centre, mean = x.mean(0), u.mean(0)
        kernel = (x - centre) @ (x - centre).T
        best = None
        for penalty in (30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0, 30000.0):
            weight = (x - centre).T @ torch.linalg.solve(kernel + penalty * torch.eye(count), u - mean)
            error = ((test - centre) @ weight + mean - wanted) @ self.network.color.double()
            if best is None or error.square().mean() < best[0]:
                best = (error.square().mean().item(), penalty, weight)
        assert best is not None
        network.read.weight.copy_(best[2].T)
        network.read.bias.copy_(mean - centre @ best[2])
        say(f"start by ridge regression on {count} samples, penalty {best[1]:g}")
        self.report(network)

    def seen(self, samples: Samples, random: np.random.Generator) -> Tensor:
        parts = range(0, len(samples.w), BATCH)
        pictures = ([spoil(p, random) for p in samples.pictures[i : i + BATCH]] for i in parts)
        return torch.cat([self.network.seen(as_images(np.stack(some))) for some in pictures])

    def codes(self, w: np.ndarray) -> Tensor:
        """Whitened codes [N, D] of w [N, D], by what of W has a spread worth naming."""
        values, vectors = torch.linalg.eigh(self.network.color.double())
        inverse = (vectors / values.clamp_min(1e-3 * values.max())) @ vectors.T
        return ((torch.from_numpy(w) - self.network.mean).double() @ inverse).float()

    def train(self, part: int, seconds: float) -> None:
        """Train for so long by the processor's clock, less what a checkpoint has done; leave checkpoints."""
        wanted = self.codes(self.samples.w)
        faces = np.stack([read_picture(f) for f in self.files]) if part else None
        identities = self.identities(faces) if faces is not None else None
        began, before = time.process_time(), self.seconds[part]
        while self.seconds[part] < seconds:
            step = self.steps[part]
            random = np.random.default_rng([part, step])
            self.renew(wanted, step, random)
            left = 1 - self.seconds[part] / seconds
            slow = 1.0 if part == 0 else SLOWER * min(1.0, 2 * left)
            for group in self.optimiser.param_groups:
                group["lr"] = group["scale"] * slow * min(1.0, (step + 1) / 100)
            picks = random.choice(len(wanted), BESIDE if part else BATCH, replace=False)
            pictures = [spoil(self.samples.pictures[i], random) for i in picks]
            if faces is None or identities is None:
                loss = self.code_loss(self.network.whitened(self.stack(pictures)), wanted[picks]).mean()
                text = f"{loss.item():.4f}"
            else:
                chosen = random.choice(len(faces), FACES, replace=False)
                turned = [faces[i][:, ::-1] if random.random() < 0.5 else faces[i] for i in chosen]
                pictures += [spoil(p, random) for p in turned]
                u = self.network.whitened(self.stack(pictures))
                known = self.code_loss(u[:BESIDE], wanted[picks]).mean()
                pixel, look = (d.mean() for d in self.target.picture(u[BESIDE:], as_images(np.stack(turned))))
                person = self.target.identity(u[BESIDE:], identities[chosen]).mean()
                pull = u[BESIDE:].square().mean()
                loss = known + PIXEL * pixel + PERCEPTUAL * look + IDENTITY * person + PULL * pull
                text = f"{known.item():.4f} pixel {pixel.item():.3f} look {look.item():.3f} id {person.item():.3f}"
            self.optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimiser.step()
            self.steps[part] += 1
            share = max(AVERAGE, 1 / (1 + sum(self.steps)))
            with torch.no_grad():
                for kept, new in zip(self.average.parameters(), self.network.parameters(), strict=True):
                    kept.lerp_(new, share)
            self.seconds[part] = before + time.process_time() - began
            if self.steps[part] % SAVE_EVERY == 0:
                self.save()
            if self.steps[part] % REPORT_EVERY == 0:
                say(f"part {part + 1}, step {self.steps[part]}, {self.seconds[part] / 60:.1f} min: {text}")
                self.report(self.average)
        self.save()

    def renew(self, wanted: Tensor, step: int, random: np.random.Generator) -> None:
        """Put `FRESH` new samples in the place of the oldest, and their codes into `wanted`."""
        psi = random.uniform(0.5, 1, FRESH).astype(np.float32)
        w = draw_ws(self.target.generator, FRESH, random.integers(1 << 31, size=2).tolist(), psi)
        places = [(FRESH * step + index) % len(wanted) for index in range(FRESH)]
        self.samples.w[places], self.samples.pictures[places] = w, render(self.target.generator, w, PICTURE_PX)
        wanted[places] = self.codes(w)

    def make_metric(self) -> Tensor:
        """What an error of u costs: by what it changes in the picture, and by its size in w and in u."""
        values, vectors = torch.linalg.eigh(self.target.metric(torch.from_numpy(self.samples.w[:JACOBIANS])).double())
        root = ((vectors * values.clamp_min(0).sqrt()) @ vectors.T).float()
        spread = self.network.color @ self.network.color
        return root / root.trace() + spread / spread.trace() + CODE * torch.eye(len(root)) / len(root)

    def stack(self, pictures: list[np.ndarray]) -> Tensor:
        return as_images(np.stack(pictures)).contiguous(memory_format=torch.channels_last)

    def code_loss(self, u: Tensor, wanted: Tensor) -> Tensor:
        error = u - wanted
        return ((error @ self.metric) * error).sum(-1)

    def identities(self, faces: np.ndarray) -> Tensor:
        path = self.checkpoint.with_name("identities.npy")
        if not path.exists():
            np.save(path, read_identities(faces))
        return torch.from_numpy(np.load(path, allow_pickle=False))

    @torch.no_grad()
    def report(self, network: WEncoder) -> None:
        random = np.random.default_rng(0)
        count, pixels, looks, found = 24, [], [], []
        for i in range(0, len(self.unseen.w), BATCH):
            spoilt = self.stack([spoil(p, random) for p in self.unseen.pictures[i : i + BATCH]])
            found.append(network.whitened(spoilt))
        u, wanted = torch.cat(found), self.codes(self.unseen.w)
        for i in range(0, count, 4):
            pixel, look = self.target.picture(u[i : i + 4], as_images(self.unseen.pictures[i : i + 4]))
            pixels.append(pixel)
            looks.append(look)
        error, spread = (u - wanted) @ self.network.color, wanted @ self.network.color
        missed = (error.square().sum() / (spread - spread.mean(0)).square().sum()).item()
        cost = self.code_loss(u, wanted).mean() if hasattr(self, "metric") else torch.nan
        say(
            f"  unseen samples: {1 - missed:.3f} of the variance of w, loss {cost:.4f}; "
            f"pixel {torch.cat(pixels).mean():.4f}, perceptual {torch.cat(looks).mean():.4f}"
        )

    def save(self) -> None:
        state = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(), "metric": self.metric}
        state["average"] = self.average.state_dict()
        state |= {"steps": self.steps, "seconds": self.seconds}
        write_file(self.checkpoint, lambda temp: torch.save(state, temp))

    def write(self, path: Path) -> None:
        state = {key: value.half().contiguous() for key, value in self.average.state_dict().items()}
        save_tensors(path, state, {"format": FORMAT, "licence": LICENCE, "made_for": "ffhq-1024"})
        say(f"{path}: {path.stat().st_size / 1e6:.1f} MB after {sum(self.seconds) / 60:.0f} minutes of training")


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
