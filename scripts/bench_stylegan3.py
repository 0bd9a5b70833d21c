"""Time and memory of StyleGAN3 (random weights) on the CPU: ours beside the form by the book.

    python scripts/bench_stylegan3.py [--threads 1] [--runs 3] [--sizes 256 1024] [--configurations T R]

"synthesis" draws one picture without a graph; "step" is forward and backward of a mean square, with gradients of every
number of the synthesis network, as tuning takes them. "plain" is the same network with `filtered_lrelu` as the public
code has it where there is no CUDA: zeros inserted, then one filter along x and one along y, bias, activation and clamp
one after the other, all of it kept for the gradient. Both forms are processes of their own, started in turn; a row is
the median of the runs after one that is not counted, the peak is the process's resident memory. Both run with the
allocator told to keep freed memory, as the command line does (`cli.console.MALLOC`). Let nothing else run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import Any

import torch
import torch.nn.functional as F
from bench_timing import timed
from torch import Tensor

from stitchedit.cli.console import MALLOC
from stitchedit.stylegan3 import StyleGAN3, layers
from stitchedit.stylegan3.networks import CONFIGURATIONS

FORMS = ("plain", "ours")
WIDTHS = {256: 16384, 1024: 32768}  # channel_base of the published T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--configurations", nargs="+", choices=CONFIGURATIONS, default=["T"])
    parser.add_argument("--jobs", nargs="+", choices=("synthesis", "step"), default=["synthesis", "step"])
    parser.add_argument("--form", help=argparse.SUPPRESS)  # what the child processes are called with
    args = parser.parse_args()
    if args.form:
        print(json.dumps(measure(args.form, args.jobs[0], args)))
        return
    load = os.getloadavg()[0]
    print(f"torch {torch.__version__}, {args.threads} threads, load {load:.2f} before the start")
    print(f"{'network':10}{'job':11}{'form':7}{'s (min-max)':>22}{'CPU s':>9}{'peak GB':>9}")
    for name in args.configurations:
        for size in args.sizes:
            for job in args.jobs:
                found = {}
                for form in FORMS:
                    row = found[form] = run(form, job, name, size, args)
                    span = f"{row['wall']:.2f} ({row['low']:.2f}-{row['high']:.2f})"
                    line = f"{name} {size:<8}{job:11}{form:7}{span:>22}{row['cpu']:9.2f}{row['peak']:9.2f}"
                    print(line, flush=True)
                wall, cpu, peak = (found["plain"][key] / found["ours"][key] for key in ("wall", "cpu", "peak"))
                a, b = (torch.tensor(found[form]["picture"]) for form in FORMS)
                told = f"CPU seconds {cpu:.2f}, memory {peak:.2f}; pixels differ by {float((a - b).abs().max()):.0e}"
                print(f"{name} {size:<8}{job:11}plain / ours: {wall:.2f}, {told}", flush=True)


def run(form: str, job: str, name: str, size: int, args: argparse.Namespace) -> dict[str, Any]:
    child = [sys.executable, __file__, "--form", form, "--jobs", job, "--configurations", name, "--sizes", str(size)]
    child += ["--threads", str(args.threads), "--runs", str(args.runs)]
    done = subprocess.run(child, env={**os.environ, **MALLOC}, check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(form: str, job: str, args: argparse.Namespace) -> dict[str, Any]:
    """Wall seconds (median, least, most), CPU seconds, peak GB, and some pixels of the picture."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    size = args.sizes[0]
    options = dict(CONFIGURATIONS[args.configurations[0]])
    options["channel_base"] = options["channel_base"] * WIDTHS[size] // 32768
    generator = StyleGAN3(img_resolution=size, **options).eval()
    generator.mapping.requires_grad_(False)
    ws, target = torch.randn(1, generator.num_ws, 512), torch.randn(1, 3, size, size)
    if form == "plain":
        layers.filtered_lrelu = plain

    def work() -> None:
        if job == "synthesis":
            with torch.no_grad():
                generator.synthesis(ws)
            return
        (generator.synthesis(ws) - target).square().mean().backward()
        generator.zero_grad(set_to_none=True)

    found: dict[str, Any] = {**timed(work, args.runs)}
    with torch.no_grad():
        picture = generator.synthesis(ws)[..., :: size // 16, :: size // 16]
    return found | {"picture": picture.flatten().tolist()}


def plain(
    x: Tensor, fu: Tensor | None, fd: Tensor | None, b: Tensor, *, up: int, down: int, padding: Any, **options: float
) -> Tensor:
    """filtered_lrelu in plain torch, as the public code's fallback goes about it."""
    x = x + b[:, None, None]
    x = resampled(x, fu, up, padding, up**2)
    x = F.leaky_relu(x, options["slope"]) * options["gain"]
    x = x.clamp(-options["clamp"], options["clamp"])
    return resampled(x, fd, 1, (0, 0, 0, 0), 1)[:, :, ::down, ::down]


def resampled(x: Tensor, f: Tensor | None, up: int, pad: tuple[int, int, int, int], gain: float) -> Tensor:
    """Zeros inserted, padded or cropped, filtered along x and along y, or at once with a round filter."""
    if f is None:
        return x
    n, c, h, w = x.shape
    x = F.pad(x.reshape(n, c, h, 1, w, 1), [0, up - 1, 0, 0, 0, up - 1]).reshape(n, c, h * up, w * up)
    x = F.pad(x, pad)
    f = (f * gain ** (f.ndim / 2)).flip(list(range(f.ndim)))
    if f.ndim == 2:
        return F.conv2d(x, f.expand(c, 1, *f.shape), groups=c)
    x = F.conv2d(x, f[None, :].expand(c, 1, 1, -1), groups=c)
    return F.conv2d(x, f[:, None].expand(c, 1, -1, 1), groups=c)


if __name__ == "__main__":
    main()
