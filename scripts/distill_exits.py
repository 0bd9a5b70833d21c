"""Train the small exits of the default generator, 256 and 512 px, to draw what the full image, averaged down, shows.

    nice python scripts/distill_exits.py BASE.safetensors EXITS.safetensors --work FOLDER --size 512 [--minutes 30]

BASE is the file of scripts/build_default_model.py. An exit of another size that EXITS holds already stays in it. FOLDER
holds a checkpoint a size: the same command goes on from there, `--minutes` more of processor time. One thread, 4 GB of
memory.

An exit starts as the block that it stands for, without the weaker of its channels; convolutions that the block does not
have start as ones that change little. Inputs and targets of some hundred faces are kept in memory; one face is replaced
every few steps, so that no face is seen often. A step looks at one quarter of four faces: the work of one whole face,
and a steadier gradient.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import deque
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stitchedit.files.array_files import save_tensors
from stitchedit.files.atomic import write_file
from stitchedit.mobilestylegan import MobileStyleGAN, haar
from stitchedit.mobilestylegan.layers import Affine, BlockExit, SeparableConv
from stitchedit.mobilestylegan.networks import FFHQ_HEADS
from stitchedit.models.generator import read_generator, read_safetensors
from stitchedit.models.perceptual import MobileNetPerceptual

LICENCE = "distilled from mobilestylegan_ffhq_1024.safetensors, under the same terms"
KEYS = "synthesis_network.heads."
POOL = 250  # faces in memory
REPLACE_EVERY = 8  # steps
FACES = 4  # a step
UNSEEN, UNSEEN_SEED = 16, 1 << 30
REPORT_EVERY = 250  # steps
LR = 0.01  # of a tensor's own root mean square

Example = tuple[Tensor, Tensor, Tensor]  # ws [1, num_ws, w_dim], input of the exit, target image; the latter halves


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("exits", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder of the checkpoints")
    parser.add_argument("--size", type=int, choices=(256, 512), required=True, help="pixels of the exit to train")
    parser.add_argument("--minutes", type=float, default=15, help="of processor time")
    parser.add_argument("--rate", type=float, default=LR, help="of the optimiser, relative to a tensor's own size")
    parser.add_argument("--perceptual", type=float, default=0.05, help="weight of mbv2-perceptual beside L1 and L2")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.work.mkdir(parents=True, exist_ok=True)
    base = read_generator(args.base)
    generator = MobileStyleGAN(**base.config | {"heads": FFHQ_HEADS})
    generator.load_state_dict(base.state_dict(), strict=False)
    generator.requires_grad_(False)
    heads, state = others(args.exits, args.size)
    trainer = Trainer(generator, args.size, args.work / f"{args.size}.pt", args.perceptual)
    trainer.run(60 * args.minutes, args.rate)
    state |= {f"{KEYS}{args.size}.{k}": v.half() for k, v in trainer.exit.state_dict().items()}
    heads |= {str(args.size): FFHQ_HEADS[args.size]}
    save_tensors(args.exits, state, {"heads": json.dumps(heads), "licence": LICENCE})


def others(exits: Path, size: int) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Kinds and weights of the exits of other sizes that the file holds."""
    if not exits.exists():
        return {}, {}
    texts, state = read_safetensors(exits)
    heads = {key: kind for key, kind in json.loads(texts["heads"]).items() if int(key) != size}
    return heads, {key: value.half() for key, value in state.items() if not key.startswith(f"{KEYS}{size}.")}


