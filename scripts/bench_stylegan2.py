"""Time and memory of StyleGAN2 (config-f, random weights) on the CPU: ours beside the form of the public code.

    python scripts/bench_stylegan2.py [--threads 2] [--runs 5] [--sizes 256 1024] [--batch 1]

"synthesis" draws one picture without a graph; "step" is forward and backward of a mean square, with gradients of every
number of the synthesis network, as tuning takes them. "reference" is the network as NVIDIA's code trains it, written
out in plain torch below: pictures scaled by styles, zeros inserted before a depthwise filter, bias, activation and gain
one after the other. Every row is a process of its own, the median of the runs after one that is not counted; CPU
seconds are those of all threads; the peak is the process's resident memory. "kept" rows run with the allocator told to
keep freed memory, as the command line does (`cli.console.MALLOC`), "plain" rows without. Let nothing else run.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from bench_timing import timed
from torch import Tensor

from stitchedit.cli.console import MALLOC
from stitchedit.stylegan2 import StyleGAN2

ALLOCATORS: dict[str, dict[str, str]] = {"plain": {}, "kept": MALLOC}
FORMS = ("reference", "ours")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--measure", help=argparse.SUPPRESS)  # what the child processes are called with
    args = parser.parse_args()
    if args.measure:
        form, job = args.measure.split("-")
        print(json.dumps(measure(form, job, args.sizes[0], args.batch, args.threads, args.runs)))
        return
    load = os.getloadavg()[0]
    print(f"torch {torch.__version__}, {args.threads} threads, batch {args.batch}, load {load:.2f} before the start")
    print(f"{'size':>5} {'job':10}{'allocator':10}{'form':10}{'s (min-max)':>20}{'CPU s':>8}{'peak GB':>9}  difference")
    for size in args.sizes:
        for job in ("synthesis", "step"):
            found = {}
            for allocator, settings in ALLOCATORS.items():
                for form in FORMS:
                    row = found[allocator, form] = run(form, job, size, args, settings)
                    span = f"{row['wall']:.2f} ({row['low']:.2f}-{row['high']:.2f})"
                    line = f"{size:5} {job:10}{allocator:10}{form:10}{span:>20}{row['cpu']:8.2f}{row['peak']:9.2f}"
                    print(f"{line}  {row['difference']:.0e}", flush=True)
            for ours, theirs in (("plain", "plain"), ("kept", "kept"), ("kept", "plain")):
                wall, cpu = (found[theirs, "reference"][key] / found[ours, "ours"][key] for key in ("wall", "cpu"))
                print(f"{size:5} {job:10}reference {theirs} / ours {ours}: {wall:.2f}, in CPU seconds {cpu:.2f}")


def run(form: str, job: str, size: int, args: argparse.Namespace, settings: dict[str, str]) -> dict[str, float]:
    child = [sys.executable, __file__, "--measure", f"{form}-{job}", "--sizes", str(size), "--batch", str(args.batch)]
    child += ["--threads", str(args.threads), "--runs", str(args.runs)]
    env = {key: value for key, value in os.environ.items() if key not in MALLOC} | settings
    found: dict[str, float] = json.loads(subprocess.run(child, env=env, check=True, stdout=subprocess.PIPE).stdout)
    return found


def measure(form: str, job: str, size: int, batch: int, threads: int, runs: int) -> dict[str, float]:
    """Wall seconds (median, least, most), CPU seconds, peak GB, and how far the picture is from the other form's."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    generator = StyleGAN2(img_resolution=size).eval()
    generator.mapping.requires_grad_(False)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.1)
    ws, target = torch.randn(batch, generator.num_ws, 512), torch.randn(batch, 3, size, size)
    draw: Callable[[Tensor], Tensor] = generator.synthesis if form == "ours" else lambda ws: reference(generator, ws)

    def synthesis() -> None:
        with torch.no_grad():
            draw(ws)

    def step() -> None:
        (draw(ws) - target).square().mean().backward()
        for parameter in generator.parameters():
            parameter.grad = None

    work = step if job == "step" else synthesis
    found = timed(work, runs)
    with torch.no_grad():
        ours, theirs = generator.synthesis(ws[:1]), reference(generator, ws[:1])
    return found | {"difference": ((ours - theirs).abs().max() / theirs.abs().max()).item()}


def reference(generator: StyleGAN2, ws: Tensor) -> Tensor:
    """Synthesis as NVIDIA's code does it in training mode, on the parameters of our network."""
    p: dict[str, Tensor] = generator.synthesis.state_dict(keep_vars=True)
    image: Tensor | None = None
    x, row, size = p["b4.const"][None].repeat(len(ws), 1, 1, 1), 0, 4
    while f"b{size}.conv1.weight" in p:
        for name, up in ((f"b{size}.conv0", 2), (f"b{size}.conv1", 1)):
            if f"{name}.weight" in p:
                x, row = styled(p, name, x, ws[:, row], up), row + 1
        if image is not None:
            image = upfirdn(image, p[f"b{size}.resample_filter"], 2, (2, 1, 2, 1))
        name = f"b{size}.torgb"
        styles = affine(p, name, ws[:, row]) / math.sqrt(x.shape[1])
        rgb = F.conv2d(x * styles[:, :, None, None], p[f"{name}.weight"]) + p[f"{name}.bias"][:, None, None]
        image = rgb if image is None else image.add_(rgb)
        size *= 2
    assert image is not None
    return image


def styled(p: dict[str, Tensor], name: str, x: Tensor, w: Tensor, up: int) -> Tensor:
    weight, styles = p[f"{name}.weight"], affine(p, name, w)
    scaled = weight[None] * styles[:, None, :, None, None]
    factors = (scaled.square().sum((2, 3, 4)) + 1e-8).rsqrt()
    x = x * styles[:, :, None, None]
    if up == 2:
        x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
        x = upfirdn(x, p[f"{name}.resample_filter"], 1, (1, 1, 1, 1))
    else:
        x = F.conv2d(x, weight, padding=1)
    noise = p[f"{name}.noise_const"] * p[f"{name}.noise_strength"]
    x = torch.addcmul(noise, x, factors[:, :, None, None])
    return F.leaky_relu(x + p[f"{name}.bias"][:, None, None], 0.2) * math.sqrt(2)


def affine(p: dict[str, Tensor], name: str, w: Tensor) -> Tensor:
    weight = p[f"{name}.affine.weight"]
    return torch.addmm(p[f"{name}.affine.bias"], w, (weight / math.sqrt(weight.shape[1])).t())


def upfirdn(x: Tensor, f: Tensor, up: int, pad: tuple[int, int, int, int]) -> Tensor:
    """Zero insertion, padding, depthwise convolution; gain 4, as after every enlargement."""
    n, c, h, w = x.shape
    x = F.pad(x.reshape(n, c, h, 1, w, 1), [0, up - 1, 0, 0, 0, up - 1]).reshape(n, c, h * up, w * up)
    return F.conv2d(F.pad(x, pad), (f * 4).flip([0, 1])[None, None].repeat(c, 1, 1, 1), groups=c)


if __name__ == "__main__":
    main()
