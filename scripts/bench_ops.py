"""Time and memory of the ops, in the shapes that a 1024 px generator gives them.

    python scripts/bench_ops.py [--threads 2] [--runs 7] [--device cpu|cuda] [--dtype float32|float16]

CPU: the polyphase form in use beside the definition (zeros inserted, depthwise convolution), and `bias_act` beside its
plain form, forward and with the gradient. Every row is a process of its own; its peak is all of its memory, some 200 MB
of it torch. "kept" rows run with the allocator told to keep freed memory (`cli.console.MALLOC`), "plain" rows
without.

CUDA: the kernels beside the definition in torch and, where it can be had, torch.compile of the definition. "moved" is
what must be read and written at the least; its share is of the bandwidth that copying a large tensor reaches on this
card. Let nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stitchedit.cli.console import MALLOC
from stitchedit.cuda_ops import ACTIVATIONS, bias_act, reference, setup_filter, upfirdn2d
from stitchedit.cuda_ops._spec import BiasActSpec, Resampling

ALLOCATORS: dict[str, dict[str, str]] = {"plain": {}, "kept": MALLOC}
BLUR = {"padding": (1, 1, 1, 1), "gain": 4}
ENLARGE = {"up": 2, "padding": (2, 1, 2, 1), "gain": 4}
SHRINK = {"down": 2, "padding": (1, 1, 1, 1)}
# name -> (size of x, arguments of upfirdn2d, or None for bias_act)
CASES: dict[str, tuple[tuple[int, ...], dict[str, Any] | None]] = {
    "blur 32x1025": ((1, 32, 1025, 1025), BLUR),
    "blur 128x257": ((1, 128, 257, 257), BLUR),
    "enlarge 3x512": ((1, 3, 512, 512), ENLARGE),
    "enlarge 64x256": ((1, 64, 256, 256), ENLARGE),
    "shrink 64x512": ((1, 64, 512, 512), SHRINK),
    "lrelu 32x1024": ((1, 32, 1024, 1024), None),
}
Run = Callable[[Tensor], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=("float32", "float16"), default="float32")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)  # what the child processes are called with
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(*args.measure, args.threads, args.runs)))
    elif args.device == "cpu":
        on_the_cpu(args.threads, args.runs)
    else:
        on_the_gpu(getattr(torch, args.dtype), args.runs)


def form(name: str, case: str, device: str = "cpu") -> Run:
    """The op of a case as a function of x: ours, or the definition in torch that autograd differentiates."""
    size, options = CASES[case]
    if options is None:
        b = torch.randn(size[1], generator=torch.Generator().manual_seed(1)).to(device)
        act = ACTIVATIONS["lrelu"]
        plain = BiasActSpec(act, 1, act.alpha, act.gain, None)
        if name == "ours":
            return lambda x: bias_act(x, b.to(x.dtype), act="lrelu")
        return lambda x: reference.bias_act(x, b.to(x.dtype), plain)
    f = setup_filter([1, 3, 3, 1], device=device)
    if name == "ours":
        return lambda x: upfirdn2d(x, f, **options)
    up, down = options.get("up", 1), options.get("down", 1)
    spec = Resampling((up, up), (down, down), options["padding"], False, options.get("gain", 1))
    return lambda x: reference.upfirdn2d_by_definition(x, f, spec)


def on_the_cpu(threads: int, runs: int) -> None:
    print(f"torch {torch.__version__}, {threads} threads, load {os.getloadavg()[0]:.2f} before the start; milliseconds")
    print(f"{'op':16}{'allocator':10}{'form':12}{'forward':>9}{'+ gradient':>12}{'CPU':>9}{'peak MB':>9}")
    for case in CASES:
        for allocator, settings in ALLOCATORS.items():
            for name in ("definition", "ours"):
                child = [sys.executable, __file__, "--measure", name, case, "--runs", str(runs)]
                child += ["--threads", str(threads)]
                env = {key: value for key, value in os.environ.items() if key not in MALLOC} | settings
                row = json.loads(subprocess.run(child, env=env, check=True, stdout=subprocess.PIPE).stdout)
                times = f"{row['forward']:9.1f}{row['both']:12.1f}{row['cpu']:9.1f}"
                print(f"{case:16}{allocator:10}{name:12}{times}{row['peak']:9.0f}", flush=True)


def measure(name: str, case: str, threads: int, runs: int) -> dict[str, float]:
    """Median milliseconds, and the peak in MB."""
    torch.set_num_threads(threads)
    run = form(name, case)
    x = torch.randn(CASES[case][0]).requires_grad_()
    dy: Tensor | None = None
    wall_forward, wall, cpu = [], [], []
    for i in range(runs + 1):
        began, began_cpu = time.perf_counter(), time.process_time()
        y = run(x)
        middle = time.perf_counter()
        dy = torch.ones_like(y) if dy is None else dy
        torch.autograd.grad(y, x, dy)
        if i:  # the first is not counted
            wall_forward.append(middle - began)
            wall.append(time.perf_counter() - began)
            cpu.append(time.process_time() - began_cpu)
        del y
    return {
        "forward": statistics.median(wall_forward) * 1e3,
        "both": statistics.median(wall) * 1e3,
        "cpu": statistics.median(cpu) * 1e3,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
    }


def on_the_gpu(dtype: torch.dtype, runs: int) -> None:
    copied = torch.empty(1 << 28, dtype=torch.uint8, device="cuda")
    seconds = timed(lambda: copied.clone(), runs)
    bandwidth = 2 * copied.numel() / seconds
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}, {dtype}, copies {bandwidth / 1e9:.0f} GB/s")
    print(f"{'op':16}{'pass':10}{'form':12}{'us':>10}{'moved MB':>10}{'share':>7}")
    for case, (size, _) in CASES.items():
        x = torch.randn(size, device="cuda", dtype=dtype).requires_grad_()
        forms = {"ours": form("ours", case, "cuda"), "definition": form("definition", case, "cuda")}
        try:
            forms["compiled"] = torch.compile(forms["definition"], dynamic=False)
            forms["compiled"](x)
        except Exception as exc:  # whatever stops the compiler here is reported, and the others are measured
            print(f"{case:16}torch.compile cannot be had: {str(exc).splitlines()[0][:80]}")
            del forms["compiled"]
        for name, run in forms.items():
            gradient = with_gradient(run, x)
            with torch.no_grad():
                y = run(x)
                report(case, "forward", name, timed(functools.partial(run, x), runs), moved(x, y), bandwidth)
            report(case, "gradient", name, timed(gradient, runs), moved(x, y), bandwidth)


def with_gradient(run: Run, x: Tensor) -> Callable[[], object]:
    """What computes the gradient of x again and again."""
    y = run(x)
    return functools.partial(torch.autograd.grad, y, x, torch.ones_like(y), retain_graph=True)


def report(case: str, what: str, name: str, seconds: float, moved: int, bandwidth: float) -> None:
    share = moved / seconds / bandwidth
    print(f"{case:16}{what:10}{name:12}{seconds * 1e6:10.1f}{moved / 1e6:10.1f}{share:7.0%}", flush=True)


def moved(x: Tensor, y: Tensor) -> int:
    return x.numel() * x.element_size() + y.numel() * y.element_size()


def timed(job: Callable[[], object], runs: int) -> float:
    """Median seconds of a job on the card, by its own clock, ten calls at a time."""
    for _ in range(3):
        job()
    seconds = []
    for _ in range(runs):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(10):
            job()
        stop.record()
        stop.synchronize()
        seconds.append(start.elapsed_time(stop) / 1e4)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