class Trainer:
    """One exit, its pool of faces, its optimiser and its checkpoint."""

    def __init__(self, generator: MobileStyleGAN, size: int, checkpoint: Path, perceptual: float) -> None:
        self.generator, self.size, self.checkpoint = generator, size, checkpoint
        exit = generator.synthesis_network.heads[str(size)]
        assert isinstance(exit, BlockExit)
        self.exit = exit
        self.steps, self.seconds = 0, 0.0
        self.perceptual, self.perceptual_weight = MobileNetPerceptual(), perceptual
        start = [example(generator, size, seed) for seed in range(UNSEEN_SEED - 8, UNSEEN_SEED)]
        start_from_block(generator, size, exit, start)
        exit.requires_grad_(True)
        self.optimiser = torch.optim.Adam(
            [
                {"params": [p], "scale": max(p.square().mean().sqrt().item(), 0.1 if "affine" in name else 0.02)}
                for name, p in exit.named_parameters()
            ],
            lr=0.0,
            betas=(0.9, 0.99),
        )
        if checkpoint.exists():
            saved = torch.load(checkpoint, weights_only=True)
            exit.load_state_dict(saved["exit"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.steps, self.seconds = saved["steps"], saved["seconds"]

    def run(self, seconds: float, rate: float) -> None:
        """Trains for so long by the processor's clock, the rate falling to zero at the end; leaves checkpoints."""
        unseen = [example(self.generator, self.size, UNSEEN_SEED + index) for index in range(UNSEEN)]
        faces = self.steps  # seeds of faces: never one twice
        pool: deque[Example] = deque(maxlen=POOL)  # starts small and grows
        for _ in range(8 * FACES):
            pool.append(example(self.generator, self.size, faces))
            faces += 1
        random = torch.Generator().manual_seed(self.steps)
        began, before, last = time.process_time(), self.seconds, self.steps - 1
        self.report(unseen)
        while (spent := time.process_time() - began) < seconds:
            rate_now = rate * min(1.0, (self.steps + 1) / 100, 2.5 * (1 - spent / seconds))
            for group in self.optimiser.param_groups:
                group["lr"] = rate_now * group["scale"]
            if self.steps % REPLACE_EVERY == 0:
                pool.append(example(self.generator, self.size, faces))
                faces += 1
            chosen = torch.randint(len(pool), (FACES,), generator=random).tolist()
            # Corners that fall outside count for the edge, or else the picture's rim would hardly be seen.
            slack = self.size // 16
            corner = (
                torch.randint(-slack, self.size // 4 + slack, (2,), generator=random).clamp(0, self.size // 4).tolist()
            )
            self.step([pool[index] for index in chosen], corner[0], corner[1])
            if self.steps % REPORT_EVERY == 0 and self.steps != last:
                last, self.seconds = self.steps, before + time.process_time() - began
                self.save()
                self.report(unseen)
        self.seconds = before + seconds
        self.save()
        self.report(unseen)

    def step(self, faces: list[Example], top: int, left: int) -> None:
        """One step on the square of half the side at (top, left), in pixels of the exit's input."""
        side = self.size // 4
        ws = torch.cat([face[0] for face in faces])
        x = torch.cat([face[1][:, top : top + side, left : left + side] for face in faces]).float()
        target = torch.cat(
            [face[2][:, :, 2 * top :, 2 * left :][..., : 2 * side, : 2 * side] for face in faces]
        ).float()
        convs = list(self.exit.convs)
        noises = [conv.noise for conv in convs]
        for conv, noise in zip(convs, noises, strict=True):
            conv.noise = noise[:, :, top : top + side, left : left + side].contiguous()
        image = self.draw(ws, x)
        for conv, noise in zip(convs, noises, strict=True):
            conv.noise = noise

        # Where the square's edge is not the picture's, the convolutions saw zeros in place of neighbours.
        margin = 2 * len(convs)  # each sees one pixel farther, of two of the image
        rows = slice(margin * (top > 0), 2 * side - margin * (top + side < self.size // 2))
        columns = slice(margin * (left > 0), 2 * side - margin * (left + side < self.size // 2))
        image, target = image[:, :, rows, columns], target[:, :, rows, columns]
        loss = F.l1_loss(image, target) + 2 * F.mse_loss(image, target)
        if self.perceptual_weight:
            loss = loss + self.perceptual_weight * self.perceptual(image, target).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.steps += 1

    def draw(self, ws: Tensor, x: Tensor) -> Tensor:
        row = 2 * int(math.log2(self.size)) - 7  # of the exit's first convolution in W+
        image: Tensor = self.exit(x, self.exit.styles(ws[:, row : row + len(self.exit.convs) + 1].unbind(1)), True)
        return image

    @torch.no_grad()
    def report(self, unseen: list[Example]) -> None:
        errors = torch.stack([psnr(self.draw(face[0], face[1].float()), face[2].float()) for face in unseen])
        print(
            f"{self.size} px, step {self.steps}, {self.seconds / 60:.1f} min: {errors.mean():.2f} dB on unseen faces, "
            f"from {errors.min():.1f} to {errors.max():.1f}",
            flush=True,
        )

    def save(self) -> None:
        saved = {"exit": self.exit.state_dict(), "optimiser": self.optimiser.state_dict()}
        saved |= {"steps": self.steps, "seconds": self.seconds}
        write_file(self.checkpoint, lambda temp: torch.save(saved, temp))


@torch.no_grad()
def example(generator: MobileStyleGAN, size: int, seed: int) -> Example:
    """The face of a seed, psi drawn from 0.5 to 1: its codes, what the exit takes, what it should give."""
    random = torch.Generator().manual_seed(seed)
    psi = 0.5 + 0.5 * torch.rand((), generator=random).item()
    ws = generator.mapping(torch.randn(1, generator.z_dim, generator=random), truncation_psi=psi)
    target = F.interpolate(generator.synthesis(ws), size=(size, size), mode="area")
    return ws, generator.synthesis_network.to_exit(generator.styles(ws, resolution=size), size)[0].half(), target.half()


@torch.no_grad()
def start_from_block(generator: MobileStyleGAN, size: int, exit: BlockExit, faces: list[Example]) -> None:
    """Copies those of the block's channels that count most into the exit; the head starts by least squares."""
    block = generator.synthesis_network.blocks[int(math.log2(size)) - 4]
    after = generator.synthesis_network.blocks[int(math.log2(size)) - 3]
    row = 2 * int(math.log2(size)) - 7
    firsts, seconds = [], []
    for ws, x, _ in faces:
        y = block.conv1(x.float(), block.conv1.affine(ws[:, row]), True)
        style = block.conv2.affine(ws[:, row + 1])
        z = block.conv2(y, style, True)
        firsts.append((y * style).square().mean(dim=(0, 1, 2)))
        seconds.append((z * after.up.affine(ws[:, row + 2])).square().mean(dim=(0, 1, 2)))
    use = block.conv2.pointwise.square().sum(dim=(0, 2, 3))  # how far a first channel reaches into the second ones
    first = (torch.stack(firsts).mean(dim=0) * use).topk(len(exit.convs[0].bias)).indices
    second = torch.stack(seconds).mean(dim=0).topk(len(exit.convs[1].bias)).indices
    narrow(block.conv1, exit.convs[0], slice(None), first)
    narrow(block.conv2, exit.convs[1], first, second)
    for conv in exit.convs[2:]:
        pass_on(conv)

    constant(exit.head.affine)
    terms = exit.head.weight.shape[1] + 1
    gram, moments = torch.zeros(terms, terms), torch.zeros(terms, 12)
    for ws, x, target in faces:
        z = x.float()
        for index, conv in enumerate(exit.convs):
            z = conv(z, ws[:, row + index], True)
        z = F.pad(z[0].flatten(0, 1), (0, 1), value=1.0)  # [S * S, C + 1], the last column for the bias
        gram += z.T @ z
        moments += z.T @ haar(target.float().permute(0, 2, 3, 1))[0].flatten(0, 1)
    gram += 1e-4 * gram.diagonal().mean() * torch.eye(len(gram))
    head = torch.linalg.solve(gram.double(), moments.double()).T.float()
    exit.head.weight.copy_(head[:, :-1, None, None])
    exit.head.bias.copy_(head[:, -1])


def narrow(source: nn.Module, target: nn.Module, inputs: Tensor | slice, outputs: Tensor) -> None:
    """Copies the chosen channels of a separable convolution."""
    target.noise.copy_(source.noise)
    target.bias.copy_(source.bias[outputs])
    target.pointwise.copy_(source.pointwise[outputs][:, inputs])
    target.depthwise.copy_(source.depthwise[inputs])
    target.affine.weight.copy_(source.affine.weight[inputs])
    target.affine.bias.copy_(source.affine.bias[inputs])


def pass_on(conv: SeparableConv) -> None:
    """Makes a separable convolution give what it takes, but for its leaky ReLU. It has no noise, and gets none."""
    conv.noise.zero_()
    conv.bias.zero_()
    conv.pointwise.copy_(torch.eye(*conv.pointwise.shape[:2])[:, :, None, None])
    conv.depthwise.zero_()[:, 0, 1, 1] = 1
    constant(conv.affine)


def constant(affine: Affine) -> None:
    """Makes a style 1, whatever w."""
    affine.weight.zero_()
    affine.bias.fill_(1 / affine.gain)


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """In decibels, of RGB in [-1, 1]."""
    return 10 * torch.log10(4 / F.mse_loss(image.clamp(-1, 1), target.clamp(-1, 1)))


if __name__ == "__main__":
    main()
